"""Connections that last: what ends a command, what a listener survives, and with what it comes back."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nats
import nkeys
import pytest

from tests.accounts import Key, encode_jwt, make_operator
from tests.asking import Asker
from tests.certificates import Certificates
from tests.program import Program, Runner, until
from tests.servers import Server, free_port

LIMITED = 'accounts {{ A {{ limits {{ {} }}, users: [{{user: u, password: "s3cr3t-u"}}] }} }}'
AS_U = ("--user", "u", "--password", "s3cr3t-u")


# -- what is permanent ends the command --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [("watch", "a"), ("reply", "a", "x", "--service", "s"), ("subscribe", "a", "b")]
)
def test_more_subscriptions_than_the_account_may_have_end_the_command(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], arguments: tuple[str, ...]
) -> None:
    server = server_factory(LIMITED.format("max_subscriptions: 1"))
    command = spawn(*arguments, *AS_U, server=server, ready="maximum subscriptions exceeded")
    assert command.wait() == 6
    assert "Disconnected" not in command.stderr_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ("request", "{}", "x"),
        ("request", "{}", "x", "--retries", "100"),
        ("publish", "{}", "x"),
        ("reply", "{}", "x"),
        ("reply", "a", "x", "--queue", "{}"),
        ("subscribe", "{}"),
        ("watch", "{}"),
    ],
)
def test_a_subject_that_does_not_fit_into_a_line_ends_the_command(
    pynats: Runner, nats_server: Server, arguments: tuple[str, ...]
) -> None:
    run = pynats(*(argument.format("s" * 5000) for argument in arguments), server=nats_server)
    assert run.status == 2
    assert "maximum control line exceeded" in run.stderr
    assert "Disconnected" not in run.stderr


def permitting(*subjects: str) -> str:
    allowed = json.dumps([*subjects, "_INBOX.>"])
    user = f'{{user: u, password: "s3cr3t-u", permissions: {{subscribe: {allowed}}}}}'
    return f"authorization {{ users: [{user}] }}"


LISTENERS = {
    "reply": ("Listening", "reply", "--mock", "{mock}"),
    "subscribe": ("Subscribed", "subscribe", "svc.a", "other.b", "--raw"),
    "subscribe-matching": ("Subscribed", "subscribe", "svc.a", "other.b", "--match-replies"),
    "subscribe-report": ("Subscribed", "subscribe", "svc.a", "other.b", "--report-subjects"),
    "watch": ("Watching", "watch", "svc.a", "other.b"),
}


@pytest.fixture(params=LISTENERS)
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, ...]:
    """What a listener to svc.a and other.b says when it is ready, and its arguments."""
    mock = tmp_path / "mock.jsonl"
    rules = [{"subject": subject, "reply": {"data": "x"}} for subject in ("svc.a", "other.b")]
    mock.write_text("".join(json.dumps(rule) + "\n" for rule in rules))
    return tuple(word.format(mock=mock) for word in LISTENERS[request.param])


def ended_by_a_refusal(program: Program, subject: str) -> None:
    """Status 6, and one line of error that has the server's words."""
    assert program.wait() == 6
    [error] = [line for line in program.stderr_text().splitlines() if "error: " in line]
    assert f'Permissions Violation for Subscription to "{subject}"' in error


@pytest.mark.parametrize("command", ["reply", "subscribe", "watch"])
def test_a_reload_that_takes_the_only_subscription_ends_a_listener(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], command: str
) -> None:
    server = server_factory(permitting("svc.>"))
    body = ("x",) if command == "reply" else ()
    program = spawn(command, "svc.a", *body, *AS_U, server=server, ready=LISTENERS[command][0])
    server.reload(permitting("none"))
    ended_by_a_refusal(program, "svc.a")


def test_a_reload_that_takes_one_of_several_subscriptions_is_said_and_that_of_the_last_ends_a_listener(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], listener: tuple[str, ...]
) -> None:
    ready, *arguments = listener
    server = server_factory(permitting("svc.>", "other.>"))
    program = spawn(*arguments, *AS_U, server=server, ready=ready)
    server.reload(permitting("other.>"))
    program.wait_for('Permissions Violation for Subscription to "svc.a"')
    with Asker(server, user="u", **{"pass": "s3cr3t-u"}) as asker:
        asker.send("other.b", b"still heard")
        if arguments[0] == "reply":
            assert asker.receive(1)[0].payload == b"x"
        elif "--raw" in arguments:
            program.wait_until(lambda: b"still heard" in program.stdout_bytes(), "the message")
        assert b" 503" in asker.ask("nobody", b"")[0].header  # the server has sent on what came before
    assert program.status is None
    server.reload(permitting("none"))
    ended_by_a_refusal(program, "other.b")
    if arguments[0] == "subscribe":  # what came is shown
        assert b"other.b" in program.stdout_bytes() or b"still heard" in program.stdout_bytes()


def test_what_was_refused_on_two_connections_ends_a_listener_as_well(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], listener: tuple[str, ...]
) -> None:
    """One subscription is refused when the connection is made anew, the other one later."""
    ready, *arguments = listener
    server = server_factory(permitting("svc.>", "other.>"))
    program = spawn(*arguments, *AS_U, server=server, ready=ready)
    server.restart(permitting("other.>"))
    program.wait_for("Reconnected")
    program.wait_for('Permissions Violation for Subscription to "svc.a"')
    server.restart(permitting("svc.>"))
    program.wait_for('Permissions Violation for Subscription to "other.b"')
    program.wait_until(lambda: program.stderr_text().count("Reconnected") == 2, "the second connection")
    assert program.status is None
    server.reload(permitting("none"))
    ended_by_a_refusal(program, "svc.a")


# -- logging in --------------------------------------------------------------------------------------------------


@contextmanager
def auth_callout(server: Server, issuer: Key, seconds: float, error: str = "") -> Iterator[None]:
    """A service that decides about logins, so many seconds after it is asked."""
    ready, over = threading.Event(), threading.Event()

    def claims(token: bytes) -> Any:
        part = token.split(b".")[1]
        return json.loads(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)))

    async def serve() -> None:
        client = await nats.connect(server.url, user="auth", password="s3cr3t-auth")

        async def decide(message: Any) -> None:
            await asyncio.sleep(seconds)
            asked = claims(message.data)["nats"]
            user = asked["user_nkey"]
            rights = {
                "type": "user",
                "version": 2,
                "pub": {},
                "sub": {},
                "subs": -1,
                "data": -1,
                "payload": -1,
            }
            answer = {"type": "authorization_response", "version": 2}
            answer |= (
                {"error": error} if error else {"jwt": encode_jwt(issuer, user, "u", rights, audience="$G")}
            )
            response = encode_jwt(issuer, user, "", answer, audience=asked["server_id"]["id"])
            await message.respond(response.encode())

        await client.subscribe("$SYS.REQ.USER.AUTH", cb=decide)
        await client.flush()
        ready.set()
        while not over.is_set():
            await asyncio.sleep(0.02)
        await client.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        over.set()
        thread.join(10)


@pytest.mark.parametrize("error", ["", "not you"])
def test_a_login_that_takes_longer_than_the_first_ping_of_the_server(
    pynats: Runner, server_factory: Callable[..., Server], error: str
) -> None:
    issuer = Key.make(nkeys.PREFIX_BYTE_ACCOUNT)
    server = server_factory(
        'authorization { timeout: 20, users: [{user: auth, password: "s3cr3t-auth"}], '
        f"auth_callout {{ issuer: {issuer.public}, auth_users: [auth] }} }}"
    )
    with auth_callout(server, issuer, 2.6, error):
        run = pynats("publish", "a", "x", "--timeout", "10s", *AS_U, server=server)
    assert run.status == (6 if error else 0), run.stderr
    assert ("Published" in run.stderr) is not bool(error)


def test_what_the_server_says_of_the_account_counts(
    pynats: Runner, spawn: Callable[..., Program], server_factory: Callable[..., Server]
) -> None:
    server = server_factory(LIMITED.format("max_payload: 1000"))
    for command in ("request", "publish"):
        run = pynats(command, "a", "x" * 1001, *AS_U, server=server)
        assert run.status == 2
        assert "1001 bytes, the server takes 1000" in run.stderr
    reply = spawn("reply", "a", "y" * 1001, *AS_U, server=server)
    run = pynats("request", "a", "x", *AS_U, server=server)
    assert run.status == 7
    assert "the server takes 1000" in run.stderr
    assert "Disconnected" not in reply.stderr_text()


def test_credentials_that_expire_are_read_again_and_then_it_is_over(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], tmp_path: Path
) -> None:
    operator = make_operator()
    server = server_factory(operator.server_config)
    account, file = operator.accounts["APP"], tmp_path / "a.creds"
    file.write_text(account.make_user(lifetime=2.5).creds)
    reply = spawn("reply", "a", "x", "--creds", str(file), server=server)
    file.write_text(account.make_user(lifetime=6).creds)
    reply.wait_for("Reconnected")
    assert reply.wait() == 6
    assert "expired" in reply.stderr_text().splitlines()[-1] + reply.stderr_text().splitlines()[-2]


# -- where else to connect -----------------------------------------------------------------------------------------


def told(server: Server, port: int) -> bool:
    """Whether the server tells its clients of one at this port."""
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        return b":%d" % port in raw.recv(65536)


def two_nodes(
    server_factory: Callable[..., Server], more: tuple[str, str] = ("", "")
) -> tuple[Server, Server]:
    port = free_port()
    cluster = 'cluster {{ name: c, listen: "127.0.0.1:{}", routes: [{}] }}\n{}'
    first = server_factory(cluster.format(port, "", more[0]))
    return first, server_factory(cluster.format(-1, f'"nats://127.0.0.1:{port}"', more[1]))


def test_a_discovered_server_keeps_the_tls_name(
    pynats: Runner,
    spawn: Callable[..., Program],
    server_factory: Callable[..., Server],
    certificates: Certificates,
) -> None:
    tls = f'tls {{ cert_file: "{certificates.name_cert}", key_file: "{certificates.name_key}" }}'
    first, second = two_nodes(server_factory, (tls, tls))
    until(lambda: told(first, second.port))
    urls = f"tls://localhost:{first.port},tls://localhost:{free_port()}"
    reply = spawn("reply", "found", "x", "--tlsca", str(certificates.ca), server=urls)
    first.stop()
    reply.wait_for("Reconnected")


def test_a_discovered_server_is_reached_over_websockets_too(
    spawn: Callable[..., Program], server_factory: Callable[..., Server]
) -> None:
    ports = free_port(), free_port()
    listen = "websocket {{ listen: '127.0.0.1:{}', no_tls: true }}"
    first, _ = two_nodes(server_factory, (listen.format(ports[0]), listen.format(ports[1])))
    until(lambda: first.log().count("Route connection created") > 0 or "rid:" in first.log())
    reply = spawn("reply", "found", "x", server=f"ws://127.0.0.1:{ports[0]}")
    first.stop()
    reply.wait_for(f"Reconnected to ws://127.0.0.1:{ports[1]}")


def test_a_websocket_that_stays_silent_is_given_up_in_time(
    pynats: Runner, spawn: Callable[..., Program], server_factory: Callable[..., Server]
) -> None:
    port = free_port()
    server = server_factory(f"websocket {{ host: 127.0.0.1, port: {port}, no_tls: true }}")
    reply = spawn("reply", "ws", "x", "--timeout", "500ms", server=f"ws://127.0.0.1:{port}")
    server.stop()
    with socket.create_server(("127.0.0.1", port)):
        reply.wait_for("no answer from the server within 500ms", timeout=10)
        run = pynats("request", "ws", "x", "--timeout", "500ms", server=f"ws://127.0.0.1:{port}", within=3)
        assert run.status == 5
    server.start()
    reply.wait_for("Reconnected")


def test_an_address_that_drops_packets_does_not_take_the_time_of_the_next(
    pynats: Runner, nats_server: Server, tmp_path: Path
) -> None:
    with socket.socket() as hole:
        hole.bind(("127.0.0.2", nats_server.port))
        hole.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.2", nats_server.port))
        (tmp_path / "sitecustomize.py").write_text(
            "import socket\nreal = socket.getaddrinfo\n"
            "def fake(host, port, *rest, **more):\n"
            "    if host != 'two.example': return real(host, port, *rest, **more)\n"
            "    return [(2, 1, 6, '', (ip, int(port))) for ip in ('127.0.0.2', '127.0.0.1')]\n"
            "socket.getaddrinfo = fake\n"
        )
        run = pynats(
            "request", "nobody", "x", "--timeout", "3s", server=f"two.example:{nats_server.port}",
            env={"PYTHONPATH": str(tmp_path)}, within=3,
        )  # fmt: skip
        for each in waiting:
            each.close()
    assert run.status == 3


# -- what else the server says ---------------------------------------------------------------------------------------


def test_a_lame_duck_is_said(spawn: Callable[..., Program], server_factory: Callable[..., Server]) -> None:
    server = server_factory("lame_duck_grace_period: 1s\nlame_duck_duration: 30s")
    reply = spawn("reply", "duck", "x", server=server)
    server.lame_duck()
    reply.wait_for("lame duck")


def test_a_server_without_headers_is_said_before_one_is_lost(
    pynats: Runner, spawn: Callable[..., Program], server_factory: Callable[..., Server]
) -> None:
    server = server_factory("no_header_support: true")
    run = pynats("request", "a", "x", "-H", "A: b", server=server)
    assert run.status == 2
    assert "headers" in run.stderr
    plain = spawn("reply", "plain", "OK", "-H", "A: b", server=server)
    failing = spawn("reply", "failing", "--command", "false", server=server)
    assert "does not support headers" in plain.stderr_text()
    assert pynats("request", "plain", "x", server=server).stdout == b"OK\n"
    assert pynats("request", "failing", "x", "--timeout", "500ms", server=server).status == 4
    assert failing.stop() == 0
    assert "1 undelivered" in failing.stderr_text()
    assert "Disconnected" not in failing.stderr_text()


def test_replies_that_the_server_refuses_are_counted(
    spawn: Callable[..., Program], server_factory: Callable[..., Server]
) -> None:
    server = server_factory(
        'authorization { users: [{user: u, password: "s3cr3t-u", permissions: {publish: {deny: "no.>"}}}, '
        '{user: all, password: "s3cr3t-all"}] }'
    )
    reply = spawn("reply", "a", "x", *AS_U, server=server)
    with Asker(server, user="all", **{"pass": "s3cr3t-all"}) as asker:
        asker.send("a", b"1", b"2", reply=b"no.inbox")
        reply.wait_for("does not permit")
        assert asker.ask("a", b"3")[0].payload == b"x"
    reply.stop()
    assert "2 undelivered" in reply.stderr_text()


def test_publish_says_published_only_of_what_the_server_took(
    pynats: Runner, server_factory: Callable[..., Server]
) -> None:
    """Permissions are checked after a mapping: the refusal names another subject."""
    server = server_factory(
        'accounts { A { mappings: {from: to}, users: [{user: u, password: "s3cr3t-u", '
        'permissions: {publish: ["from", "_INBOX.>", "from.>"]}}] } }'
    )
    for arguments in (("publish", "from", "x"), ("request", "from", "x")):
        run = pynats(*arguments, *AS_U, server=server, within=3)
        assert run.status == 6, run.stderr
        assert "Published" not in run.stderr
