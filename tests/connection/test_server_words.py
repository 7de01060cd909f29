"""A connection that ends under a command: what the server said of it, and its status, are the same everywhere."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.asking import Asker
from tests.certificates import Certificates
from tests.odd_servers import answer, ending_at_publish, info, odd_server
from tests.program import Program, Runner
from tests.servers import Server, free_port

ASKING = {
    "request": ("request", "a", "x"),
    "request again": ("request", "a", "x", "--retries", "2"),
    "publish": ("publish", "a", "x"),
    "trace": ("trace", "a"),
    "verify": ("verify", "{cases}"),
    "service": ("service", "ls"),
    "roll call": ("request", "a", "x", "--replies", "2", "--expect-service", "s"),
}
PERMANENT = [b"maximum control line exceeded", b"Maximum Payload Violation", b"Invalid Publish Subject"]


@pytest.fixture
def cases(tmp_path: Path) -> str:
    """A file with an exchange to verify."""
    file = tmp_path / "cases.jsonl"
    file.write_text(json.dumps({"subject": "a", "request": {"data": "x"}, "reply": {"data": "y"}}) + "\n")
    return str(file)


def run(pynats: Runner, command: str, cases: str, url: str) -> tuple[int, list[str]]:
    """The status of a command, and what it says is wrong. It waits for nothing that cannot come any more."""
    arguments = [word.format(cases=cases) for word in ASKING[command]]
    done = pynats(*arguments, "--timeout", "10s", server=url, within=8)
    return done.status, [line for line in done.errors if "error: " in line]


@pytest.mark.parametrize("command", ASKING)
def test_what_the_server_says_of_the_message_is_permanent(pynats: Runner, cases: str, command: str) -> None:
    for words in PERMANENT:
        with odd_server(ending_at_publish(words)) as server:
            status, errors = run(pynats, command, cases, server.url)
            assert status == 2, errors
            assert errors == [f"pynats: error: the server reported: {words.decode()} ({server.url})"]
            assert len(server.times) == 1


@pytest.mark.parametrize("command", [name for name in ASKING if name != "request again"])
def test_a_connection_that_ends_is_lost_and_no_timeout(pynats: Runner, cases: str, command: str) -> None:
    with odd_server(ending_at_publish(b"")) as server:
        status, [error] = run(pynats, command, cases, server.url)
    assert status == 5
    assert "the connection was lost" in error


def test_a_login_that_came_too_late_is_no_refusal(pynats: Runner, cases: str) -> None:
    def serve(client: socket.socket, number: int) -> None:
        client.sendall(info())
        client.recv(65536)
        client.sendall(b"-ERR 'Authentication Timeout'\r\n")

    with odd_server(serve) as server:
        status, [error] = run(pynats, "request", cases, server.url)
    assert status == 5
    assert error.lower() == f"pynats: error: the server reported: authentication timeout ({server.url})"


@pytest.mark.parametrize("transport", ["nats", "ws"])
def test_a_trace_of_a_subject_that_is_too_long_ends_at_once(
    pynats: Runner, server_factory: Callable[..., Server], transport: str
) -> None:
    port = free_port()
    web = f"websocket {{ host: 127.0.0.1, port: {port}, no_tls: true }}"
    server = server_factory(f"max_control_line: 2000\n{web}")
    url = server.url if transport == "nats" else f"ws://127.0.0.1:{port}"
    done = pynats("trace", "svc." + "a" * 2500, "--timeout", "10s", server=url, within=8)
    assert done.status == 2
    assert done.errors == [f"pynats: error: the server reported: maximum control line exceeded ({url})"]


@pytest.mark.parametrize("words", PERMANENT[1:])
def test_what_the_server_says_of_a_reply_ends_no_listener(
    spawn: Callable[..., Program], words: bytes
) -> None:
    """Who asked chose the subject of the reply."""

    def serve(client: socket.socket, number: int) -> None:
        client.sendall(info())
        heard, subscribed = b"", None
        while not subscribed:
            heard += (data := client.recv(65536))
            client.sendall(b"PONG\r\n" * data.count(b"PING\r\n"))
            subscribed = re.search(rb"SUB svc\.a (?:\S+ )?(\d+)\r\n", heard)
        if number == 1:
            client.sendall(b"MSG svc.a %b a.b 1\r\nx\r\n" % subscribed[1])
            answer(client, until=b"PUB ")
            client.sendall(b"-ERR '%s'\r\n" % words)
        else:
            answer(client)

    with odd_server(serve) as server:
        responder = spawn("reply", "svc.a", "y", server=server.url)
        responder.wait_for("Reconnected to")
        assert responder.stop() == 0


@pytest.mark.parametrize("transport", ["nats", "tls", "ws"])
def test_one_who_publishes_much_reads_why_the_server_closes(
    pynats: Runner, server_factory: Callable[..., Server], certificates: Certificates, transport: str
) -> None:
    port = free_port()
    web = f"websocket {{ host: 127.0.0.1, port: {port}, no_tls: true }}"
    tls = ("--tlsca", str(certificates.ca)) if transport == "tls" else ()
    server = server_factory("max_control_line: 2000\n" + (certificates.server_config() if tls else web))
    url = f"ws://127.0.0.1:{port}" if transport == "ws" else server.url
    done = pynats("publish", "svc." + "a" * 2500, "x" * 200, "--count", "100000", *tls, server=url)
    assert done.status == 2
    assert "the server reported: maximum control line exceeded" in done.stderr


def test_server_check_says_what_ended_the_connection(pynats: Runner) -> None:
    with odd_server(ending_at_publish(b"Maximum Payload Violation")) as server:
        done = pynats("server", "check", "connection", "--timeout", "10s", server=server.url, within=8)
    assert done.status == 2
    assert "Maximum Payload Violation" in done.text


# -- max_payload, made smaller by a reload -----------------------------------------------------------------------

LARGE, SMALL = "max_payload: 1000\n", "max_payload: 300\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("publish", "{}", "--count", "300", "--sleep", "20ms"),
        ("publish", "{}", "--count", "100000000"),  # more than can be written when the server has closed
        ("request", "{}", "--rate", "20", "--count", "300", "--fail-fast"),
        ("request", "{}", "--rate", "20", "--count", "300", "--fail-fast", "--retries", "2"),
    ],
    ids=["publish", "publish fast", "request", "request again"],
)
def test_a_message_that_became_too_large_is_status_2_with_the_words_of_the_server(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], arguments: tuple[str, ...]
) -> None:
    server = server_factory(LARGE)
    with Asker(server) as asker:
        asker.listen("svc.a")
        command, _, *rest = arguments
        program = spawn(command, "svc.a", "x" * 500, *rest, server=server)
        asker.request()
    server.reload(SMALL)
    assert program.wait() == 2
    # Some servers tell the new limit before they enforce it.
    said, known = "the server reported: Maximum Payload Violation", "has 500 bytes, the server takes 300"
    assert said in program.stderr_text() or known in program.stderr_text()
    assert "Reconnected" not in program.stderr_text()


def test_a_reply_that_became_too_large_ends_no_listener(
    spawn: Callable[..., Program], server_factory: Callable[..., Server]
) -> None:
    server = server_factory(LARGE)
    responder = spawn("reply", "svc.a", "y" * 500, server=server)
    with Asker(server) as asker:
        assert len(asker.ask("svc.a", b"x")[0].payload) == 500
    server.reload(SMALL)
    with Asker(server) as asker:
        asker.send("svc.a", b"x")
        if not asker.receive(1, timeout=1):  # it was lost with the connection
            responder.wait_for("Reconnected to")
            asker.send("svc.a", b"x")
            [answer] = asker.receive(1)
            assert b"500" in answer.header
    assert responder.stop() == 0
