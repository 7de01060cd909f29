"""`pynats reply --processes`: several processes that answer as one."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from natscli.reply.figures import together
from natscli.reply.processes.board import Board, SharedCounts, SharedNumbers, open_board
from tests.asking import Asker
from tests.program import Program, Runner, one_password, until
from tests.servers import process_exists
from tests.terminal import Terminal

Spawn = Callable[..., Program]


@pytest.fixture
def several(spawn: Spawn, asker: Asker, subject: str) -> Callable[..., Program]:
    """`several(*arguments, processes=2)` starts them and returns when all answer."""

    def start(*arguments: str, processes: int = 2, **how: Any) -> Program:
        how.setdefault("server", asker.url)
        how.setdefault("ready", "processes answer")
        return spawn("reply", subject, *arguments, "--processes", str(processes), **how)

    return start


def pids(program: Program) -> list[int]:
    """The process ids of those that answer, the last ones."""
    found = re.search(r"processes answer: (.*)", program.stderr_text())
    assert found is not None
    pids = [int(pid) for pid in found[1].split(", ")]
    for name, pid in re.findall(r"process (\d+) answers again: (\d+)", program.stderr_text()):
        pids[int(name) - 1] = int(pid)
    return pids


def seconds_to_replace(program: Program, began: float, before: int) -> float:
    """Seconds since `began` to the replacement after so many."""
    program.wait_until(lambda: program.stderr_text().count("answers again") > before, "another")
    return time.monotonic() - began


def summary(program: Program) -> str:
    return program.stderr_text().splitlines()[-1]


# -- answering as one ----------------------------------------------------------------------------------------------


def test_all_answer_and_every_request_has_a_number_of_its_own(
    several: Callable[..., Program], asker: Asker, subject: str
) -> None:
    program = several("{{Count}}", processes=3)
    answers = [int(answer.payload) for _ in range(10) for answer in asker.ask(subject, *[b"x"] * 100)]
    assert sorted(answers) == list(range(1000))
    assert program.stop() == 0
    logged = re.findall(r"\[#(\d+)\] Received", program.stderr_text())
    assert sorted(map(int, logged)) == list(range(1000))
    assert program.stdout_bytes() == b"x\n" * 1000
    assert summary(program).startswith("Answered 1,000 requests in ")


def test_exactly_so_many_are_answered(several: Callable[..., Program], asker: Asker, subject: str) -> None:
    program = several("OK", "--count", "100", processes=3)
    asker.send(subject, *[b"x"] * 300)
    answers = asker.receive(300)
    assert sum(answer.payload == b"OK" for answer in answers) == 100
    assert len(answers) == 300
    assert program.wait() == 0
    assert program.stdout_bytes() == b"x\n" * 100
    assert summary(program).startswith("Answered 100 requests in ")


def test_statistics_are_of_all_together(several: Callable[..., Program], asker: Asker, subject: str) -> None:
    program = several("--command", "sh -c 'exit {{Request}}'", "--json", "--stats")
    asker.ask(subject, *[b"0"] * 50, *[b"3"] * 10)
    os.kill(program.pid, signal.SIGUSR1)
    program.wait_for('"answered": 60')
    assert program.stop() == 0
    found = json.loads(summary(program))
    assert (found["requests"], found["answered"], found["errors"], found["in_flight"]) == (60, 60, 10, 0)
    assert (found["bytes_in"], found["last_error"]) == (60, "500:command failed: exit status 3")
    assert 0 < found["time_ns"]["p50"] <= found["time_ns"]["p99"] <= found["time_ns"]["max"]


def test_a_python_function_answers_in_all(
    several: Callable[..., Program], asker: Asker, subject: str, tmp_path: Path
) -> None:
    (tmp_path / "calc.py").write_text(
        "import os\ndef pid(request):\n    print('hello')\n    return os.getpid()\n"
    )
    program = several("--handler", f"{tmp_path}/calc.py:pid", "--quiet", ready="")
    answering: set[bytes] = set()
    asker.wait_for_responder(subject)
    until(lambda: len(answering.union(a.payload for a in asker.ask(subject, *[b""] * 50))) == 2)
    assert program.stop() == 0


PIPE = """
import json, sys
for line in sys.stdin:
    print(json.dumps({"id": json.loads(line)["id"], "data": "hi"}), flush=True)
"""


@pytest.mark.parametrize("option", ["--handler", "--mock"])
def test_what_is_said_of_a_file_is_said_once(spawn: Spawn, runner: Runner, asker: Asker, option: str) -> None:
    files = {
        "--handler": ("app.py", "from natscli import endpoint\nclass C:\n @endpoint('a')\n def f(s, r): pass\n"
                                "@endpoint('said')\ndef f(r): pass\n"),
        "--mock": ("m.jsonl", '{"subject": "said", "reply": "1"}\n{"subject": "said", "reply": "2"}\n'
                              '{"subject": "said", "reply": "3", "request": "x"}\n'),
    }  # fmt: skip
    name, text = files[option]
    (runner.directory / name).write_text(text)
    program = spawn("reply", option, name, "--processes", "3", server=asker.url, ready="processes answer")
    assert program.stop() == 0
    assert program.stderr_text().count(f"pynats: {name}") == 1, program.stderr_text()


@pytest.mark.parametrize("kind", ["body", "echo", "command", "handler", "pipe", "mock", "upstream"])
def test_it_works_with_every_responder(
    spawn: Spawn, asker: Asker, subject: str, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "h.py").write_text("async def hi(request):\n    return 'hi'\n")
    (tmp_path / "p.py").write_text(PIPE)
    rule = {"subject": subject, "reply": "hi"}
    (tmp_path / "m.jsonl").write_text(json.dumps(rule))
    arguments = {
        "body": [subject, "hi"],
        "echo": [subject, "--echo"],
        "command": [subject, "--command", "printf hi"],
        "handler": [subject, "--handler", f"{tmp_path}/h.py:hi"],
        "pipe": [subject, "--pipe", f"{sys.executable} {tmp_path}/p.py"],
        "mock": ["--mock", str(tmp_path / "m.jsonl")],
        "upstream": [subject, "--upstream", f"{subject}.up"],
    }[kind]
    spawn("reply", f"{subject}.up", "hi", server=asker.url)
    program = spawn("reply", *arguments, "--processes", "2", server=asker.url, ready="processes answer")
    assert {answer.payload for answer in asker.ask(subject, *[b"hi"] * 50)} == {b"hi"}
    assert program.stop() == 0
    assert summary(program).startswith("Answered 50 requests in "), program.stderr_text()
    assert sorted(map(int, re.findall(r"\[#(\d+)\] Received", program.stderr_text()))) == list(range(50))


def test_as_a_service_each_is_an_instance_with_an_id_of_its_own(
    several: Callable[..., Program], asker: Asker, pynats: Runner, subject: str
) -> None:
    name = f"s{os.getpid()}{time.monotonic_ns()}"
    program = several("OK", "--service", name)
    asker.ask(subject, *[b"x"] * 40)
    found = [
        line for line in pynats("service", "stats", name, server=asker.url).lines if line.startswith(name)
    ]
    ids, counts = zip(*((line.split()[1], int(line.split()[3])) for line in found), strict=True)
    assert (len(set(ids)), sum(counts)) == (2, 40)
    assert program.stop() == 0


def test_a_reader_that_goes_away_ends_all_with_one_line(runner: Runner, asker: Asker, subject: str) -> None:
    command = [sys.executable, "-m", "natscli", "reply", subject, "OK", "--processes", "2"]
    process = subprocess.Popen(
        [*command, "--server", asker.url], env=runner.environ, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.close()
    asker.wait_for_responder(subject)
    assert process.wait(30) == 1
    assert process.stderr is not None
    errors = process.stderr.read().decode().splitlines()
    assert [line for line in errors if "error: " in line] == [
        "pynats: error: the output was closed by its reader"
    ]


def test_lines_stay_whole_in_a_pipe(runner: Runner, asker: Asker, subject: str) -> None:
    command = [sys.executable, "-m", "natscli", "reply", subject, "OK", "--processes", "2"]
    process = subprocess.Popen(
        [*command, "--server", asker.url], env=runner.environ, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    shown: list[bytes] = []
    reader = threading.Thread(target=lambda stream: shown.append(stream.read()), args=(process.stdout,))
    reader.start()
    asker.wait_for_responder(subject)
    # Less than what may wait for a slow reader: beyond that, lines are dropped and counted.
    payloads = [bytes([65 + number % 26]) * 30_000 for number in range(100)]
    asker.ask(subject, *payloads)
    process.terminate()
    assert process.wait(30) == 0
    reader.join()
    found = re.findall(rb"Received on \[[^\]]*\]\n([A-Z]{30000})\n\n", shown[0])
    assert sorted(found) == sorted(payloads)
    assert len({payload[0] for payload in found}) == 26
    assert all(len(set(payload)) == 1 for payload in found)


# -- the end -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to_all", [False, True], ids=["to the parent", "to the group, as Ctrl-C"])
def test_a_signal_drains_all(
    several: Callable[..., Program], asker: Asker, subject: str, tmp_path: Path, to_all: bool
) -> None:
    line = f"sh -c 'echo $$ >>{tmp_path}/pids; while [ ! -e {tmp_path}/go ]; do sleep 0.02; done; echo done'"
    program = several("--command", line, "--concurrency", "10", start_new_session=True)
    asker.send(subject, *[b"x"] * 10)
    until(lambda: (tmp_path / "pids").exists() and len((tmp_path / "pids").read_text().split()) == 10)
    if to_all:
        os.killpg(program.pid, signal.SIGINT)
    else:
        program.send_signal(signal.SIGTERM)
    program.wait_for("Draining")
    (tmp_path / "go").touch()
    assert {answer.payload for answer in asker.receive(10)} == {b"done\n"}
    assert program.wait() == 0
    assert summary(program).startswith("Answered 10 requests in ")
    assert not any(map(process_exists, pids(program)))


def test_a_signal_while_some_are_still_starting_is_no_failure(
    spawn: Spawn, asker: Asker, subject: str, tmp_path: Path
) -> None:
    # The second to be imported takes its time.
    code = (
        "import os, time\n"
        f"try: os.mkdir({str(tmp_path / 'first')!r})\n"
        "except OSError: time.sleep(3)\n"
        "def work(request): return 'OK'\n"
    )
    (tmp_path / "slow.py").write_text(code)
    program = spawn(
        "reply",
        subject,
        "--handler",
        f"{tmp_path}/slow.py:work",
        "--processes",
        "2",
        server=asker.url,
        ready="",
    )
    asker.wait_for_responder(subject)
    time.sleep(0.2)
    assert program.stop() == 0
    assert "interrupted" not in program.stderr_text()
    assert "Answered" in summary(program)


def test_a_signal_before_any_listens_interrupts(spawn: Spawn, subject: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"nats://127.0.0.1:{silent.getsockname()[1]}"
        program = spawn("reply", subject, "OK", "--processes", "2", server=url, ready="")
        accepted = [silent.accept() for _ in range(2)]  # and held open
        assert program.stop(signal.SIGINT) == 130
        for connection, _ in accepted:
            connection.close()
    assert program.stderr_text().splitlines()[-1] == "pynats: error: interrupted"


def test_a_second_signal_stops_all_at_once(
    several: Callable[..., Program], asker: Asker, subject: str
) -> None:
    program = several("--command", "sleep 1000")
    asker.send(subject, *[b"x"] * 4)
    program.wait_for("[#3]")
    program.send_signal(signal.SIGINT)
    program.wait_for("Draining")
    began = time.monotonic()
    assert program.stop(signal.SIGINT) == 130
    assert time.monotonic() - began < 10
    assert not any(map(process_exists, pids(program)))
    assert "4 in flight" in program.stderr_text()
    assert program.stderr_text().endswith("pynats: error: interrupted\n")


def test_when_the_parent_is_killed_the_others_drain_and_end(
    several: Callable[..., Program], asker: Asker, subject: str
) -> None:
    program = several("--command", "sh -c 'sleep 0.5; echo OK'")
    asker.send(subject, *[b"x"] * 4)
    program.wait_for("[#3]")
    children = pids(program)
    program.send_signal(signal.SIGKILL)
    assert {answer.payload for answer in asker.receive(4)} == {b"OK\n"}
    until(lambda: not any(map(process_exists, children)))


# -- one that dies -------------------------------------------------------------------------------------------------


@pytest.mark.alone
def test_one_that_is_killed_is_replaced_and_what_it_had_is_reported(
    several: Callable[..., Program], asker: Asker, subject: str
) -> None:
    program = several("--command", "sleep 0.3")
    asker.send(subject, *[b"x"] * 20)
    program.wait_for("[#19]")
    victim = pids(program)[1]
    took: list[float] = []
    while (
        min(took, default=2.0) >= 2 and len(took) < 3
    ):  # a machine that is busy with other tests gets three tries
        began = time.monotonic()
        os.kill(pids(program)[1], signal.SIGKILL)
        took.append(seconds_to_replace(program, began, len(took)))
    assert min(took) < 2, took
    found = re.search(
        rf"pynats: process 2 \({victim}\): killed by signal 9, requests in flight there: (\d+); starting another",
        program.stderr_text(),
    )
    assert found is not None
    lost = int(found[1])
    assert 0 < lost < 20
    assert len(asker.receive(20, timeout=3)) == 20 - lost
    asker.ask(subject, *[b"x"] * 20)
    assert program.stop() == 0
    assert re.match(rf"Answered {40 - lost} of 40 requests in .* {lost} lost, ", summary(program))


def test_one_that_a_signal_ends_answers_what_it_has_and_is_replaced(
    several: Callable[..., Program], asker: Asker, subject: str
) -> None:
    program = several("--command", "sh -c 'sleep 0.3; echo OK'")
    asker.send(subject, *[b"x"] * 4)
    program.wait_for("[#3]")
    os.kill(pids(program)[0], signal.SIGTERM)
    assert {answer.payload for answer in asker.receive(4)} == {b"OK\n"}
    program.wait_for("process 1 answers again")
    assert "process 1 (" in program.stderr_text()
    assert asker.ask(subject, b"x")[0].payload == b"OK\n"
    assert program.stop() == 0


def test_replacing_goes_on_while_the_server_is_away(server_factory: Any, runner: Runner) -> None:
    server = server_factory()
    program = runner.spawn("reply", "x", "OK", "--processes", "2", server=server, ready="processes answer")
    server.stop()
    os.kill(pids(program)[0], signal.SIGKILL)
    program.wait_for("process 1 (")
    program.wait_for("cannot start: nothing listens there")
    time.sleep(1)
    server.start()
    program.wait_for("process 1 answers again")
    program.wait_for("process 2: Reconnected")
    assert program.stderr_text().count("cannot start") == 1
    with Asker(server) as asker:
        asker.ask("x", *[b""] * 50)
    assert program.stop() == 0


# -- what goes wrong before anything is answered -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["OK {{Nope}}"], 2, "unknown template {{Nope}} at character 4 (BODY)"),
        (["--command", "no-such-program"], 2, "'no-such-program'"),
        (["OK"], 5, "127.0.0.1:1"),
    ],
    ids=["template", "command", "server"],
)
def test_it_fails_as_one_process_does(
    pynats: Runner, arguments: list[str], status: int, message: str
) -> None:
    run = pynats("reply", "x", *arguments, "--processes", "3", server="nats://127.0.0.1:1")
    alone = pynats("reply", "x", *arguments, server="nats://127.0.0.1:1")
    assert (run.status, run.stderr) == (status, alone.stderr)
    assert message in run.stderr


def test_without_a_queue_group_each_would_answer_every_request(pynats: Runner) -> None:
    run = pynats("reply", "x", "OK", "--processes", "2", "--queue", "", server="nats://127.0.0.1:1")
    assert run.status == 2
    assert "(--queue)" in run.errors[0]


def test_a_wrong_password_is_refused_with_its_status(server_factory: Any, pynats: Runner) -> None:
    server = server_factory("authorization { user: u, password: p }")
    run = pynats(
        "reply", "x", "OK", "--processes", "2", "--user", "u", "--password", "s3cr3t-no", server=server
    )
    assert run.status == 6
    assert run.stderr.count("pynats: error: ") == 1


# -- secrets -------------------------------------------------------------------------------------------------------


def test_a_password_reaches_the_processes_but_not_ps(server_factory: Any, spawn: Spawn) -> None:
    server = server_factory('authorization { user: u, password: "s3cr3t-hidden" }')
    program = spawn(
        "reply", "x", "OK", "--processes", "2", "--user", "u", "--password", "s3cr3t-hidden", server=server,
        ready="processes answer", anew=True,
    )  # fmt: skip
    for pid in [program.pid, *pids(program)]:
        for name in ("cmdline", "environ"):
            assert b"s3cr3t-hidden" not in Path(f"/proc/{pid}/{name}").read_bytes(), name
    with Asker(server, user="u", **{"pass": "s3cr3t-hidden"}) as asker:
        assert asker.ask("x", b"")[0].payload == b"OK"
    assert program.stop() == 0


def test_a_reference_is_resolved_once(
    server_factory: Any, spawn: Spawn, tmp_path: Path, runner: Runner
) -> None:
    server = server_factory('authorization { token: "s3cr3t-op" }')
    env = {"PATH": one_password(runner, tmp_path)}
    program = spawn(
        "reply", "x", "OK", "--processes", "2", "--token", "op://vault/nats/token", server=server, env=env,
        ready="processes answer",
    )  # fmt: skip
    assert (tmp_path / "asked").read_text() == "+\n"
    assert program.stop() == 0


# -- the panel -----------------------------------------------------------------------------------------------------


def test_the_panel_is_of_all_and_what_they_log_comes_above_it(
    runner: Runner, asker: Asker, subject: str, terminal: Terminal
) -> None:
    command = [sys.executable, "-m", "natscli", "reply", subject, "--command", "sh -c 'exit {{Request}}'"]
    process = subprocess.Popen(
        [*command, "--processes", "2", "--stats", "--server", asker.url], env=runner.environ,
        stdin=subprocess.DEVNULL, stdout=terminal.slave, stderr=terminal.slave,
    )  # fmt: skip
    terminal.wait_for(b"Requests")
    asker.ask(subject, *[b"0"] * 19, b"3")
    terminal.wait_for(b"command failed: exit status 3\n\xe2\x95\xad")
    process.terminate()
    assert process.wait(30) == 0
    terminal.wait_for(b"Answered 20 requests in")
    frame = re.sub(r"\x1b\[[0-9;]*m", "", terminal.shown.decode()).rpartition("╭")[2]
    assert re.search(r"│ Requests +20 ", frame), frame
    assert re.search(r"│ Errors +1, the last 500:command failed: exit status 3 ", frame), frame
    assert b"Received on" not in terminal.shown


# -- the memory they share -----------------------------------------------------------------------------------------


@pytest.fixture
def board() -> Iterator[Board]:
    board = Board.create(2)
    yield board
    board.delete()


def test_numbers_are_taken_once_by_several_processes(board: Board) -> None:
    program = (
        "import sys; from natscli.reply.processes.board import SharedNumbers, open_board\n"
        "numbers = SharedNumbers(open_board(int(sys.argv[1]), 2), 20_000)\n"
        "while not numbers.exhausted: print(*numbers.take(7))"
    )
    fd = board.reference
    assert isinstance(fd, int)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(fd)], pass_fds=(fd,), stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    taken = [int(number) for process in processes for number in process.communicate()[0].split()]
    assert sorted(taken) == list(range(20_000))
    assert SharedNumbers(board).take(0) == range(20_000, 20_000)


def test_times_are_kept_within_a_percent(board: Board) -> None:
    place = board.place(1)
    for nanoseconds in range(0, 10_000_000, 1000):
        place.record(nanoseconds, 1)
    place.record(-5, 1)
    seen = open_board(board.reference, 2).place(1).figures(1.0, sizes=False)
    assert seen.times.count == 10_001
    p50, p99, longest = seen.timings.values()
    assert abs(p50 - 5_000_000) < 50_000
    assert abs(p99 - 9_900_000) < 99_000
    assert longest == 9_999_000
    assert board.place(0).figures(1.0, sizes=False).times.count == 0


@pytest.mark.parametrize("nanoseconds", [0, 1, 127, 128, 255, 256, 257, 1 << 20, (1 << 45) + 1, 1 << 60])
def test_any_time_can_be_counted(board: Board, nanoseconds: int) -> None:
    place = board.place(1)
    place.record(nanoseconds, 3)
    figures = place.figures(1.0, sizes=False)
    assert (figures.times.count, figures.timings["max"]) == (3, nanoseconds)
    if nanoseconds < 1 << 45:
        assert abs(figures.timings["p50"] - nanoseconds) <= nanoseconds / 100


def test_the_last_error_of_several_processes_is_the_last_in_time(board: Board) -> None:
    first, second = board.place(0), board.place(1)
    second.last_error.set("500:late")
    first.last_error.set("500:early")
    first.failed_at, second.failed_at = 1, 2
    assert together([p.figures(1.0, sizes=False) for p in (first, second)], 1.0).last_error == "500:late"
    first.last_error.set("500:latest")
    first.failed_at = 3
    assert together([p.figures(1.0, sizes=False) for p in (first, second)], 1.0).last_error == "500:latest"


def test_texts_are_bounded_and_a_place_can_be_used_again(board: Board) -> None:
    place: SharedCounts = board.place(0)
    place.failure.set("ü" * 10_000)
    place.last_error.set("500:bad \udcff\0")
    place.listening = 1
    assert place.failure.get() == "ü" * 2048
    assert place.figures(1.0, sizes=True).last_error == "500:bad \ufffd\0"
    assert board.place(1).failure.get() == ""
    place.clear()
    assert (place.failure.get(), place.listening, place.in_flight) == ("", 0, 0)
