"""A connection that is made again may be to a server that takes less: what waited for it, and what comes after."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex

import pytest

from tests.asking import Asker
from tests.program import Program, Runner
from tests.servers import Server, free_port

#: Answers with the request, once there is a file.
UNTIL = "sh -c 'until [ -e {} ]; do sleep 0.02; done; cat'"


def without_a_server(
    reply: Program, server: Server, go: Path, replies: int, *payloads: bytes, header: bytes = b""
) -> None:
    """Have `reply` get requests for a, with replies to box, and be done with them when there is no server."""
    with Asker(server) as asker:
        asker.send("a", *payloads, header=header, reply=b"box")
        asker.ask("b", b"so the first have come")
        server.stop()
    reply.wait_for("Disconnected")
    go.touch()
    reply.wait_until(lambda: reply.stdout_bytes().count(b'"request"') >= replies, "answers")


def after(reply: Program, server: Server, config: str, spawn: Callable[..., Program]) -> Program:
    """What sees the replies, from before `reply` is there again."""
    os.kill(reply.pid, signal.SIGSTOP)
    server.restart(config)
    box = spawn("subscribe", "box", "--json", server=server, ready="Subscribed")
    os.kill(reply.pid, signal.SIGCONT)
    reply.wait_for("Reconnected")
    return box


@pytest.fixture(params=["nats", "ws"])
def place(request: pytest.FixtureRequest) -> tuple[str, Callable[[Server], str]]:
    """More configuration of a server, and how to connect to it, for each transport."""
    if request.param == "nats":
        return "", lambda server: server.url
    port = free_port()
    config = f"websocket {{ host: 127.0.0.1, port: {port}, no_tls: true }}\n"
    return config, lambda _: f"ws://127.0.0.1:{port}"


def test_a_reply_that_waited_and_does_not_fit_is_an_error(
    place: tuple[str, Callable[[Server], str]], pynats: Runner, spawn: Callable[..., Program],
    server_factory: Callable[..., Server], tmp_path: Path,
) -> None:  # fmt: skip
    more, url = place
    server, go = server_factory(more), tmp_path / "go"
    spawn("reply", "b", "OK", server=server)
    reply = spawn("reply", "a", "--command", UNTIL.format(go), "--json", "-s", url(server))
    without_a_server(reply, server, go, 3, b"short", b"x" * 300, b"also short")
    box = after(reply, server, more + "max_payload: 200", spawn)
    reply.wait_for(
        "replies that waited for a connection, and do not fit: 1, the first has 300 bytes, the server"
    )
    box.wait_until(lambda: box.stdout_bytes().count(b"\n") == 3, "replies")
    came = [json.loads(line) for line in box.stdout_bytes().splitlines()]
    assert sorted(message.get("data", "") for message in came) == ["", "also short", "short"]
    failed = next(message for message in came if not message.get("data"))
    assert failed["headers"]["Nats-Service-Error-Code"] == ["500"]
    assert failed["headers"]["Nats-Service-Error"] == ["the reply has 300 bytes, the server takes 200"]
    assert pynats("request", "a", "still there", server=server).stdout == b"still there\n"
    assert reply.stop() == 0
    assert reply.stderr_text().count("Disconnected") == 1
    assert '"errors": 1,' in reply.stderr_text()


def test_a_server_without_headers_is_said_when_it_is_another(
    place: tuple[str, Callable[[Server], str]], pynats: Runner, spawn: Callable[..., Program],
    server_factory: Callable[..., Server], tmp_path: Path,
) -> None:  # fmt: skip
    more, url = place
    server, go = server_factory(more), tmp_path / "go"
    spawn("reply", "b", "OK", server=server)
    command = UNTIL.format(go)[:-1] + "; [ $NATS_REQUEST_BODY != fail ]'"
    reply = spawn("reply", "a", "--command", command, "-H", "A: b", "--json", "-s", url(server))
    without_a_server(reply, server, go, 2, b"x", b"fail")
    assert "does not support headers" not in reply.stderr_text()
    box = after(reply, server, more + "no_header_support: true", spawn)
    reply.wait_for("does not support headers")
    reply.wait_for(
        "replies that waited for a connection, and do not fit: 1, the first has headers, the server"
    )
    box.wait_until(lambda: b"\n" in box.stdout_bytes(), "the reply")
    assert json.loads(box.stdout_bytes())["data"] == "x"
    assert pynats("request", "a", "y", server=server).stdout == b"y\n"
    assert reply.stop() == 0
    assert reply.stderr_text().count("Disconnected") == 1
    assert '"undelivered": 1,' in reply.stderr_text()


@pytest.mark.parametrize("more", [("--upstream", "service.of.a.long.name.{{1}}"),
                                  ("--upstream", "$JS.API.CONSUMER.MSG.NEXT.S.{{1}}"),
                                  ("--upstream", "ok", "--candidate", "service.of.a.long.name.{{1}}"),
                                  ("--upstream", "ok", "--candidate", "$JS.API.CONSUMER.MSG.NEXT.S.{{1}}")],
                         ids=["upstream", "upstream that pulls", "candidate", "candidate that pulls"])  # fmt: skip
def test_a_subject_that_is_too_long_where_it_is_passed_on_to_does_not_end_a_proxy(
    spawn: Callable[..., Program], nats_server: Server, more: tuple[str, ...]
) -> None:
    name = token_hex(3)
    spawn("reply", f"ok.{name}", "OK", server=nats_server)
    reply = spawn("reply", f"{name}.*", *(f"ok.{name}" if w == "ok" else w for w in more), server=nats_server)
    with Asker(nats_server) as asker:
        size = 4096 - len(f"{name}.  1") - 40
        (answer,) = asker.ask(f"{name}.{'x' * size}", b"1")
        if more[1] == "ok":
            assert answer.payload == b"OK"
        else:
            assert b"Code: 500" in answer.header
            assert b"does not fit into max_control_line" in answer.header
        asker.ask(f"{name}.short", b"1")
    assert reply.stop() == 0
    assert "maximum control line" not in reply.stderr_text()
    assert ("1 not asked" in reply.stderr_text()) is (more[1] == "ok")


def test_what_an_upstream_may_not_get_because_it_is_too_large_is_an_error(
    spawn: Callable[..., Program], server_factory: Callable[..., Server]
) -> None:
    server = server_factory(
        'accounts { A { limits { max_payload: 1000 }, imports: [{ service: { account: B, subject: "x" } }], '
        'users: [{user: u, password: "s3cr3t-u"}], exports: [{ service: "a" }] }, '
        'B { users: [{user: v, password: "s3cr3t-v"}], imports: [{ service: { account: A, subject: "a" } }], '
        'exports: [{ service: "x" }] } }'
    )
    reply = spawn("reply", "a", "--upstream", "x", "--user", "u", "--password", "s3cr3t-u", server=server)
    with Asker(server, user="v", **{"pass": "s3cr3t-v"}) as asker:
        (answer,) = asker.ask("a", b"x" * 2000)
        # With a header that the server has added.
        assert re.search(
            rb"Error: the request for \[x\] has 20\d\d bytes, the server takes 1000", answer.header
        )
    assert reply.stop() == 0
    assert "Disconnected" not in reply.stderr_text()


def test_a_requester_that_cannot_be_told_of_missing_responders_does_not_end_a_watch(
    spawn: Callable[..., Program], server_factory: Callable[..., Server]
) -> None:
    server, name = server_factory(), "w"
    watch = spawn("watch", name, "--answer-no-responders", "--timeout", "1s", "--json", "--count", "2",
                  server=server, ready="Watching")  # fmt: skip
    with Asker(server) as asker:
        # The line of the answer is longer than that of the request, with two sizes.
        asker.send(name, b"1", reply=b"_INBOX." + b"r" * (4096 - len(f"{name} _INBOX. 1")))
        (told,) = asker.ask(name, b"2")
        assert told.header.startswith(b"NATS/1.0 503")
    assert watch.wait() == 0
    assert "maximum control line" not in watch.stderr_text()
