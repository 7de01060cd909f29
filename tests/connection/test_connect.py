"""Connecting: what goes wrong is said in one line, with the right status, in time."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from natscli.connection.connect import connected
from natscli.connection.failures import classify
from natscli.connection.options import plan
from natscli.environment import Environment
from natscli.errors import ConnectionFailedError
from natscli.settings import Settings, Value
from natscli.wire.nats_py import errors as nats_errors
from tests.asking import Asker
from tests.certificates import Certificates
from tests.program import Program, Run, Runner
from tests.servers import Server, free_port


@contextmanager
def listener(greeting: bytes, *, close: bool = False) -> Iterator[str]:
    """Something that listens, says `greeting` and nothing more; not a NATS server, so no stand-in for one."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = []

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                client.sendall(greeting)
                if close:
                    client.close()
                held.append(client)

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        for client in held:
            client.close()


def one_line(run: Run) -> str:
    errors = [line for line in run.errors if "error:" in line]
    assert len(errors) == 1, run.stderr
    assert "Traceback" not in run.stderr
    assert run.stdout == b""
    return errors[0]


def test_nothing_listens_there(pynats: Runner) -> None:
    run = pynats("request", "x", "y", server=f"127.0.0.1:{free_port()}", within=2)
    assert run.status == 5
    assert "nothing listens" in one_line(run)
    assert "pynats server run" in run.stderr


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("127.0.0.1:1", "pynats server run --port 1"),
        ("nats://user:pass@localhost:1", "pynats server run --port 1"),
        ("nats://[::1]:1", "pynats server run --host ::1 --port 1"),
        ("ws://127.0.0.1:1", None),
        # An address without brackets takes the port for a part of itself: nothing answers there.
        ("2001:db8::1:4333", "if 4333 is the port: '[2001:db8::1]:4333'"),
        ("2001:db8::cafe", None),
    ],
)
def test_the_hint_names_what_may_be_wrong(pynats: Runner, url: str, hint: str | None) -> None:
    run = pynats("request", "x", "y", "--timeout", "500ms", server=url)
    assert run.status == 5
    assert [line.strip() for line in run.errors if "hint" in line] == ([f"hint: {hint}"] if hint else [])


def test_a_name_that_does_not_resolve(pynats: Runner) -> None:
    run = pynats("request", "x", "y", "--timeout", "3s", server="no-such-host.invalid")
    assert run.status == 5
    assert "no-such-host.invalid" in one_line(run)


@pytest.mark.parametrize(
    "greeting",
    [b"SSH-2.0-OpenSSH_9.6\r\n", b"\x15\x03\x01\x00\x02\x02P", b"INFO 5\r\n", b"INFO nonsense\r\n"],
)
def test_what_is_not_a_nats_server(pynats: Runner, greeting: bytes) -> None:
    with listener(greeting, close=True) as url:
        run = pynats("request", "x", "y", "--timeout", "2s", server=url)
    assert run.status == 5
    assert "NATS" in one_line(run)


def test_a_server_that_says_nothing_is_a_timeout(pynats: Runner) -> None:
    with listener(b"") as url:
        run = pynats("request", "x", "y", "--timeout", "300ms", server=url, within=2)
    assert run.status == 5
    assert "300ms" in one_line(run)


def test_wrong_password_is_refused_and_not_shown(
    pynats: Runner, server_factory: Callable[..., Server]
) -> None:
    server = server_factory('authorization { user: bob, password: "s3cr3t-right" }')
    run = pynats("request", "x", "y", "--user", "bob", "--password", "s3cr3t-wrong", server=server)
    assert run.status == 6
    assert "refused the credentials" in one_line(run)
    url = server.url.replace("//", "//bob:s3cr3t-url@")
    assert pynats("request", "x", "y", "--trace", server=url).status == 6


def test_all_servers_are_tried_once(
    pynats: Runner, nats_server: Server, spawn: Callable[..., Program]
) -> None:
    spawn("reply", "conn.several", "OK", server=nats_server)
    servers = f"127.0.0.1:{free_port()},{nats_server.url}"
    run = pynats("request", "conn.several", "y", server=servers)
    assert (run.status, run.stdout) == (0, b"OK\n")
    both = f"127.0.0.1:{free_port()},127.0.0.1:{free_port()}"
    run = pynats("request", "x", "y", server=both)
    assert run.status == 5
    assert "1 more" in one_line(run)


def test_tls_with_a_private_authority(
    pynats: Runner, server_factory: Callable[..., Server], certificates: Certificates
) -> None:
    server = server_factory(certificates.server_config())
    trusted = pynats("request", "nobody", "y", "--tlsca", str(certificates.ca), server=server)
    assert trusted.status == 3
    untrusted = pynats("request", "nobody", "y", server=server)
    assert untrusted.status == 5
    assert "TLS" in one_line(untrusted)
    assert "--tlsca" in untrusted.stderr
    other = pynats("request", "nobody", "y", "--tlsca", str(certificates.other_ca), server=server)
    assert other.status == 5


def test_tls_files_may_be_pipes(
    pynats: Runner, server_factory: Callable[..., Server], certificates: Certificates, tmp_path: Path
) -> None:
    options = []
    for name, file in {
        "ca": certificates.ca,
        "cert": certificates.client_cert,
        "key": certificates.client_key,
    }.items():
        pipe = tmp_path / name
        os.mkfifo(pipe)
        threading.Thread(target=pipe.write_bytes, args=(file.read_bytes(),), daemon=True).start()
        options += [f"--tls{name}", str(pipe)]
    server = server_factory(certificates.server_config(verify=True))
    assert pynats("request", "nobody", "y", *options, server=server).status == 3


@pytest.mark.parametrize("command", [("request", "x", "y"), ("rtt",)], ids=" ".join)
def test_a_list_without_servers_is_refused(pynats: Runner, command: tuple[str, ...]) -> None:
    run = pynats(*command, "--server", ", ,")
    assert (run.status, run.errors) == (2, ["pynats: error: no server URL (--server)"])


def test_a_plan_shows_no_secret() -> None:
    ready = plan(Settings(user=Value("joe"), password=Value("s3cr3t-planted")), {})
    assert ready.options["password"] == "s3cr3t-planted"
    assert "s3cr3t" not in repr(ready)


def test_what_is_asked_of_a_lost_connection_fails_as_one(server_factory: Callable[..., Server]) -> None:
    server = server_factory()
    environment = Environment.current()

    async def subscribe() -> None:
        ready = plan(Settings(server=Value(server.url)), {})
        async with connected(ready, environment) as connection:
            server.stop()
            await connection.lost
            await connection.client.subscribe("x")

    with pytest.raises(ConnectionFailedError, match="the connection was lost"):
        asyncio.run(subscribe())


@pytest.mark.parametrize("timeout", ["300ms", "20s"])
def test_tls_first_that_is_missing_is_named(
    pynats: Runner, server_factory: Callable[..., Server], certificates: Certificates, timeout: str
) -> None:
    server = server_factory(certificates.server_config(first=True))
    for how in ((), ("--tlsca", str(certificates.ca))):
        run = pynats("request", "x", "y", "--timeout", timeout, *how, server=server)
        assert run.status == 5
        assert "not a NATS server" not in one_line(run)
        assert run.errors[1] == "  hint: --tlsfirst, if the server begins with TLS (handshake_first)"


def test_tls_first_that_is_too_much_is_named(
    pynats: Runner, server_factory: Callable[..., Server], nats_server: Server, certificates: Certificates
) -> None:
    for server in (server_factory(certificates.server_config()), nats_server):
        how = ("--tlsfirst", "--timeout", "500ms", "--tlsca", str(certificates.ca))
        run = pynats("request", "x", "y", *how, server=server)
        assert run.status == 5
        assert run.errors[1].startswith("  hint: without --tlsfirst")


def test_tls_that_is_asked_for_is_never_skipped(
    pynats: Runner, nats_server: Server, certificates: Certificates
) -> None:
    url = nats_server.url.replace("nats:", "tls:")
    for how in (("-s", url), ("-s", nats_server.url, "--tlsca", str(certificates.ca))):
        run = pynats("request", "x", "y", *how)
        assert run.status == 5
        # Without a hint: a server that has sent its INFO does not begin with TLS.
        said = (
            f"TLS was asked for and the server does not offer it ({url if url in how else nats_server.url})"
        )
        assert run.errors == [f"pynats: error: {said}"]


def test_tls_that_is_only_offered_is_used_when_asked_for(
    pynats: Runner, server_factory: Callable[..., Server], certificates: Certificates
) -> None:
    server = server_factory(certificates.server_config() + "allow_non_tls: true\n")
    url = server.url.replace("nats:", "tls:")
    run = pynats("request", "nobody", "y", "--tlsca", str(certificates.ca), "--trace", server=url)
    assert run.status == 3
    assert "TLSv1" in run.stderr


def test_a_file_that_is_not_there_is_found_before_connecting(pynats: Runner) -> None:
    for flags in (
        ["--tlsca", "gone.pem"],
        ["--creds", "gone.creds"],
        ["--nkey", "gone.nk"],
        ["--tlscert", "a.pem"],
    ):
        run = pynats("request", "x", "y", *flags, server="127.0.0.1:1")
        assert run.status == 2, run.stderr
        one_line(run)


def test_tls_files_that_cannot_be_used_are_named(
    pynats: Runner, certificates: Certificates, tmp_path: Path
) -> None:
    key = serialization.load_pem_private_key(certificates.client_key.read_bytes(), None)
    encrypted = tmp_path / "encrypted.pem"
    encrypted.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"s3cr3t-k"),
        )
    )
    cert = str(certificates.client_cert)
    for flags, what in (
        (["--tlscert", cert, "--tlskey", "gone.pem"], "no such file or directory (gone.pem)"),
        (
            ["--tlscert", cert, "--tlskey", str(encrypted)],
            f"cannot use {cert} with {encrypted}: not PEM, or encrypted",
        ),
        (["--tlsca", str(encrypted)], f"cannot use {encrypted}: "),
        (
            ["--tlscert", cert, "--tlskey", str(certificates.server_key)],
            f"cannot use {cert} with {certificates.server_key}: the key is not that of the certificate",
        ),
    ):
        run = pynats("request", "x", "y", *flags, server="127.0.0.1:1")
        assert run.status == 2
        assert what in one_line(run)


def test_the_server_shows_the_connection_name(
    pynats: Runner, spawn: Callable[..., Program], server_factory: Callable[..., Server]
) -> None:
    import urllib.request

    server = server_factory(monitor=True)
    spawn("reply", "conn.name", "OK", "--connection-name", "my-mock", server=server)
    with urllib.request.urlopen(f"{server.monitor_url}/connz") as answer:
        assert b'"name": "my-mock"' in answer.read()


def test_options_after_the_command_win(pynats: Runner, nats_server: Server) -> None:
    run = pynats("--server", "127.0.0.1:1", "request", "nobody", "x", "--server", nats_server.url)
    assert run.status == 3


def test_a_listener_reconnects_to_a_restarted_server(
    pynats: Runner, spawn: Callable[..., Program], server_factory: Callable[..., Server]
) -> None:
    server = server_factory()
    reply = spawn("reply", "conn.again", "OK", server=server)
    server.stop()
    reply.wait_for("Disconnected")
    server.restart()
    reply.wait_for("Reconnected to nats://127.0.0.1")
    assert pynats("request", "conn.again", "x", server=server).stdout == b"OK\n"


def test_each_of_several_servers_gets_its_own_credentials(
    pynats: Runner, spawn: Callable[..., Program], server_factory: Callable[..., Server]
) -> None:
    config = 'authorization {{ user: "{}", password: "{}" }}'
    first, second = (server_factory(config.format(u, f"s3cr3t-p@{u}")) for u in ("a", "b"))
    urls = [s.url.replace("//", f"//{u}:s3cr3t-p%40{u}@") for s, u in ((first, "a"), (second, "b"))]
    reply = spawn("reply", "conn.own", "OK", server=",".join(urls))
    first.stop()
    reply.wait_for("Reconnected")
    assert pynats("request", "conn.own", "x", server=urls[1]).stdout == b"OK\n"
    assert '"a"' not in second.log()


def test_a_server_that_is_discovered_gets_the_credentials_of_the_one_given(
    pynats: Runner, spawn: Callable[..., Program], server_factory: Callable[..., Server]
) -> None:
    port = free_port()
    config = 'authorization {{ user: "a", password: "s3cr3t-p@" }}\ncluster {{ name: c, listen: "127.0.0.1:{}", {} }}'
    first = server_factory(config.format(port, "routes: []"))
    second = server_factory(config.format(-1, f'routes: ["nats://127.0.0.1:{port}"]'))
    url, other = (server.url.replace("//", "//a:s3cr3t-p%40@") for server in (first, second))
    deadline, told = time.monotonic() + 20, b""
    while b":%d" % second.port not in told:  # until the first tells its clients of the second
        assert time.monotonic() < deadline
        with socket.create_connection(("127.0.0.1", first.port)) as raw:
            told = raw.recv(65536)
    reply = spawn("reply", "conn.found", "OK", server=url)
    first.stop()
    reply.wait_for(f"Reconnected to {second.url}")
    assert pynats("request", "conn.found", "x", server=other).stdout == b"OK\n"


@pytest.mark.parametrize("kind", ["hangs up", "answers 502"])
def test_a_websocket_listener_reconnects_whatever_answers_meanwhile(
    pynats: Runner, spawn: Callable[..., Program], server_factory: Callable[..., Server], kind: str
) -> None:
    port = free_port()
    server = server_factory(f"websocket {{ host: 127.0.0.1, port: {port}, no_tls: true }}")
    reply = spawn("reply", "conn.ws", "OK", "--trace", server=f"ws://127.0.0.1:{port}")
    server.stop()
    with socket.create_server(("127.0.0.1", port)) as proxy:  # as one in front of a server that starts
        for _ in range(2):
            with proxy.accept()[0] as asking:
                if kind == "answers 502":
                    asking.recv(65536)
                    asking.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
    server.start()
    reply.wait_for("Reconnected")
    assert pynats("request", "conn.ws", "x", server=server).stdout == b"OK\n"


def test_a_very_long_reply_subject_does_not_end_a_responder(
    pynats: Runner, spawn: Callable[..., Program], nats_server: Server
) -> None:
    reply = spawn("reply", "e", "y" * 100_000, server=nats_server)
    with socket.create_connection(("127.0.0.1", nats_server.port)) as raw:
        # The server takes 4096 bytes of a control line: this one, and not that of the reply with its longer size.
        raw.sendall(b"CONNECT {}\r\nPUB e %b 1\r\nx\r\nPING\r\n" % (b"r" * 4091))
        reply.wait_for("[#0] the reply has a subject of 4091 bytes")
    assert "Disconnected" not in reply.stderr_text()
    assert pynats("request", "e", "x", server=nats_server).status == 0


def test_replies_that_were_lost_while_there_was_no_connection_are_counted(
    spawn: Callable[..., Program], server_factory: Callable[..., Server]
) -> None:
    server = server_factory()
    reply = spawn("reply", "lost", "y" * 100_000, "--sleep", "1s", "--json", server=server)
    with Asker(server) as asker:
        os.kill(reply.pid, signal.SIGSTOP)
        asker.send("lost", *[b"x"] * 100)
        asker.ask("nobody", b"")  # so the server has them
        time.sleep(0.3)
    server.stop()
    os.kill(reply.pid, signal.SIGCONT)
    reply.wait_for("Disconnected")
    reply.wait_until(lambda: reply.stdout_bytes().count(b"\n") == 100, "replies")
    server.start()
    reply.wait_for("replies were lost while there was no connection")


def test_a_refusal_when_reconnecting_is_reported_once(
    spawn: Callable[..., Program], server_factory: Callable[..., Server]
) -> None:
    config = 'authorization {{ user: a, password: "{}" }}'
    server = server_factory(config.format("s3cr3t-1"))
    reply = spawn("reply", "x", "y", "--user", "a", "--password", "s3cr3t-1", server=server)
    server.restart(config.format("s3cr3t-2"))
    reply.wait_for("still trying")
    tries = server.log().count("authentication error")
    reply.wait_until(lambda: server.log().count("authentication error") > tries + 2, "more tries")
    assert reply.stderr_text().count("still trying") == 1


def test_a_permission_that_is_missing_is_refused_at_once(
    pynats: Runner, server_factory: Callable[..., Server]
) -> None:
    permissions = '{publish: "ok", subscribe: "_INBOX.>"}'
    server = server_factory(
        f'authorization {{ users: [{{user: a, password: "s3cr3t-a", permissions: {permissions}}}] }}'
    )
    flags = ["--user", "a", "--password", "s3cr3t-a"]
    run = pynats("request", "secret.subject", "x", *flags, server=server, within=3)
    assert run.status == 6
    assert "secret.subject" in one_line(run)
    assert "Permissions Violation" in one_line(run)  # as the server says it: subjects are case-sensitive
    assert pynats("request", "ok", "x", *flags, server=server).status == 3
    run = pynats("reply", "secret.subject", "x", *flags, server=server)
    assert run.status == 6
    assert "Listening" not in run.stderr


def test_an_inbox_prefix_is_used_where_only_it_is_permitted(
    pynats: Runner, server_factory: Callable[..., Server]
) -> None:
    server = server_factory(
        'authorization { users: [{user: a, password: "s3cr3t-a", permissions: {subscribe: "_PRIV.a.>"}}] }'
    )
    flags = ["--user", "a", "--password", "s3cr3t-a"]
    assert pynats("request", "x", "y", *flags, server=server).status == 6
    assert pynats("request", "x", "y", *flags, "--inbox-prefix", "_PRIV.a", server=server).status == 3
    assert pynats("request", "x", "y", "--inbox-prefix", "a b", server=server).status == 2


def test_trace_shows_more_but_no_secret(pynats: Runner, server_factory: Callable[..., Server]) -> None:
    server = server_factory('authorization { token: "s3cr3t-token" }')
    run = pynats("request", "nobody", "y", "--token", "s3cr3t-token", "--trace", server=server)
    assert run.status == 3
    assert "trace: connected to nats://127.0.0.1" in run.stderr


def test_a_unix_home_without_a_config_folder_is_fine(
    pynats: Runner, nats_server: Server, tmp_path: Path
) -> None:
    run = pynats(
        "request", "nobody", "y", server=nats_server, env={"XDG_CONFIG_HOME": str(tmp_path / "none")}
    )
    assert run.status == 3


@pytest.mark.parametrize("subject", ["authentication.login", "my.subscription.authorization"])
def test_a_refusal_is_one_whatever_the_subject_is_called(
    pynats: Runner, server_factory: Callable[..., Server], subject: str
) -> None:
    permissions = f'{{publish: {{deny: ["{subject}"]}}}}'
    server = server_factory(
        f'authorization {{ users: [{{user: a, password: "s3cr3t-a", permissions: {permissions}}}] }}'
    )
    flags = ("--user", "a", "--password", "s3cr3t-a", "--count", "3")
    run = pynats("request", subject, "x", *flags, server=server, within=3)
    assert run.status == 6
    assert run.stderr.count(f'"{subject}"') == 3


@pytest.mark.parametrize(
    ("password", "written"), [("s3cr3t-p@ss:w", "s3cr3t-p%40ss%3Aw"), ("s3cr3t-p,w", "s3cr3t-p,w")]
)
def test_credentials_in_a_url_may_be_escaped_and_hold_commas(
    pynats: Runner, server_factory: Callable[..., Server], password: str, written: str
) -> None:
    server = server_factory(f'authorization {{ user: a, password: "{password}" }}')
    url = server.url.replace("//", f"//a:{written}@")
    assert pynats("request", "nobody", "x", "--trace", server=f"{url},127.0.0.1:1").status == 3
    quoted = url.replace(written, "s3cr3t-'x\"")
    assert pynats("request", "nobody", "x", "--trace", server=quoted).status == 6


def test_an_odd_subject_does_not_disturb_a_responder(
    pynats: Runner, spawn: Callable[..., Program], nats_server: Server
) -> None:
    reply = spawn("reply", "conn.odd.>", "OK", server=nats_server)
    with socket.create_connection(("127.0.0.1", nats_server.port)) as raw:
        raw.sendall(b"CONNECT {}\r\nPUB conn.odd.a\x0bb conn.inbox 2\r\nhi\r\nPING\r\n")
        received = b""
        while b"PONG" not in received:
            received += raw.recv(4096)
    reply.wait_for("a\x0bb")
    assert pynats("request", "conn.odd.x", "x", server=nats_server).stdout == b"OK\n"
    assert "Disconnected" not in reply.stderr_text()


def test_no_context_and_context_the_later_one_wins(pynats: Runner, nats_server: Server) -> None:
    assert pynats("context", "add", "away", "--server", "127.0.0.1:1").status == 0
    flags = ["request", "nobody", "x"]
    assert pynats("--context", "away", *flags, "--no-context", server=None).status in (3, 5)
    run = pynats("--no-context", *flags, "--context", "away")
    assert "127.0.0.1:1" in run.stderr
    run = pynats("--context", "away", *flags, "--no-context")
    assert "127.0.0.1:1)" not in run.stderr


def test_a_name_that_resolves_slowly_does_not_hold_up_the_end(pynats: Runner, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import socket, time\nsocket.getaddrinfo = lambda *a, **k: time.sleep(20)\n"
    )
    run = pynats(
        "request", "x", "y", "--timeout", "500ms", server="host.example", env={"PYTHONPATH": str(tmp_path)}
    )
    assert run.status == 5
    assert run.seconds < 5


def test_a_selection_that_names_nothing_is_said_with_the_fix(
    pynats: Runner, nats_server: Server, config_home: Path
) -> None:
    (config_home / "nats").mkdir()
    (config_home / "nats" / "context.txt").write_text("../x")
    run = pynats("request", "x", "y", server=nats_server)
    assert run.status == 2
    assert "pynats context unselect" in run.stderr
    assert pynats("context", "ls").status == 0
    assert pynats("context", "unselect").status == 0
    assert pynats("request", "nobody", "y", server=nats_server).status == 3


def test_the_api_works_without_real_streams(nats_server: Server) -> None:
    import contextlib
    import io

    import natscli

    with contextlib.redirect_stdout(io.StringIO()):
        assert natscli.load_context(server="a").servers == ["nats://a:4222"]


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (
            nats_errors.Error("nats: maximum connections exceeded"),
            "the server reported: maximum connections exceeded",
        ),
        (KeyError("oops"), "cannot connect: oops"),
        (KeyError(), "cannot connect: KeyError"),
    ],
)
def test_only_what_the_server_said_is_reported_as_its_words(error: Exception, what: str) -> None:
    assert classify(error, "nats://a:1").what == what


def test_the_port_of_the_other_protocol_is_said_to_be_it(
    pynats: Runner, server_factory: Callable[..., Server]
) -> None:
    port = free_port()
    server = server_factory(f"websocket {{ port: {port}, host: 127.0.0.1, no_tls: true }}")
    wrong = pynats("request", "x", "y", server=f"ws://127.0.0.1:{server.port}")
    assert (wrong.status, wrong.errors) == (
        5,
        [
            f"pynats: error: the port is that of nats://, not of ws:// (ws://127.0.0.1:{server.port})",
            f"  hint: nats://127.0.0.1:{server.port}",
        ],
    )
    wrong = pynats("request", "x", "y", "--timeout", "500ms", server=f"127.0.0.1:{port}")
    assert wrong.status == 5
    assert "speaks HTTP, as the WebSocket port of a server does" in wrong.errors[0]
    assert wrong.errors[1] == f"  hint: ws://127.0.0.1:{port}, if it is that"


@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize("kind", ["route", "leaf node", "gateway"])
def test_a_port_that_servers_connect_to_is_none_for_clients(
    kind: str, scheme: str, pynats: Runner, server_factory: Callable[..., Server]
) -> None:
    port, listens = free_port(), "listen: 127.0.0.1"
    server_factory(
        {
            "route": f"cluster {{ name: c, {listens}:{port} }}",
            "leaf node": f"leafnodes {{ {listens}:{port} }}",
            "gateway": f"gateway {{ name: g, {listens}:{port} }}\naccounts {{ SYS {{}} }}\nsystem_account: SYS",
        }[kind]
    )
    url = f"{scheme}://127.0.0.1:{port}"
    wrong = pynats("request", "x", "y", server=url)
    what = f"pynats: error: the port is one that other servers connect to, not clients ({url})"
    assert (wrong.status, wrong.errors) == (5, [what])


@pytest.mark.parametrize("first", [False, True], ids=["", "tls first"])
def test_the_port_of_the_other_protocol_with_tls_is_said_to_be_it(
    first: bool, pynats: Runner, server_factory: Callable[..., Server], certificates: Certificates
) -> None:
    port, tls = free_port(), certificates.server_config(first=first)
    listen = f"websocket {{ port: {port}, host: 127.0.0.1\n{certificates.server_config()} }}\n"
    server = server_factory(tls + listen)
    trust, here = ("--tlsca", str(certificates.ca)), "127.0.0.1"

    def told(url: str, *options: str) -> list[str]:
        run = pynats("rtt", *options, server=url)
        assert run.status == 5
        return run.errors

    nats_port = f"{here}:{server.port}"
    assert told(f"wss://{nats_port}", *trust) == [
        f"pynats: error: the port is that of tls://, not of wss:// (wss://{nats_port})",
        f"  hint: tls://{nats_port}" + (" with --tlsfirst" if first else ""),
    ]
    assert told(f"ws://{here}:{port}") == [
        f"pynats: error: the port is that of wss://, not of ws:// (ws://{here}:{port})",
        f"  hint: wss://{here}:{port}",
    ]
    for scheme, options in (("nats", ()), ("tls", ()), ("tls", (*trust, "--tlsfirst"))):
        url = f"{scheme}://{here}:{port}"
        assert told(url, "--timeout", "500ms", *options) == [
            f"pynats: error: what listens there speaks HTTP with TLS, as the WebSocket port of a server does ({url})",
            f"  hint: wss://{here}:{port}, if it is that",
        ]


def test_the_port_of_the_other_protocol_without_tls_is_said_to_be_it(
    pynats: Runner, server_factory: Callable[..., Server], certificates: Certificates
) -> None:
    port = free_port()
    server = server_factory(f"websocket {{ port: {port}, host: 127.0.0.1, no_tls: true }}")
    wrong = pynats("rtt", server=f"wss://127.0.0.1:{server.port}")
    assert (wrong.status, wrong.errors) == (
        5,
        [
            f"pynats: error: the port is that of nats://, not of wss:// (wss://127.0.0.1:{server.port})",
            f"  hint: nats://127.0.0.1:{server.port}",
        ],
    )
    wrong = pynats("rtt", server=f"wss://127.0.0.1:{port}")
    assert (wrong.status, wrong.errors) == (
        5,
        [f"pynats: error: the server there does not use TLS (wss://127.0.0.1:{port})"],
    )
    for options in ((), ("--tlsca", str(certificates.ca), "--tlsfirst")):
        wrong = pynats("rtt", "--timeout", "500ms", *options, server=f"tls://127.0.0.1:{port}")
        assert wrong.status == 5
        assert wrong.errors[1] == f"  hint: ws://127.0.0.1:{port}, if it is that"


def test_what_refuses_a_websocket_is_quoted_in_a_few_words(pynats: Runner) -> None:
    with listener(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n") as place:
        run = pynats("rtt", server=f"ws://{place}")
    assert run.status == 5
    assert run.errors == [
        f"pynats: error: no WebSocket connection: invalid response status (HTTP 502) (ws://{place})"
    ]
