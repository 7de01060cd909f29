"""`pynats reply`, run for real against a real server."""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.asking import Asker
from tests.program import Program, Runner, until
from tests.servers import Server, free_port, process_exists
from tests.terminal import Terminal

Spawn = Callable[..., Program]
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def subject() -> str:
    return f"t{secrets.token_hex(6)}"


@pytest.fixture
def start(runner: Runner, nats_server: Server) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """`start(*args, **popen)` starts `pynats reply` with any streams; it is killed after the test."""
    with ExitStack() as stack:

        def start(*arguments: str, python: Sequence[str] = (), **popen: Any) -> subprocess.Popen[bytes]:
            command = [sys.executable, *python, "-m", "natscli", "reply", *arguments]
            environ = {**runner.environ, "NATS_URL": nats_server.url}
            popen.setdefault("stdin", subprocess.DEVNULL)
            process = subprocess.Popen(command, env=environ, cwd=runner.directory, **popen)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        yield start


def python(code: str) -> str:
    """A command line that runs `code`."""
    return shlex.join([sys.executable, "-S", "-c", code])


def log(program: Program) -> list[str]:
    """The lines of its stderr, without the time."""
    return [
        re.sub(r"^(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d ", "", line)
        for line in program.stderr_text().splitlines()
    ]


# -- what it answers ---------------------------------------------------------------------------------------------


def test_it_listens_answers_and_shows_each_request(spawn: Spawn, asker: Asker, subject: str) -> None:
    program = spawn("reply", subject, "OK, I CAN HELP!!!", server=asker.url)
    (answer,) = asker.ask(subject, b"I need help!")
    assert (answer.header, answer.payload) == (b"", b"OK, I CAN HELP!!!")
    asker.ask(subject, b"", header=b"NATS/1.0\r\nA: 1\r\nA: 2\r\n\r\n")
    assert program.stop() == 0
    assert program.stdout_bytes() == b"I need help!\n\n"
    *lines, summary = log(program)
    assert summary.startswith("Answered 2 requests in ")
    assert lines == [
        f'Listening on [{subject}] in group "NATS-RPLY-22"',
        f"[#0] Received on [{subject}]",
        f"[#1] Received on [{subject}]",
        "A: 1",
        "A: 2",
        "",
    ]


def test_templates_are_filled_from_number_payload_and_tokens(
    spawn: Spawn, asker: Asker, subject: str
) -> None:
    body = "#{{Count}} {{Request}} {{1}} {{2}} {{Random 5 5}}"
    spawn("reply", f"{subject}.*.>", body, server=asker.url)
    answers = [asker.ask(f"{subject}.{rest}", b"p%")[0].payload.decode() for rest in ("x.y", "z.y.w")]
    assert [answer[:-5] for answer in answers] == ["#0 p% x y ", "#1 p% z y "]


def test_templates_can_be_turned_off(spawn: Spawn, asker: Asker, subject: str) -> None:
    spawn("reply", subject, "{{Count}} {{Nope", "--no-templates", "-H", "A:{{ID}}", server=asker.url)
    (answer,) = asker.ask(subject, b"")
    assert (answer.payload, answer.lines) == (b"{{Count}} {{Nope", [b"A: {{ID}}"])


def test_an_empty_body_is_an_empty_reply(spawn: Spawn, asker: Asker, subject: str) -> None:
    spawn("reply", subject, "", server=asker.url)
    (answer,) = asker.ask(subject, b"x")
    assert (answer.header, answer.payload) == (b"", b"")


def test_headers_are_templates_and_may_repeat(spawn: Spawn, asker: Asker, subject: str) -> None:
    spawn(
        "reply",
        subject,
        "x",
        "-H",
        "A: {{Request}}",
        "--header",
        "B:{{Count}}",
        "-H",
        "A:2",
        server=asker.url,
    )
    (answer,) = asker.ask(subject, b"hi\r\nEvil: 1")
    assert answer.lines == [b"A: hi  Evil: 1", b"B: 0", b"A: 2"]


def test_without_body_and_command_it_echoes_and_says_so(spawn: Spawn, asker: Asker, subject: str) -> None:
    program = spawn("reply", subject, server=asker.url)
    payload = os.urandom(200_000)
    header = b"NATS/1.0\r\nb: 1\r\nA: \xff\xfe\r\nb: 0\r\n\r\n"
    first, second = asker.ask(subject, payload, b"", header=header)
    assert first.payload == payload
    assert first.lines == [b"b: 1", b"A: \xff\xfe", b"b: 0", b"NATS-Reply-Counter: 0"]
    assert (second.payload, second.lines[-1]) == (b"", b"NATS-Reply-Counter: 1")
    assert program.stop() == 0
    assert log(program)[0] == "No body or command given: requests are echoed"
    assert payload in program.stdout_bytes()


def test_an_echo_that_was_asked_for_is_not_news(spawn: Spawn, asker: Asker, subject: str) -> None:
    program = spawn("reply", subject, "--echo", "-H", "Own: {{Count}}", server=asker.url)
    (answer,) = asker.ask(subject, b"x", header=b"NATS/1.0\r\nA: b\r\n\r\n")
    assert answer.lines == [b"Own: 0", b"A: b", b"NATS-Reply-Counter: 0"]
    assert log(program)[0].startswith("Listening on")


def test_a_request_without_a_reply_subject_is_shown_and_marked(
    spawn: Spawn, asker: Asker, subject: str
) -> None:
    program = spawn("reply", subject, "OK", server=asker.url)
    asker.send(subject, b"fire and forget", reply=b"")
    assert asker.ask(subject, b"x")[0].payload == b"OK"
    assert program.stop() == 0
    assert program.stdout_bytes() == b"fire and forget\nx\n"
    assert log(program)[1] == f"[#0] Received on [{subject}] (no reply subject, not answered)"


def test_a_reply_larger_than_the_server_takes_becomes_an_error(server_factory: Any, spawn: Spawn) -> None:
    server = server_factory("max_payload: 1000")
    program = spawn("reply", "echo.me", server=server)
    with Asker(server) as asker:
        big, small = asker.ask("echo.me", b"x" * 990, b"y")
        problem = b"the reply has 1025 bytes, the server takes 1000"
        assert big.lines == [b"Nats-Service-Error: " + problem, b"Nats-Service-Error-Code: 500"]
        assert (big.payload, small.payload) == (b"", b"y")
    assert program.stop() == 0
    lines = log(program)
    assert lines.index("[#0] Received on [echo.me]") < lines.index(f"pynats: [#0] {problem.decode()}")


@pytest.mark.parametrize("delayed", [False, True])
def test_it_stops_after_exactly_so_many(spawn: Spawn, asker: Asker, subject: str, delayed: bool) -> None:
    options = ["--sleep", "100ms"] if delayed else []
    program = spawn("reply", subject, "OK", "--count", "3", *options, server=asker.url)
    asker.send(subject, *[b"x"] * 20)
    answers = asker.receive(20)
    assert sum(answer.payload == b"OK" for answer in answers) == 3
    assert sum(answer.header.startswith(b"NATS/1.0 503") for answer in answers) == 17
    assert program.wait() == 0
    assert program.stdout_bytes() == b"x\n" * 3


def test_delays_are_random_and_concurrent(spawn: Spawn, asker: Asker, subject: str) -> None:
    spawn("reply", subject, "{{Request}}", "--sleep", "400ms", server=asker.url)
    asker.send(subject, *[b"%d" % number for number in range(200)])
    answers = asker.receive(200)
    assert len({answer.payload for answer in answers}) == 200
    assert [answer.number for answer in answers] != sorted(answer.number for answer in answers)
    delays = sorted(answer.seconds for answer in answers)
    assert delays[0] < 0.2 < delays[-1]
    assert delays[-1] < 5


def test_the_members_of_a_group_share_the_requests(spawn: Spawn, asker: Asker, subject: str) -> None:
    programs = [spawn("reply", subject, name, server=asker.url) for name in "ab"]
    assert {answer.payload for answer in asker.ask(subject, *[b""] * 100)} == {b"a", b"b"}
    programs[0].send_signal(signal.SIGKILL)
    programs[0].wait()
    asker.wait_for_responder(subject)
    assert {answer.payload for answer in asker.ask(subject, *[b""] * 100)} == {b"b"}


def test_another_group_or_none_gets_every_request(spawn: Spawn, asker: Asker, subject: str) -> None:
    spawn("reply", subject, "a", server=asker.url)
    other = spawn("reply", subject, "b", "-q", "other", server=asker.url)
    without = spawn("reply", subject, "c", "--queue", "", server=asker.url)
    asker.send(subject, b"x")
    assert {answer.payload for answer in asker.receive(3)} == {b"a", b"b", b"c"}
    assert log(other)[0] == f'Listening on [{subject}] in group "other"'
    assert log(without)[0] == f"Listening on [{subject}]"


# -- commands ----------------------------------------------------------------------------------------------------


def test_a_command_gets_the_request_and_its_output_is_the_reply(
    spawn: Spawn, asker: Asker, subject: str
) -> None:
    code = (
        "import os,sys; print(sys.stdin.read(), os.environ['NATS_REQUEST_SUBJECT'],"
        " os.environ['NATS_REQUEST_BODY'], sys.argv[1:])"
    )
    line = python(code) + " {{Request}} {{1}}"
    spawn("reply", f"{subject}.*", "--command", line, "-H", "N: {{Count}}", server=asker.url)
    (answer,) = asker.ask(f"{subject}.x", b'a b "c d"')
    arguments = ['a b "c d"', "x"]
    assert answer.payload.decode() == f'a b "c d" {subject}.x a b "c d" {arguments}\n'
    assert answer.lines == [b"N: 0"]


def test_a_large_request_arrives_on_stdin_and_binary_output_comes_back(
    spawn: Spawn, asker: Asker, subject: str
) -> None:
    spawn("reply", subject, "--command", "cat", server=asker.url)
    payloads = [os.urandom(1_000_000), b"", b"\0\xff"]
    assert [answer.payload for answer in asker.ask(subject, *payloads)] == payloads


def test_a_failing_command_is_an_error_of_the_service(
    spawn: Spawn, asker: Asker, subject: str, pynats: Runner
) -> None:
    program = spawn("reply", subject, "--command", "sh -c 'echo sorry; exit 3'", server=asker.url)
    (answer,) = asker.ask(subject, b"x")
    problem = b"command failed: exit status 3"
    assert answer.lines == [b"Nats-Service-Error: " + problem, b"Nats-Service-Error-Code: 500"]
    assert answer.payload == b"sorry\n"
    program.wait_for(f"pynats: [#0] {problem.decode()}")
    assert pynats("request", subject, "x", server=asker.url).status == 7


def test_a_request_that_would_be_an_option_of_the_command_is_refused(
    spawn: Spawn, asker: Asker, subject: str
) -> None:
    program = spawn("reply", f"{subject}.*", "--command", "ls {{1}}", server=asker.url)
    (answer,) = asker.ask(f"{subject}.-la", b"")
    problem = "the request would become an option of the command"
    assert answer.lines == [f"Nats-Service-Error: {problem}".encode(), b"Nats-Service-Error-Code: 400"]
    assert answer.payload == b""
    program.wait_for(f"pynats: [#0] {problem}")


@pytest.mark.parametrize(
    ("line", "word"),
    [("ls | wc", "'|'"), ("date > x", "'>'"), ("cd /tmp && ls", "'&&'"), ("cd /tmp", "'cd'")],
)
def test_a_command_for_a_shell_is_refused_before_connecting(pynats: Runner, line: str, word: str) -> None:
    run = pynats("reply", "x", "--command", line, server="nats://127.0.0.1:1")
    assert run.status == 2
    assert word in run.errors[0]
    assert run.errors[1] == """  hint: for a shell: --command "sh -c '...'\""""


def test_a_command_that_left_something_running_is_answered_and_the_end_not_held_up(
    spawn: Spawn, asker: Asker, subject: str
) -> None:
    program = spawn("reply", subject, "--command", "sh -c 'sleep 30 & echo $!'", server=asker.url)
    (answer,) = asker.ask(subject, b"")
    began = time.monotonic()
    assert program.stop() == 0
    os.kill(int(answer.payload), signal.SIGKILL)
    assert (answer.lines, answer.seconds < 10) == ([], True)
    assert time.monotonic() - began < 10


def test_a_command_that_takes_too_long_is_an_error_504(spawn: Spawn, asker: Asker, subject: str) -> None:
    line = ["--command", "sleep 1000", "--command-timeout", "200ms"]
    program = spawn("reply", subject, *line, server=asker.url)
    (answer,) = asker.ask(subject, b"")
    problem = "the command did not end within 200ms"
    assert answer.lines == [f"Nats-Service-Error: {problem}".encode(), b"Nats-Service-Error-Code: 504"]
    program.wait_for(f"pynats: [#0] {problem}")


def test_draining_takes_no_longer_than_a_command_may(spawn: Spawn, asker: Asker, subject: str) -> None:
    line = ["--command", "sleep 1000", "--command-timeout", "1s", "--concurrency", "1"]
    program = spawn("reply", subject, *line, server=asker.url)
    asker.send(subject, *[b"x"] * 50)
    program.wait_for("[#49]")
    began = time.monotonic()
    assert program.stop() == 0
    assert time.monotonic() - began < 20  # and not 50 s
    answers = asker.receive(50)
    assert {answer.lines[1] for answer in answers} == {b"Nats-Service-Error-Code: 504"}


def test_it_waits_for_a_server_that_is_not_up_yet(server_factory: Any, runner: Runner) -> None:
    server = server_factory()
    server.stop()
    program = runner.spawn("reply", "x", "OK", "--wait", "1m", server=server, ready=" for a server: ")
    os.kill(program.pid, signal.SIGUSR1)
    program.wait_for("pynats: not connected yet")
    server.start()
    program.wait_for("Listening on")
    with Asker(server) as asker:
        assert asker.ask("x", b"")[0].payload == b"OK"
    assert program.stop() == 0
    assert program.stderr_text().count("Waiting") == 1


def test_the_wait_for_a_server_has_an_end(runner: Runner) -> None:
    url = f"nats://127.0.0.1:{free_port()}"
    run = runner("reply", "x", "OK", "--wait", "300ms", server=url)
    assert run.status == 5
    assert re.search(r"Waiting \d+ms for a server: ", run.stderr)
    assert 0.3 < run.seconds < 10


def test_the_wait_for_a_server_can_be_interrupted(runner: Runner) -> None:
    program = runner.spawn(
        "reply", "x", "OK", "--wait", "1m", server=f"nats://127.0.0.1:{free_port()}", ready="Waiting"
    )
    began = time.monotonic()
    assert program.stop(signal.SIGINT) == 130
    assert time.monotonic() - began < 10


def test_output_larger_than_the_server_takes_is_an_error(spawn: Spawn, asker: Asker, subject: str) -> None:
    program = spawn("reply", subject, "--command", "head -c 2000000 /dev/zero", server=asker.url)
    (answer,) = asker.ask(subject, b"x")
    problem = "the output has more than 1048576 bytes, which is all the server takes"
    assert answer.lines == [f"Nats-Service-Error: {problem}".encode(), b"Nats-Service-Error-Code: 500"]
    program.wait_for(problem)


def test_so_many_commands_run_at_once_and_each_request_is_answered_once(
    spawn: Spawn, asker: Asker, subject: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    line = f"sh -c 'echo + >>{log}; cat; sleep 0.03; echo - >>{log}'"
    program = spawn("reply", subject, "--command", line, "--concurrency", "3", server=asker.url)
    payloads = [b"%d" % number for number in range(60)]
    assert [answer.payload for answer in asker.ask(subject, *payloads)] == payloads
    assert asker.receive(1, timeout=0.05) == []
    running = most = 0
    for mark in log.read_text().split():
        running += 1 if mark == "+" else -1
        most = max(most, running)
    assert most == 3
    assert program.stop() == 0


def test_two_hundred_commands_at_once_are_all_answered(spawn: Spawn, asker: Asker, subject: str) -> None:
    spawn("reply", subject, "--command", "echo {{Request}}", server=asker.url)
    payloads = [b"%d" % number for number in range(200)]
    assert [answer.payload for answer in asker.ask(subject, *payloads)] == [p + b"\n" for p in payloads]


# -- stopping ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("slow", [["OK", "--sleep", "1s"], ["--command", "sh -c 'sleep 0.5; echo -n OK'"]],
                         ids=["delays", "commands"])  # fmt: skip
def test_a_signal_lets_it_answer_all_that_is_pending(
    spawn: Spawn, asker: Asker, subject: str, number: int, slow: list[str]
) -> None:
    program = spawn("reply", subject, *slow, "--concurrency", "50", server=asker.url)
    asker.send(subject, *[b"x"] * 100)
    program.wait_for("[#99]")
    program.send_signal(number)
    program.wait_for("Draining, ")
    assert {answer.payload for answer in asker.receive(100)} == {b"OK"}
    assert program.wait() == 0
    assert asker.ask(subject, b"late")[0].header.startswith(b"NATS/1.0 503")


def test_ctrl_c_at_the_terminal_spares_the_commands(
    spawn: Spawn, asker: Asker, subject: str, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    line = f"sh -c 'echo $$ >>{tmp_path}/pids; while [ ! -e {go} ]; do sleep 0.02; done; echo done'"
    program = spawn(
        "reply", subject, "--command", line, "--concurrency", "2", server=asker.url, start_new_session=True
    )
    asker.send(subject, b"x", b"y")
    until(lambda: (tmp_path / "pids").exists() and len((tmp_path / "pids").read_text().split()) == 2)
    os.killpg(program.pid, signal.SIGINT)  # what a terminal does: the whole process group gets it
    program.wait_for("Draining, requests pending: 2")
    go.touch()
    assert [answer.payload for answer in asker.receive(2)] == [b"done\n"] * 2
    assert program.wait() == 0


def test_a_hang_up_that_is_ignored_stays_so(spawn: Spawn, asker: Asker, subject: str) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        program = spawn("reply", subject, "x", server=asker.url, anew=True)
    finally:
        signal.signal(signal.SIGHUP, before)
    program.send_signal(signal.SIGHUP)
    for _ in range(3):
        assert asker.ask(subject, b"")[0].payload == b"x"
    assert program.status is None


@pytest.mark.parametrize(
    "numbers",
    [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGINT), (signal.SIGHUP, signal.SIGTERM)],
    ids=lambda numbers: "+".join(number.name for number in numbers),
)
@pytest.mark.parametrize("how", [(), ("--processes", "2")], ids=["one process", "two processes"])
def test_one_stop_that_is_delivered_twice_is_one(
    spawn: Spawn, asker: Asker, subject: str, numbers: tuple[int, ...], how: tuple[str, ...]
) -> None:
    ready = "processes answer" if how else "Listening"
    program = spawn("reply", subject, "hi", "--sleep", "700ms..700ms", *how, server=asker.url, ready=ready)
    asker.send(subject, b"x")
    program.wait_for("[#0]")
    for number in numbers:
        program.signal_at_once(number)
        time.sleep(0.005)
    assert [answer.payload for answer in asker.receive(1, 5)] == [b"hi"]
    assert program.wait() == 0
    assert "interrupted" not in program.stderr_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_stops_at_once(
    spawn: Spawn, asker: Asker, subject: str, tmp_path: Path, number: int
) -> None:
    line = f"sh -c 'echo $$ >{tmp_path}/pid; sleep 1000; echo done'"
    program = spawn("reply", subject, "--command", line, server=asker.url)
    asker.send(subject, b"x")
    until(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text()))
    program.send_signal(number)
    program.wait_for("Draining, requests pending: 1")
    start = time.monotonic()
    program.send_signal(number)
    assert program.wait() == 130
    assert time.monotonic() - start < 5
    until(lambda: not process_exists(int((tmp_path / "pid").read_text())))
    logged = [line for line in log(program) if line.startswith("pynats: ")]
    assert logged == ["pynats: stopped, requests left unanswered: 1", "pynats: error: interrupted"]


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 130), (signal.SIGINT, -signal.SIGINT)], ids=["SIGTERM", "SIGINT"]
)
def test_only_ctrl_c_at_a_terminal_ends_the_loop_of_a_shell_too(
    start: Start, asker: Asker, subject: str, terminal: Terminal, number: int, status: int
) -> None:
    process = start(subject, "--command", "sleep 1000", stdout=terminal.slave, stderr=terminal.slave)
    terminal.wait_for(b"Listening")
    asker.send(subject, b"x")
    terminal.wait_for(b"[#0]")
    process.send_signal(number)
    terminal.wait_for(b"Draining")
    time.sleep(0.6)  # those that come at once are one
    process.send_signal(number)
    assert process.wait(30) == status


def test_a_signal_before_it_listens_stops_it_too(runner: Runner, subject: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"nats://127.0.0.1:{silent.getsockname()[1]}"
        program = runner.spawn("reply", subject, "x", server=url, ready="")
        silent.accept()
        assert program.stop(signal.SIGINT) == 130
    assert "Traceback" not in program.stderr_text()


# -- a server that refuses, restarts, or goes away ---------------------------------------------------------------


def test_a_subscription_that_is_not_permitted_is_refused_and_never_announced(
    server_factory: Any, runner: Runner
) -> None:
    server = server_factory(
        'authorization { users: [{user: u, password: p, permissions: {subscribe: {deny: "secret.>"}}}] }'
    )
    run = runner("reply", "secret.x", "OK", "--user", "u", "--password", "p", server=server)
    assert run.status == 6
    assert "Listening" not in run.stderr
    assert run.errors[0].startswith("pynats: error: the server does not permit this")


def test_a_reply_that_is_not_permitted_is_said_and_the_service_goes_on(
    server_factory: Any, spawn: Spawn
) -> None:
    server = server_factory(
        "authorization { users: [{user: a, password: a}, "
        '{user: u, password: p, permissions: {publish: {deny: "private.>"}}}] }'
    )
    program = spawn("reply", "x", "OK", "--user", "u", "--password", "p", server=server)
    with Asker(server, user="a", **{"pass": "a"}) as asker:
        asker.send("x", b"evil", reply=b"private.inbox")
        assert asker.ask("x", b"good")[0].payload == b"OK"
    program.wait_for("private.inbox")
    assert program.stop() == 0
    assert any("does not permit" in line for line in log(program))


def test_odd_bytes_in_a_subject_do_not_cut_the_connection(spawn: Spawn, asker: Asker, subject: str) -> None:
    program = spawn("reply", f"{subject}.>", "OK", server=asker.url)
    for odd in (b"\x0b", b"\x0c", b"\x1c", b"\x85", b"\xff", "\u2028".encode()):
        asker.write(b"PUB %b.a%bb an%binbox 1\r\nx\r\n" % (subject.encode(), odd, odd))
        assert asker.ask(f"{subject}.x", b"", b"")[1].payload == b"OK"
    assert program.stop() == 0
    assert "Disconnected" not in program.stderr_text()


def test_it_reconnects_when_the_server_comes_back_and_answers_again(
    server_factory: Any, spawn: Spawn
) -> None:
    server = server_factory()
    program = spawn("reply", "x", "OK", server=server)
    server.restart()
    program.wait_for("Reconnected to")
    with Asker(server) as asker:
        assert asker.ask("x", b"")[0].payload == b"OK"
    assert program.stop() == 0
    assert any(line.startswith("Disconnected") for line in log(program))


def test_it_stops_at_once_when_the_server_is_gone_and_nothing_is_pending(
    server_factory: Any, spawn: Spawn
) -> None:
    server = server_factory()
    program = spawn("reply", "x", "OK", server=server)
    server.stop()
    program.wait_for("Disconnected")
    start = time.monotonic()
    assert program.stop() == 0
    assert time.monotonic() - start < 4


def test_a_server_that_goes_away_while_draining_does_not_hang_it(
    server_factory: Any, spawn: Spawn, tmp_path: Path
) -> None:
    server = server_factory()
    go = tmp_path / "go"
    line = f"sh -c 'touch {tmp_path}/runs; while [ ! -e {go} ]; do sleep 0.02; done'"
    program = spawn("reply", "x", "--command", line, server=server)
    with Asker(server) as asker:
        asker.send("x", b"")
        until((tmp_path / "runs").exists)
        server.stop()
    program.wait_for("Disconnected")
    program.send_signal(signal.SIGTERM)
    program.wait_for("Draining")
    start = time.monotonic()
    go.touch()
    assert program.wait() == 5, program.stderr_text()
    assert time.monotonic() - start < 15
    assert "Traceback" not in program.stderr_text()


# -- what it shows -----------------------------------------------------------------------------------------------


def test_json_is_one_object_a_request(spawn: Spawn, asker: Asker, subject: str) -> None:
    program = spawn("reply", subject, "OK", "--json", server=asker.url)
    asker.send(subject, b"\xff", reply=b"")
    asker.ask(subject, "µ\n".encode(), header=b"NATS/1.0\r\nA: 1\r\nA: 2\r\n\r\n")
    assert program.stop() == 0
    first, second = map(json.loads, program.stdout_bytes().splitlines())
    assert (first["reply_to"], first["data"], first["encoding"]) == (None, "/w==", "base64")
    assert first["outcome"] == "unanswered"
    assert second.pop("reply_to").startswith("_INBOX.")
    assert second.pop("time").endswith("Z")
    assert 0 < second.pop("duration_ns") < 10**9
    assert second.pop("replies") == [{"headers": {}, "data": "OK", "encoding": "utf-8", "size": 2}]
    assert second == {"request": 1, "subject": subject, "outcome": "answered", "headers": {"A": ["1", "2"]},
                      "data": "µ\n", "encoding": "utf-8", "size": 3}  # fmt: skip
    listening, summary = log(program)
    assert listening.startswith("Listening on")
    assert json.loads(summary)["requests"] == 1


def test_json_says_how_long_a_reply_took_and_when_the_request_came(
    spawn: Spawn, asker: Asker, subject: str
) -> None:
    program = spawn(
        "reply", subject, "--command", "sh -c 'sleep 0.3; exit $(cat)'", "--json", server=asker.url
    )
    before = time.time()
    asker.ask(subject, b"0")
    asker.ask(subject, b"3")
    assert program.stop() == 0
    answered, failed = map(json.loads, program.stdout_bytes().splitlines())
    assert (answered["outcome"], answered["json"]) == ("answered", 0)
    assert (failed["outcome"], failed["code"], failed["message"]) == (
        "error", 500, "command failed: exit status 3",
    )  # fmt: skip
    assert all(0.3e9 < record["duration_ns"] < 10e9 for record in (answered, failed))
    came = datetime.fromisoformat(answered["time"].replace("Z", "+00:00")).timestamp()
    assert 0 <= came - before < 5


def test_json_has_a_reply_that_is_too_large_as_an_error(server_factory: Any, spawn: Spawn) -> None:
    server = server_factory("max_payload: 1000")
    program = spawn("reply", "echo.me", "--json", server=server)
    with Asker(server) as asker:
        asker.ask("echo.me", b"x" * 990, b"y")
    assert program.stop() == 0
    records = [json.loads(line) for line in program.stdout_bytes().splitlines()]
    assert [(r["outcome"], r.get("code")) for r in records] == [("error", 500), ("answered", None)]


def test_quiet_shows_payloads_and_errors_only(spawn: Spawn, asker: Asker, subject: str) -> None:
    program = spawn("reply", subject, "--quiet", server=asker.url, ready="")
    asker.wait_for_responder(subject)  # with empty requests
    asker.ask(subject, b"a", b"b", header=b"NATS/1.0\r\nA: 1\r\n\r\n")
    assert program.stop() == 0
    assert program.stdout_bytes().lstrip(b"\n") == b"a\nb\n"
    assert program.stderr_text() == ""


def test_one_file_for_both_streams_keeps_the_order(
    start: Start, asker: Asker, subject: str, tmp_path: Path
) -> None:
    path = tmp_path / "log"
    with path.open("wb") as log:
        process = start(subject, "--command", "sh -c 'exit 3'", stdout=log, stderr=log)
    until(lambda: b"Listening" in path.read_bytes())
    asker.ask(subject, b"one")
    asker.ask(subject, b"two")
    process.terminate()
    assert process.wait(30) == 0
    marks = [rb"Listening on", rb"\[#0\] Received", rb"\none\n", rb"\[#0\] command failed", rb"\[#1\] Received",
             rb"\ntwo\n", rb"\[#1\] command failed"]  # fmt: skip
    assert re.search(rb".*?".join(marks), path.read_bytes(), re.DOTALL)


def test_output_to_a_file_never_loads_rich(start: Start, asker: Asker, subject: str) -> None:
    process = start(subject, "x", "--count", "1", python=["-X", "importtime"], stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE)  # fmt: skip
    asker.wait_for_responder(subject)
    _, stderr = process.communicate(timeout=30)
    loaded = {line.rpartition("|")[2].strip() for line in stderr.decode().splitlines() if "|" in line}
    assert "natscli.reply.listener" in loaded
    unwanted = ("rich", "natscli.output.terminal", "natscli.reply.responders.command", "tempfile",
                "concurrent.futures.thread", "natscli.request", "nats.js.client", "json.tool",
                "importlib.metadata")  # fmt: skip
    assert [name for name in loaded if name in unwanted or name.startswith("rich.")] == []


def test_a_reader_that_goes_away_ends_it_with_one_line(start: Start, asker: Asker, subject: str) -> None:
    process = start(subject, "--sleep", "200ms", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    asker.wait_for_responder(subject)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    (answer,) = asker.ask(subject, b"x")
    assert answer.payload == b"x"  # accepted, so answered
    assert process.wait(30) == 1
    assert process.stderr is not None
    errors = [line for line in process.stderr.read().decode().splitlines() if line.startswith("pynats: ")]
    assert errors == ["pynats: error: the output was closed by its reader"]


def test_a_full_disk_ends_it_with_one_line(start: Start, asker: Asker, subject: str) -> None:
    with open("/dev/full", "wb") as full:
        process = start(subject, "x", stdout=full, stderr=subprocess.PIPE)
    asker.wait_for_responder(subject)
    assert process.wait(30) == 1
    assert process.stderr is not None
    assert b"pynats: error: no space left on device (stdout)\n" in process.stderr.read()


def test_a_log_that_cannot_be_written_does_not_end_it(start: Start, asker: Asker, subject: str) -> None:
    with open("/dev/full", "wb") as full:
        process = start(subject, "x", stdout=subprocess.PIPE, stderr=full)
    asker.wait_for_responder(subject)
    asker.ask(subject, b"1", b"2")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert process.stdout is not None
    assert process.stdout.read().endswith(b"1\n2\n")


def ask_many(asker: Asker, subject: str, count: int) -> float:
    """Ask in batches of 500; the longest time that one took."""
    return max(a.seconds for _ in range(count // 500) for a in asker.ask(subject, *[b"x" * 20] * 500))


def test_a_pipe_that_is_not_read_delays_no_reply(
    start: Start, asker: Asker, subject: str, tmp_path: Path
) -> None:
    log_path = tmp_path / "log"
    with log_path.open("wb") as log:
        process = start(subject, "OK", "--quiet", stdout=subprocess.PIPE, stderr=log)
    asker.wait_for_responder(subject)
    assert ask_many(asker, subject, 30_000) < 2
    shown: list[bytes] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda stream: shown.append(stream.read()), args=(process.stdout,))
    reader.start()
    until(lambda: b"were not shown" in log_path.read_bytes())
    assert ask_many(asker, subject, 500) < 2
    process.terminate()
    assert process.wait(30) == 0
    reader.join()
    missing = re.findall(
        rb"pynats: (\d+) more were not shown: the output could not keep up", log_path.read_bytes()
    )
    assert shown[0].count(b"x" * 20) + sum(map(int, missing)) == 30_500


def test_a_stopped_terminal_holds_up_no_reply(
    start: Start, asker: Asker, subject: str, terminal: Terminal
) -> None:
    process = start(subject, "OK", stdout=terminal.slave, stderr=terminal.slave)
    terminal.wait_for(b"Listening on")
    terminal.stop()
    assert ask_many(asker, subject, 15_000) < 2
    terminal.go_on()
    terminal.wait_for(b" more were not shown: the output could not keep up")
    process.terminate()
    assert process.wait(30) == 0


def test_sigterm_ends_it_though_the_terminal_is_stopped(
    start: Start, asker: Asker, subject: str, terminal: Terminal
) -> None:
    process = start(subject, "OK", "--sleep", "100ms", stdout=terminal.slave, stderr=terminal.slave)
    terminal.wait_for(b"Listening on")
    terminal.stop()
    asker.send(subject, *[b"x" * 1000] * 200)
    asker.receive(1)
    start_of_end = time.monotonic()
    process.terminate()
    assert len(asker.receive(199)) == 199
    assert process.wait(30) == 0
    assert time.monotonic() - start_of_end < 5


def test_a_terminal_shows_requests_drawn_and_harmless(
    start: Start, asker: Asker, subject: str, terminal: Terminal
) -> None:
    start(f"{subject}.>", "OK", stdout=terminal.slave, stderr=terminal.slave)
    terminal.wait_for(b"Listening on")
    asker.ask(f"{subject}.\x1b[2J", b"\x1b]0;title\x07", header=b"NATS/1.0\r\nA: \x1b[5m\r\n\r\n")
    asker.ask(f"{subject}.json", b'{"a":[1]}')
    asker.ask(f"{subject}.end", b"\xff\xfe")
    terminal.wait_for(b"|..|")
    for raw in (b"\x1b[2J", b"\x1b[5m", b"\x1b]", b"\x07"):
        assert raw not in terminal.shown
    plain = re.sub(rb"\x1b\[[0-9;]*m", b"", terminal.shown)
    assert plain != terminal.shown
    for text in (b".\\x1b[2J]\n", b"A: \\x1b[5m\n", b"\\x1b]0;title\\x07\n", b'{\n  "a": [\n    1\n  ]\n}\n'):
        assert text in plain


# -- bad usage ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x", "OK {{Nope}}"], "unknown template {{Nope}} at character 4 (BODY)"),
        (["x", "OK", "-H", "A:{{Nope}}"], "unknown template {{Nope}} at character 1 (--header)"),
        (["x", "--command", "echo {{Nope}}"], "unknown template {{Nope}} at character 6 (--command)"),
        (["x", "--command", "missing"], "cannot run 'missing': not found, or not executable (--command)"),
        (["x", "--command", ""], "the command is empty (--command)"),
        (["x", "--command", "echo 'x"], "cannot split the command: no closing quotation (--command)"),
        (["x", "OK", "--echo"], "BODY and --echo exclude each other"),
        (["x", "", "--command", "cat"], "BODY and --command exclude each other"),
        (["a..b", "OK"], "a subject has no empty token: 'a..b' (SUBJECT)"),
        (["a.>.b", "OK"], "the wildcard '>' must be the last token in 'a.>.b' (SUBJECT)"),
        (["x", "OK", "-q", "a b"], "a queue group has no spaces or control characters: 'a b' (--queue)"),
        (["x", "OK", "-H", "A"], "invalid header 'A': expected NAME:VALUE (--header)"),
    ],
)  # fmt: skip
def test_bad_usage_is_found_before_connecting(pynats: Runner, arguments: list[str], message: str) -> None:
    run = pynats("reply", *arguments, server=f"nats://127.0.0.1:{free_port()}")
    assert (run.status, run.errors[0]) == (2, f"pynats: error: {message}")
