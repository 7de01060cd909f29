"""How `pynats request` ends: its exit status and the one line that says why."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from natscli.connection.connect import connected
from natscli.connection.nearest import hint, who_listens
from natscli.connection.options import plan
from natscli.environment import Environment
from natscli.message import headers
from natscli.settings import Settings, Value
from natscli.wire.client import DIFFERENCES
from tests.program import Program, Run, Runner
from tests.request.responders import Answer, Responders, silent
from tests.servers import Server, process_exists

Ask = Callable[..., Run]


def test_an_answered_request_exits_0(ask: Ask, responders: Responders) -> None:
    run = ask(responders(), "hi")
    assert (run.status, run.stdout) == (0, b"hi\n")
    sending, received = run.errors
    assert "Sending request on [t." in sending
    assert "Received with rtt " in received


def test_no_responders_exits_3(ask: Ask) -> None:
    run = ask("nobody.home", "x")
    assert (run.status, run.stdout) == (3, b"")
    assert run.errors[-1] == "pynats: error: no responders (nobody.home)"


def test_a_silent_subscriber_exits_4(ask: Ask, responders: Responders) -> None:
    subject = responders(silent)
    run = ask(subject, "x", "--timeout", "150ms")
    assert (run.status, run.stdout) == (4, b"")
    assert run.errors[-1] == f"pynats: error: timeout: no reply within 150ms ({subject})"


def test_no_server_exits_5_in_under_a_second(pynats: Runner) -> None:
    run = pynats("request", "s", "x", "--json", server="nats://127.0.0.1:1", within=1)
    assert run.status == 5
    assert [{**record, "time": ""} for record in run.objects] == [
        {"time": "", "subject": "s", "request": 0, "error": "connection", "status": 5,
         "message": "nothing listens there (nats://127.0.0.1:1)"}
    ]  # fmt: skip


def test_refused_credentials_exit_6(pynats: Runner, server_factory: Callable[..., Server]) -> None:
    server = server_factory("authorization { user: u, password: right }")
    run = pynats("request", "s", "x", "--user", "u", "--password", "s3cr3t-wrong", server=server)
    assert run.status == 6
    assert "refused the credentials" in run.errors[-2]


PERMISSIONS = """
authorization { users: [
  { user: u, password: p, permissions: { publish: { deny: ["denied.>"] } } }
  { user: deaf, password: p, permissions: { subscribe: { deny: [">"] } } }
] }
"""


def test_a_subject_that_is_not_permitted_exits_6(
    pynats: Runner, server_factory: Callable[..., Server]
) -> None:
    server = server_factory(PERMISSIONS)
    login = ("--user", "u", "--password", "p", "--timeout", "20s")
    run = pynats("request", "denied.A{{Count}}", "x", "--count", "2", "--json", *login, server=server)
    assert (run.status, run.seconds < 10) == (6, True)
    assert [found["error"] for found in run.objects] == ["refused", "refused"]
    assert [found["request"] for found in run.objects] == [1, 2]
    reason = 'Publish to "denied.A1"'
    assert (reason.lower() if DIFFERENCES else reason) in run.stderr
    assert "Sent 2, answered 0, failed 2 (2 refused)" in run.errors[-1]


def test_an_inbox_that_is_not_permitted_exits_6_at_once(
    pynats: Runner, server_factory: Callable[..., Server]
) -> None:
    server = server_factory(PERMISSIONS)
    login = ("--user", "deaf", "--password", "p", "--timeout", "20s")
    run = pynats("request", "s", "x", "--count", "3", *login, server=server)
    assert (run.status, run.seconds < 10) == (6, True)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (headers.service_error("it broke", 500), "the service answered with error 500: it broke"),
        (b"NATS/1.0\r\nNats-Service-Error: x\r\n\r\n", "the service answered with error: x"),
        (b"NATS/1.0\r\nNATS-SERVICE-ERROR-CODE: 42\r\n\r\n", "the service answered with error 42"),
    ],
)
def test_a_service_error_exits_7_and_is_shown(
    ask: Ask, responders: Responders, block: bytes, message: str
) -> None:
    subject = responders(lambda request: [Answer(b"details", block)])
    run = ask(subject, "x")
    assert (run.status, run.stdout) == (7, b"details\n")
    assert run.errors[-1] == f"pynats: error: {message} ({subject})"


def test_a_failing_command_exits_7(ask: Ask, spawn: Callable[..., Program], nats_server: Server) -> None:
    spawn("reply", "t.failing", "--command", "sh -c 'echo oops; exit 3'", server=nats_server)
    run = ask("t.failing", "x")
    assert (run.status, run.stdout) == (7, b"oops\n")


def test_a_service_error_can_drive_no_terminal(ask: Ask, responders: Responders) -> None:
    block = "NATS/1.0\r\nNats-Service-Error: a\x1b[2J\u202e\x9b\r\n\r\n".encode()
    run = ask(responders(lambda request: [Answer(b"", block)]), "x")
    assert run.status == 7
    assert "a\\x1b[2J\\u202e\\x9b" in run.errors[-1]
    assert run.stderr.replace("µ", "").isascii()
    assert "\x1b" not in run.stderr


def test_a_lost_connection_exits_5_promptly(
    spawn: Callable[..., Program],
    server_factory: Callable[..., Server],
    responders_on: Callable[..., Responders],
) -> None:
    server = server_factory()
    responders = responders_on(server)
    arguments = ("--json", "--count", "5", "--concurrency", "2", "--timeout", "60s")
    program = spawn("request", responders(silent), "x", *arguments, server=server)
    program.wait_until(lambda: len(responders.requests) == 2, "two requests")
    start = time.monotonic()
    server.stop()
    assert program.wait() == 5
    assert time.monotonic() - start < 10
    found = [json.loads(line) for line in program.stdout_bytes().splitlines()]
    assert [(one["error"], one["request"]) for one in found] == [("connection", 1), ("connection", 2)]
    lines = program.stderr_text().splitlines()
    assert len([line for line in lines if "error: [2 requests] the connection was lost" in line]) == 1
    assert lines[-1] == "Sent 2, answered 0, failed 2 (2 connection)"


def test_a_connection_lost_between_lines_exits_5(
    spawn: Callable[..., Program],
    server_factory: Callable[..., Server],
    responders_on: Callable[..., Responders],
) -> None:
    server = server_factory()
    responders = responders_on(server)
    program = spawn("request", responders(), "--send-on", "newline", server=server, stdin=-1)
    program.stdin.write(b"1\n")
    program.stdin.flush()
    program.wait_for("Received with rtt")
    server.stop()
    assert program.wait() == 5
    assert program.stderr_text().count("the connection was lost") == 1


def test_the_first_failure_gives_the_status(
    spawn: Callable[..., Program],
    server_factory: Callable[..., Server],
    responders_on: Callable[..., Responders],
) -> None:
    server = server_factory()
    responders = responders_on(server)
    program = spawn("request", responders(silent), "x", "--count", "50", "--timeout", "300ms", server=server)
    program.wait_for("timeout: no reply")
    server.stop()
    assert program.wait() == 4
    summary = "Sent 2, answered 0, failed 2 (1 timeout, 1 connection)"
    assert [line for line in program.stderr_text().splitlines() if "error" not in line][-1] == summary
    assert program.stderr_text().count("the connection was lost") == 1


def test_a_lost_connection_knows_nobody_who_might_be_meant(server_factory: Callable[..., Server]) -> None:
    server, environment = server_factory(), Environment.current()

    async def ask() -> tuple[str, str]:
        async with connected(plan(Settings(server=Value(server.url)), {}), environment) as connection:
            server.stop()
            await connection.lost
            return await hint(connection, "x", ""), await who_listens(connection, "x", all_clients=True)

    assert asyncio.run(ask()) == (f"nobody subscribes to it on {server.url}", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("arguments", [(), ("--count", "9"), ("--send-on", "newline")])
def test_ctrl_c_exits_130(
    spawn: Callable[..., Program],
    nats_server: Server,
    responders: Responders,
    arguments: tuple[str, ...],
    number: int,
) -> None:
    body = () if "newline" in arguments else ("x",)
    program = spawn("request", responders(silent), *body, *arguments, server=nats_server, stdin=-1)
    if "newline" in arguments:
        program.stdin.write(b"1\n")
        program.stdin.flush()
    program.wait_until(lambda: len(responders.requests) == 1, "a request")
    start = time.monotonic()
    program.send_signal(number)
    assert program.wait() == 130
    assert time.monotonic() - start < 4
    lines = program.stderr_text().splitlines()
    assert lines[-1] == "pynats: error: interrupted"
    assert ("Sent 1, answered 0, failed 0, 1 in flight at the end" in lines) == bool(arguments)


def test_ctrl_c_while_a_pipe_is_read_exits_130(spawn: Callable[..., Program], nats_server: Server) -> None:
    program = spawn("request", "s", server=nats_server, stdin=-1, ready="Reading payload from standard input")
    program.send_signal(signal.SIGINT)
    assert program.wait() == 130
    assert program.stderr_text().splitlines()[-1] == "pynats: error: interrupted"


def test_ctrl_c_ends_a_translation_too(
    spawn: Callable[..., Program], nats_server: Server, responders: Responders, tmp_path: Path
) -> None:
    command = "sh -c 'echo $$ > pid; exec sleep 60'"
    program = spawn("request", responders(), "x", "--translate", command, server=nats_server, cwd=tmp_path)
    pid_file = tmp_path / "pid"
    program.wait_until(lambda: pid_file.exists() and bool(pid_file.read_text().strip()), "the command")
    program.send_signal(signal.SIGINT)
    assert program.wait() == 130
    deadline = time.monotonic() + 10
    while process_exists(int(pid_file.read_text())):
        assert time.monotonic() < deadline
