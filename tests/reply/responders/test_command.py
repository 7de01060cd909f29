"""Requests answered by real commands."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from natscli.errors import InputError
from natscli.message import headers
from natscli.message.templates import compile_template
from natscli.programs.words import compile_command
from natscli.reply.responders.command import Commands
from tests.program import until
from tests.servers import process_exists

ENVIRON = {"PATH": os.environ["PATH"], "KEPT": "yes"}


def command(
    line: str, environ: Mapping[str, str] = ENVIRON, header: dict[str, str] | None = None,
    timeout: float = 30,
) -> Commands:  # fmt: skip
    lines = tuple((k, compile_template(v, "--header", reply=True)) for k, v in (header or {}).items())
    return Commands(compile_command(line, "--command"), environ, lines, timeout=timeout)


def python(code: str) -> str:
    """A command line that runs `code`."""
    return shlex.join([sys.executable, "-S", "-c", code])


def answer(
    command: Commands, payload: bytes = b"", subject: bytes = b"a.b", number: int = 0, limit: int = 1 << 20
) -> tuple[bytes, dict[str, str], str]:
    """The payload of the reply, its headers, and what went wrong."""
    (to, reply, block, output), failure = command.answer((subject, b"inbox", None, payload), number, limit)
    assert (to, reply) == (b"inbox", b"")
    return output, dict(headers.decode(block)), failure.text if failure else ""


def failed(problem: str) -> dict[str, str]:
    return {"Nats-Service-Error": problem, "Nats-Service-Error-Code": "500"}


@pytest.mark.parametrize("size", [0, 1, 4096, 4097, 70_000, 1_000_000])
def test_the_payload_is_on_stdin_and_the_output_is_the_reply(size: int) -> None:
    payload = os.urandom(size)
    assert answer(command("cat"), payload) == (payload, {}, "")


def test_no_output_is_an_empty_reply() -> None:
    assert answer(command("true")) == (b"", {}, "")


def test_subject_and_payload_are_in_the_environment() -> None:
    code = (
        "import os; print(*(os.environ.get(n) for n in ('NATS_REQUEST_SUBJECT','NATS_REQUEST_BODY','KEPT')))"
    )
    assert answer(command(python(code)), b"hi there") == (b"a.b hi there yes\n", {}, "")


@pytest.mark.parametrize(
    "payload", [b"a\0b", b"x" * (128 * 1024), b"x" * 1_000_000], ids=["NUL", "128k", "1M"]
)
def test_a_payload_that_no_variable_can_hold_is_on_stdin_only(payload: bytes) -> None:
    code = "import os,sys; print('NATS_REQUEST_BODY' in os.environ, len(sys.stdin.buffer.read()))"
    assert answer(command(python(code)), payload) == (b"False %d\n" % len(payload), {}, "")


def test_a_payload_that_is_too_much_together_with_the_rest_is_on_stdin_only() -> None:
    big = {f"BIG{n}": "x" * 120_000 for n in range(17)}  # of the 2 MiB that there are
    code = "import os,sys; print('NATS_REQUEST_BODY' in os.environ, len(sys.stdin.buffer.read()))"
    assert answer(command(python(code), ENVIRON | big), b"y" * 120_000) == (b"False 120000\n", {}, "")


@pytest.mark.parametrize("payload", [b"mine", b"a\0b", b"x" * (128 * 1024)], ids=["small", "NUL", "128k"])
def test_the_request_that_another_responder_answers_is_not_in_the_environment(payload: bytes) -> None:
    outer = {"NATS_REQUEST_SUBJECT": "outer", "NATS_REQUEST_BODY": "outer"}
    assert answer(command("env", ENVIRON | outer), payload)[0].count(b"outer") == 0


def test_a_payload_that_is_not_utf_8_arrives_everywhere_unchanged() -> None:
    code = (
        "import os,sys; sys.stdout.buffer.write(os.environb[b'NATS_REQUEST_BODY']+os.fsencode(sys.argv[1]))"
    )
    assert answer(command(python(code) + " {{Request}}"), b"\xff\xfe") == (b"\xff\xfe\xff\xfe", {}, "")


def test_a_request_is_one_argument_whatever_is_in_it() -> None:
    line = python("import sys; print(sys.argv[1:])") + " {{Request}} 'x {{0}}-{{1}}' {{Count}}"
    payload = b"a b \"c d\" 'e' $(touch x) ; {{ID}} %s"
    output, _, _ = answer(command(line), payload, number=7)
    assert output.decode() == f"{[payload.decode(), 'x a-b', '7']}\n"


def test_an_empty_request_is_an_empty_argument() -> None:
    assert answer(command(python("import sys; print(sys.argv[1:])") + " {{Request}}"))[0] == b"['']\n"


def test_headers_are_filled_in() -> None:
    assert answer(
        command("true", header={"N": "{{Count}}", "R": "{{Request}}"}), b"hi\r\nX: y", number=4
    ) == (
        b"",
        {"N": "4", "R": "hi  X: y"},
        "",
    )


def test_a_failure_is_answered_with_the_output_and_says_so() -> None:
    problem = "command failed: exit status 3"
    assert answer(command("sh -c 'echo out; echo err >&2; exit 3'", header={"Own": "1"})) == (
        b"out\nerr\n", failed(problem), problem,
    )  # fmt: skip


def test_a_command_that_was_killed_by_a_signal_says_which() -> None:
    problem = "command failed: killed by signal 9"
    assert answer(command("sh -c 'echo out; kill -9 $$'")) == (b"out\n", failed(problem), problem)


@pytest.mark.parametrize("line", ["no-such-program", "./missing", "/etc/passwd", "/"])
def test_a_program_that_cannot_run_is_found_at_once(line: str) -> None:
    with pytest.raises(InputError, match=r"cannot run '.*': not found, or not executable"):
        command(line)


def test_a_program_named_by_the_request_may_be_missing() -> None:
    by_token = command("{{1}} x")
    assert answer(by_token, subject=b"run.echo") == (b"x\n", {}, "")
    problem = "cannot run the command: not found, or not executable"
    assert answer(by_token, subject=b"run.nope") == (b"", failed(problem), problem)


def test_a_program_that_vanished_is_answered_with_an_error(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho hi\n")
    script.chmod(0o700)
    responder = command(str(script))
    assert answer(responder)[0] == b"hi\n"
    script.unlink()
    problem = "cannot run the command: no such file or directory"
    assert answer(responder) == (b"", failed(problem), problem)


def test_a_request_that_no_argument_can_hold_is_answered_with_an_error() -> None:
    responder = command("echo {{Request}}")
    problem = "cannot run the command: embedded null byte"
    assert answer(responder, b"a\0b") == (b"", failed(problem), problem)
    problem = "cannot run the command: argument list too long"
    assert answer(responder, b"x" * 200_000) == (b"", failed(problem), problem)


TOO_MUCH = "the output has more than 500000 bytes, which is all the server takes"


@pytest.mark.parametrize("line", ["yes", "head -c 500001 /dev/zero", "sh -c 'yes; exit 3'",
                                  python("while True: print('x' * 999)")])  # fmt: skip
def test_output_over_the_limit_is_neither_kept_nor_read_to_its_end(line: str) -> None:
    assert answer(command(line), limit=500_000) == (b"", failed(TOO_MUCH), TOO_MUCH)


def test_output_of_just_the_limit_is_the_reply() -> None:
    assert answer(command("head -c 500000 /dev/zero"), limit=500_000) == (bytes(500_000), {}, "")


def test_a_command_that_goes_on_without_its_output_is_waited_for(tmp_path: Path) -> None:
    line = f"sh -c 'trap \"\" PIPE; head -c 600000 /dev/zero; sleep 0.2; touch {tmp_path}/done'"
    assert answer(command(line), limit=500_000)[2] == TOO_MUCH
    assert (tmp_path / "done").exists()


@pytest.mark.parametrize("background", ["sleep 30", "while sleep 0.01; do echo more; done"])
def test_what_a_command_leaves_running_does_not_hold_up_the_reply(background: str) -> None:
    began = time.monotonic()
    output, lines, problem = answer(command(f"sh -c '({background}) & echo $!; echo hi'"))
    assert time.monotonic() - began < 10
    pid, *rest = output.split()
    os.kill(int(pid), signal.SIGKILL)  # it is not pynats that ends it
    assert (rest[0], lines, problem) == (b"hi", {}, "")


def test_output_that_is_in_the_pipe_when_a_command_ends_is_read() -> None:
    code = "import os; os.set_blocking(1, True); os.fork() or os.write(1, b'x' * 60_000)"
    output, *_ = answer(command(python(code + "; os._exit(0)")))
    assert output == b"x" * 60_000


SLOW = "the command did not end within 300ms"
LATE = {"Nats-Service-Error": SLOW, "Nats-Service-Error-Code": "504"}


def test_a_command_that_takes_too_long_is_terminated_with_all_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    line = f"sh -c 'sleep 1000 & echo $$ $! >{pids}; echo so far; wait'"
    assert answer(command(line, timeout=0.3)) == (b"so far\n", LATE, SLOW)
    assert not [pid for pid in map(int, pids.read_text().split()) if process_exists(pid)]


@pytest.mark.parametrize("line", [
    "sh -c 'trap \"\" TERM; while :; do sleep 1; done'",  # ignores SIGTERM
    "sh -c 'exec >&- 2>&-; sleep 1000'",  # has let go of its output
    "sh -c '(trap \"\" TERM; while :; do sleep 1; done) & wait'",  # a child that ignores SIGTERM
])  # fmt: skip
def test_a_command_that_takes_too_long_is_killed_in_the_end(line: str) -> None:
    began = time.monotonic()
    assert answer(command(line, timeout=0.3)) == (b"", LATE, SLOW)
    assert time.monotonic() - began < 15


def test_draining_bounds_what_runs_and_what_waits_to_run() -> None:
    responder = command("sleep 1000", timeout=0.3)
    responder._children._timeout = 1000.0  # of one, which began just before
    results: list[tuple[bytes, dict[str, str], str]] = []
    thread = threading.Thread(target=lambda: results.append(answer(responder)))
    thread.start()
    until(lambda: bool(responder._children._running))
    responder.drain()
    thread.join(30)
    assert results == [(b"", LATE, SLOW)]
    assert answer(responder) == (b"", LATE, SLOW)
    assert not responder._children._running


OPTION = "the request would become an option of the command"
REFUSED = {"Nats-Service-Error": OPTION, "Nats-Service-Error-Code": "400"}


@pytest.mark.parametrize(
    "line", ["touch {{1}} {0}", "touch {{1}}x {0}", "touch {{9}}{{1}} {0}", "touch {{Request}} {0}"]
)
def test_a_request_cannot_become_an_option(line: str, tmp_path: Path) -> None:
    line = line.replace("{0}", str(tmp_path / "ran"))
    assert answer(command(line), b"-la", subject=b"ls.-la") == (b"", REFUSED, OPTION)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("line", "expected"),
    [("echo -- {{1}}", b"-- -n\n"), ("echo x{{1}}", b"x-n\n"), ("echo -{{1}}", b"--n\n")],
)
def test_a_word_that_begins_with_a_hyphen_is_allowed_where_the_command_line_says_so(
    line: str, expected: bytes
) -> None:
    assert answer(command(line), subject=b"x.-n") == (expected, {}, "")


def test_a_double_hyphen_that_a_request_brings_allows_nothing() -> None:
    for line in ("echo {{1}} {{2}}", "echo -{{3}} {{2}}"):
        assert answer(command(line), subject=b"x.--.-n.-") == (b"", REFUSED, OPTION)


def test_a_system_without_posix_spawn_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: None)
    with pytest.raises(InputError, match=r"posix_spawn.*Windows"):
        command("true")


def test_a_command_need_not_read_its_input() -> None:
    assert answer(command("true"), b"x" * 1_000_000) == (b"", {}, "")


def test_a_command_is_ended_by_a_closed_pipe_as_in_a_shell() -> None:
    assert answer(command("sh -c 'yes | head -1'")) == (b"y\n", {}, "")


def inheritable() -> set[int]:
    """What any child of this process has open."""
    descriptors = map(int, os.listdir("/dev/fd"))
    return {n for n in descriptors if os.path.exists(f"/dev/fd/{n}") and os.get_inheritable(n)}


def test_a_command_has_nothing_open_that_is_ours(tmp_path: Path) -> None:
    code = "import os; print(*(n for n in os.listdir('/dev/fd') if os.path.exists(f'/dev/fd/{n}')))"
    with (tmp_path / "ours").open("w"):
        output, _, _ = answer(command(python(code)), b"x" * 10_000)
    assert set(map(int, output.split())) == inheritable() | {0, 1, 2}


def test_a_command_is_in_a_process_group_of_its_own() -> None:
    output, _, _ = answer(command(python("import os; print(os.getpid() == os.getpgrp())")))
    assert output == b"True\n"


def test_nothing_is_left_open() -> None:
    responder = command("cat")
    before = len(os.listdir("/dev/fd"))
    for payload in (b"", b"x" * 10_000):
        answer(responder, payload)
    answer(command("echo {{Request}}"), b"\0")
    assert len(os.listdir("/dev/fd")) == before


def test_kill_ends_what_runs_and_what_that_started_and_starts_nothing_more(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    responder = command(f"sh -c 'sleep 1000 & echo $$ $! >{pids}.new; mv {pids}.new {pids}; wait'")
    results: list[tuple[bytes, dict[str, str], str]] = []
    thread = threading.Thread(target=lambda: results.append(answer(responder)))
    thread.start()
    until(pids.exists)
    responder.kill()
    thread.join(30)
    problem = f"command failed: killed by signal {int(signal.SIGKILL)}"
    assert results == [(b"", failed(problem), problem)]
    until(lambda: not [pid for pid in map(int, pids.read_text().split()) if process_exists(pid)])
    assert answer(responder)[2] == "cannot run the command: stopped"


def test_kill_ends_also_what_is_just_being_started() -> None:
    responder = command("sleep 1000")
    start, pids = responder._children._spawner, list[int]()

    def start_slowly(*arguments: Any) -> int:
        pids.append(start(*arguments))
        time.sleep(0.2)  # as a thread that does not get its turn
        return pids[0]

    responder._children._spawner = start_slowly  # type: ignore[assignment]
    with patch.object(os, "killpg", wraps=os.killpg) as killed:
        thread = threading.Thread(target=answer, args=(responder,))
        thread.start()
        until(lambda: bool(pids))
        responder.kill()
        assert killed.called  # by now: the program may end here, and its threads with it
    thread.join(30)
    assert not process_exists(pids[0])


def test_kill_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("natscli.programs.once._START_TIMEOUT", 0.01)
    responder = command("sleep 1000")
    start, entered, go_on = responder._children._spawner, threading.Event(), threading.Event()

    def start_later(*arguments: Any) -> int:
        entered.set()
        go_on.wait(30)
        return start(*arguments)

    responder._children._spawner = start_later  # type: ignore[assignment]
    results: list[tuple[bytes, dict[str, str], str]] = []
    thread = threading.Thread(target=lambda: results.append(answer(responder)))
    thread.start()
    entered.wait(30)
    responder.kill()
    go_on.set()
    thread.join(30)
    assert results[0][2] == f"command failed: killed by signal {int(signal.SIGKILL)}"


def test_a_sigchld_that_is_ignored_does_not_hide_how_a_command_ended() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        responder = command("sh -c 'echo hi; exit 3'")
        output, lines, problem = answer(responder)
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert (output, problem) == (b"hi\n", "command failed: exit status 3")
    assert lines == failed(problem)
    assert not responder._children._running
