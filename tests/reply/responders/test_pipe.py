"""`pynats reply --pipe`: a program that goes on running answers real requests."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.asking import Answer, Asker
from tests.program import Program, Runner, until
from tests.servers import Server, process_exists

#: Reads requests as `r`, and says with `pid` in a file which process it is.
LOOP = """
import base64, json, os, sys, time
open("pids", "a").write(f"{os.getpid()}\\n")
def answer(r, **more):
    print(json.dumps({"id": r["id"], **more}), flush=True)
for line in sys.stdin:
    r = json.loads(line)
    data = r.get("data")
"""
ECHO = """
    answer(r, **{key: r[key] for key in ("data", "data_base64") if key in r})
"""


class Pipe:
    """A `pynats reply --pipe` with a Python program, and a connection that asks it."""

    def __init__(self, spawn: Callable[..., Program], server: Server, folder: Path) -> None:
        self._spawn = spawn
        self._server = server
        self.folder = folder
        self.subject = f"pipe.{folder.name}"
        self.program: Program
        self.asker = Asker(server)

    def run(self, body: str, *options: str, loop: str = LOOP) -> Pipe:
        (self.folder / "child.py").write_text(loop + body)
        return self.command(f"{shlex.quote(sys.executable)} -S child.py", *options)

    def command(self, line: str, *options: str) -> Pipe:
        self.program = self._spawn(
            "reply", self.subject, "--pipe", line, *options, server=self._server, cwd=self.folder
        )
        self.asker.wait_for_responder(self.subject)
        return self

    def ask(self, *payloads: bytes, header: bytes = b"") -> list[Answer]:
        return self.asker.ask(self.subject, *payloads, header=header)

    def one(self, payload: bytes = b"hi", header: bytes = b"") -> tuple[list[bytes], bytes]:
        """The header lines and the payload of a reply."""
        (answer,) = self.ask(payload, header=header)
        return answer.lines, answer.payload

    @property
    def pids(self) -> list[int]:
        """The processes of the program so far."""
        return [int(pid) for pid in (self.folder / "pids").read_text().split()]

    def logged(self, pattern: str) -> None:
        """Return when the log has a line with `pattern`."""
        self.program.wait_until(lambda: re.search(pattern, self.log) is not None, pattern)

    def received(self, count: int) -> None:
        """Return when the log has as many requests."""
        self.program.wait_until(lambda: self.log.count("Received") >= count, f"{count} requests")

    @property
    def log(self) -> str:
        return self.program.stderr_text()


@pytest.fixture
def pipe(spawn: Callable[..., Program], nats_server: Server, tmp_path: Path) -> Pipe:
    return Pipe(spawn, nats_server, tmp_path)


def error(code: int, text: str) -> list[bytes]:
    return [f"Nats-Service-Error: {text}".encode(), f"Nats-Service-Error-Code: {code}".encode()]


def memory(program: Program) -> int:
    """The bytes that a program has in memory."""
    resident = int(Path(f"/proc/{program.pid}/statm").read_text().split()[1])
    return resident * os.sysconf("SC_PAGE_SIZE")


def gone(pid: int) -> bool:
    return not process_exists(pid)


# -- answers -------------------------------------------------------------------------------------------------


def test_hostile_payloads_pass_both_ways_byte_for_byte(pipe: Pipe) -> None:
    payloads = [
        b"", b"\n", b'"}\n{"id":0,"data":"x"}\n', b"\r\n\0\x1b[2J\x7f", "\x85\u2028\u2029\U0001f600".encode(),
        b"\xff\xfe", bytes(range(256)), b"\xed\xa0\x80", b"\\ud800", os.urandom(500_000), b"\0" * 900_000,
    ]  # fmt: skip
    pipe.run(ECHO)
    assert [answer.payload for answer in pipe.ask(*payloads)] == payloads
    assert pipe.program.stop() == 0


def test_the_program_gets_subject_and_headers(pipe: Pipe) -> None:
    pipe.run("    answer(r, json=r)\n")
    lines, payload = pipe.one(header=b"NATS/1.0\r\nA: 1\r\nB: \xff\r\nA: 2\r\n\r\n")
    value = json.loads(payload)
    assert lines == [b"Content-Type: application/json"]
    assert value["headers"] == {"A": ["1", "2"], "B": ["�"]}
    assert (value["subject"], value["data"]) == (pipe.subject, "hi")


#: What a program answers, and the header lines and the payload of the reply.
ANSWERS: list[tuple[str, list[bytes], bytes]] = [
    ('data="x", headers={"A": "1", "B": ["2", "3"]}', [b"A: 1", b"B: 2", b"B: 3"], b"x"),
    ('headers=[["B", "2"], ["a", "1"], ["B", "3"]]', [b"B: 2", b"a: 1", b"B: 3"], b""),
    ('headers_base64="TkFUUy8xLjANClg6ICD/DQoNCg=="', [b"X:  \xff"], b""),
    ('data_base64="/wA="', [], b"\xff\0"),
    ("json={'a': [1]}", [b"Content-Type: application/json"], b'{"a":[1]}'),
    ("status=404, error='no such\\ncity', data='x'", error(404, "no such city"), b"x"),
    ("status=404", error(404, "not found"), b""),
    ("error='broken'", error(500, "broken"), b""),
    ("data='{{Count}} %s'", [], b"{{Count}} %s"),
]  # fmt: skip


def test_an_answer_has_the_keys_of_a_mock_file(pipe: Pipe) -> None:
    pipe.run("    answer(r, **eval(f'dict({data})'))\n")
    for answer, lines, payload in ANSWERS:
        assert pipe.one(answer.encode()) == (lines, payload), answer


def test_the_request_changed_is_an_answer(pipe: Pipe) -> None:
    pipe.run("    print(json.dumps(r | {'data': data.upper()}), flush=True)\n")
    assert pipe.one(b"up") == ([], b"UP")
    assert pipe.one(b"up", b"NATS/1.0\r\nA: 1\r\n\r\n") == ([b"A: 1"], b"UP")


def test_a_program_that_writes_without_end_holds_up_nothing(pipe: Pipe) -> None:
    """It reads nothing: what is asked is answered in time, and the end is not held up either."""
    pipe.command("yes", "--command-timeout", "300ms")
    assert pipe.one() == (error(504, "no answer within 300ms"), b"")
    pipe.logged(r"(?m)a line of the program is no answer .*: y$")
    assert pipe.program.stop() == 0
    assert len(pipe.log) < 100_000


def test_headers_of_all_replies_are_added_to_those_of_the_program(pipe: Pipe) -> None:
    body = "    answer(r, data='x', **({'headers': {'A': '1'}} if data else {}))\n"
    pipe.run(body, "-H", "Own:{{Request}}")
    assert pipe.one(b"r") == ([b"Own: r", b"A: 1"], b"x")
    assert pipe.one(b"") == ([b"Own: "], b"x")


def test_a_delay_is_waited_for_and_holds_up_nothing_else(pipe: Pipe) -> None:
    pipe.run("    answer(r, data=data, **({'delay': '300ms'} if data == 'late' else {}))\n")
    pipe.asker.send(pipe.subject, b"late", b"soon")
    first, second = pipe.asker.receive(2)
    assert (first.payload, second.payload) == (b"soon", b"late")
    assert second.seconds >= 0.3


def test_no_delay_is_longer_than_the_time_of_the_request(pipe: Pipe) -> None:
    pipe.run("    answer(r, delay=9e9 if data else 0)\n", "--command-timeout", "300ms")
    assert pipe.one() == ([], b"")
    assert pipe.program.stop() == 0


def test_answers_come_in_any_order(pipe: Pipe) -> None:
    body = """
    kept = globals().setdefault("kept", [])
    if not data:
        answer(r)
        continue
    kept.append(r)
    if len(kept) == 100:
        for r in kept[::-2] + kept[::2]:
            answer(r, data=r["data"])
"""
    pipe.run(body)
    payloads = [b"%d" % n for n in range(1, 101)]
    assert [answer.payload for answer in pipe.ask(*payloads)] == payloads


#: What a program answers, and why it is wrong.
WRONG = {
    "data='\\ud800'": "data: not a text: half of a character",
    "data=1": "data: expected a string",
    "dta='x'": "dta: unknown key 'dta'",
    "data_base64='?'": "data_base64: not base64",
    "data='', json=1": "exclude each other",
    "json=float('inf')": "json: JSON has neither NaN nor infinity",
    "headers={'a b': 'x'}": "invalid header name",
    "headers={'A': 'x\\r\\nB: y'}": "has a line break in it",
    "headers=1": "headers: expected an object",
    "status=99": "a status is a number from 100 to 999",
    "delay='soon'": "delay: ",
    "delay=1e300": "delay: '1e+300' is too long: durations have 292 years at most",
    "data='x' * 7_000_000": "longer than 6356992 bytes",
}


def test_an_answer_that_is_wrong_is_an_error_and_logged(pipe: Pipe) -> None:
    pipe.run("    answer(r, **eval(f'dict({data})'))\n")
    for answer, why in WRONG.items():
        assert pipe.one(answer.encode()) == (error(502, "the answer of the program is wrong"), b""), answer
        pipe.logged(rf"\[#\d+\] the answer of the program is wrong: .*{re.escape(why)}")
    assert pipe.one(b"") == ([], b"")


def test_an_answer_that_the_server_would_not_take_is_an_error(pipe: Pipe) -> None:
    pipe.run("    answer(r, data='x' * int(data or 0))\n")
    assert pipe.one(b"1048577") == (error(500, "the reply has 1048577 bytes, the server takes 1048576"), b"")
    assert len(pipe.one(b"1048576")[1]) == 1048576


@pytest.mark.alone  # the lines of each second are bounded
def test_lines_that_are_no_answers_are_logged_escaped_and_bounded(pipe: Pipe) -> None:
    body = """
    print("starting \\x1b[2J")
    print()
    print('{"id": 999999, "data": "x"}')
    for n in range(5000 if data else 0):
        print("x" * 10_000)
    answer(r)
"""
    pipe.run(body)
    assert pipe.one() == ([], b"")
    pipe.program.wait_for("more lines of the program that are no answers not shown: ")
    log = pipe.log
    assert "a line of the program is no answer (not an object of JSON): starting \\x1b[2J\n" in log
    assert "an answer to no request that waits for one, late or the second: id 999999\n" in log
    assert "\x1b" not in log
    assert len(log) < 50_000


@pytest.mark.alone  # the lines of each second are bounded
def test_stderr_of_the_program_is_logged_line_by_line_and_bounded(pipe: Pipe) -> None:
    body = """
    print("one\\n\\x1b]0;title\\x07two \\xff \\u2028", file=sys.stderr)
    sys.stderr.write("no line end")
    sys.stderr.flush()
    for n in range(5000 if data else 0):
        print("x" * 10_000, file=sys.stderr)
    answer(r)
"""
    pipe.run(body)
    assert pipe.one() == ([], b"")
    pipe.program.wait_for("more lines of stderr not shown: ")
    name = os.path.basename(sys.executable)
    pipe.logged(rf"(?m)^[\d-]{{10}} \d\d:\d\d:\d\d \[{name}\] one$")
    assert "] \\x1b]0;title\\x07two " in pipe.log
    assert not re.search("[\x1b\x07\u2028]", pipe.log)
    assert len(pipe.log) < 300_000
    assert pipe.program.stop() == 0
    assert "] no line end" in pipe.log


# -- a program that is slow, stopped, or dies ----------------------------------------------------------------


def test_a_request_that_is_not_answered_in_time_is_an_error_and_a_late_answer_is_logged(pipe: Pipe) -> None:
    pipe.run("    time.sleep(0.6 if data == 'slow' else 0)\n    answer(r)\n", "--command-timeout", "200ms")
    assert pipe.one(b"slow") == (error(504, "no answer within 200ms"), b"")
    until(lambda: pipe.one(b"") == ([], b""))
    pipe.logged(r"\[#\d+\]: no answer within 200ms")
    pipe.logged("late or the second: id")


@pytest.mark.alone
def test_a_program_that_stops_reading_does_not_hold_up_the_rest(pipe: Pipe) -> None:
    pipe.run("    time.sleep(60 if data else 0)\n    answer(r)\n", "--command-timeout", "4s")
    started, before = time.monotonic(), pipe.log.count("Received")
    for part in range(2):  # the server ends a connection for which 64 MB wait
        pipe.asker.send(pipe.subject, *[b"x" * 500_000] * 100)
        received = before + 100 * (part + 1)
        pipe.received(received)
    answers = pipe.asker.receive(200)
    assert len(answers) == 200
    assert time.monotonic() - started < 20
    codes = {answer.lines[1].split()[-1] for answer in answers}
    assert codes == {b"503", b"504"}
    pipe.logged("requests refused with code 503")
    (child,) = pipe.pids
    assert pipe.program.stop() == 0
    until(lambda: gone(child))


def test_a_program_that_is_killed_is_started_again_and_what_it_had_is_an_error(pipe: Pipe) -> None:
    pipe.run("    if data == 'never':\n        continue\n" + ECHO)
    pipe.asker.send(pipe.subject, b"never", b"never")
    assert pipe.one() == ([], b"hi")
    os.kill(pipe.pids[0], signal.SIGKILL)
    lost = pipe.asker.receive(2)
    assert [answer.lines for answer in lost] == [
        error(502, "the program ended before it answered: killed by signal 9")
    ] * 2
    assert pipe.one() == ([], b"hi")
    notice = (
        "the program ended: killed by signal 9; requests answered with 502: 2; starting it again in 100ms"
    )
    pipe.logged(notice)
    assert len(pipe.pids) == 2
    assert pipe.program.stop() == 0


def test_requests_under_load_are_all_answered_while_the_program_is_killed_again_and_again(pipe: Pipe) -> None:
    pipe.run(ECHO)
    stop = threading.Event()

    def kill() -> None:
        while not stop.wait(0.4):
            pid = pipe.pids[-1]
            if process_exists(pid):
                os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        payloads = [b"%d" % n for n in range(200)]
        good = 0
        deadline = time.monotonic() + 60
        while good < 2000 or len(pipe.pids) < 5:
            assert time.monotonic() < deadline
            for answer in pipe.ask(*payloads):  # there is one to each
                assert not answer.lines or answer.lines[1] == b"Nats-Service-Error-Code: 502"
                good += not answer.lines
    finally:
        stop.set()
        killer.join()
    assert pipe.program.stop() == 0


def test_a_program_that_ends_at_once_is_started_less_and_less_often(pipe: Pipe) -> None:
    started = time.monotonic()
    pipe.run("", loop="import sys; open('pids', 'a').write('1\\n'); sys.exit(3)\n")
    until(lambda: len(pipe.pids) >= 4)
    assert 0.1 * (2 ** (len(pipe.pids) - 1) - 1) < time.monotonic() - started
    (answer,) = pipe.ask(b"x")
    assert answer.lines[1] == b"Nats-Service-Error-Code: 502"
    assert answer.seconds < 10  # and not --command-timeout
    pipe.logged("the program ended: exit status 3; ")
    assert pipe.program.stop() == 0


def test_requests_wait_for_a_program_that_is_started_again(pipe: Pipe) -> None:
    def ended(times: int) -> bool:
        return pipe.log.count("the program ended") >= times

    pipe.run(ECHO + "    break\n")
    for times in range(1, 4):
        until(partial(ended, times))
        assert pipe.one() == ([], b"hi")


def test_what_the_program_started_ends_with_it(pipe: Pipe) -> None:
    body = """
    import subprocess
    if data == "start":
        other = subprocess.Popen(["sleep", "60"])
        answer(r, data=str(other.pid))
        os._exit(1)
    answer(r)
"""
    pipe.run(body)
    other = int(pipe.one(b"start")[1])
    until(lambda: gone(other))
    assert pipe.one() == ([], b"")


def test_a_program_that_closes_its_output_is_replaced(pipe: Pipe) -> None:
    pipe.run(
        "    answer(r)\n    if data == 'close':\n        os.close(1)\n        os.close(0)\n        time.sleep(60)\n"
    )
    assert pipe.one(b"close") == ([], b"")
    until(lambda: len(pipe.pids) == 2)
    assert pipe.one() == ([], b"")


def test_concurrency_bounds_what_the_program_has_at_once(pipe: Pipe) -> None:
    body = """
    if data == "last":
        os._exit(1)
    answer(r, data=data)
"""
    pipe.run(body, "--concurrency", "1")
    answers = pipe.ask(b"a", b"last", b"b")
    assert [(answer.payload, len(answer.lines)) for answer in answers] == [(b"a", 0), (b"", 2), (b"b", 0)]


# -- the end -------------------------------------------------------------------------------------------------


def test_stopping_waits_for_answers_and_closes_the_input(pipe: Pipe) -> None:
    pipe.run(
        "    time.sleep(0.3 if data else 0)\n    answer(r, data='done')\nprint('closed', file=sys.stderr)\n"
    )
    pipe.asker.send(pipe.subject, b"x", b"y")
    until(lambda: pipe.program.stdout_bytes().count(b"y"))
    assert pipe.program.stop() == 0
    assert [answer.payload for answer in pipe.asker.receive(2)] == [b"done", b"done"]
    assert "] closed" in pipe.log
    assert "the program ended" not in pipe.log
    assert gone(pipe.pids[0])


@pytest.mark.parametrize("ignored", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN)"])
def test_a_program_that_does_not_end_by_itself_is_ended(pipe: Pipe, ignored: str) -> None:
    body = f"    answer(r)\nimport signal, subprocess\n{ignored}\nsubprocess.run(['sleep', '60'])\n"
    pipe.run(body)
    started = time.monotonic()
    assert pipe.program.stop() == 0
    assert time.monotonic() - started < 15
    until(lambda: gone(pipe.pids[0]))


def test_a_second_signal_ends_the_program_at_once(pipe: Pipe) -> None:
    pipe.run("    answer(r) if not data else time.sleep(60)\n")
    pipe.asker.send(pipe.subject, b"x")
    until(lambda: pipe.program.stdout_bytes().strip().endswith(b"x"))
    pipe.program.send_signal(signal.SIGTERM)
    pipe.program.wait_for("Draining")
    pipe.program.send_signal(signal.SIGTERM)
    assert pipe.program.wait(5) != 0
    until(lambda: gone(pipe.pids[0]))


def test_a_program_whose_pynats_is_killed_sees_the_end_of_its_input(pipe: Pipe) -> None:
    pipe.run(ECHO)
    pipe.program.send_signal(signal.SIGKILL)
    pipe.program.wait()
    until(lambda: gone(pipe.pids[0]))


def test_count_ends_after_so_many_requests(pipe: Pipe) -> None:
    pipe.run(ECHO, "--count", "5000")
    pipe.asker.send(pipe.subject, *[b"x"] * 5000)
    assert len(pipe.asker.receive(4999)) == 4999
    assert pipe.program.wait() == 0


# -- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("no-such-program", "cannot run 'no-such-program': not found, or not executable (--pipe)"),
        ("", "the command is empty (--pipe)"),
        ("jq 'x", "cannot split the command: no closing quotation (--pipe)"),
        ("cat | cat", "'|' is for a shell, and the command is run without one (--pipe)"),
        ("while read line", "'while' is a command of the shell, and is run without one (--pipe)"),
    ],
)
def test_what_cannot_run_is_refused_before_connecting(pynats: Runner, line: str, problem: str) -> None:
    run = pynats("reply", "x", "--pipe", line, server="nats://127.0.0.1:1")
    assert run.status == 2
    assert run.errors[0] == f"pynats: error: {problem}"
    assert "for a shell" not in problem or "hint: for a shell: --pipe" in run.errors[1]


def test_only_one_thing_answers(pynats: Runner) -> None:
    run = pynats("reply", "x", "--pipe", "cat", "--command", "cat")
    assert (run.status, run.errors[0]) == (2, "pynats: error: --command and --pipe exclude each other")


def test_a_program_that_cannot_be_started_is_an_error(
    pipe: Pipe, pynats: Runner, nats_server: Server, tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_bytes(b"\x7fELF nothing")
    script.chmod(0o755)
    run = pynats("reply", pipe.subject, "--pipe", str(script), server=nats_server)
    assert (run.status, run.errors[-1]) == (1, "pynats: error: cannot start the program: exec format error")


def test_words_are_as_they_were_written(pipe: Pipe) -> None:
    (pipe.folder / "child.py").write_text(LOOP + "    answer(r, json=sys.argv[1:])\n")
    pipe.command(f"""{shlex.quote(sys.executable)} child.py '{{{{Count}}}} %s' "a b" '' $HOME""")
    assert json.loads(pipe.one()[1]) == ["{{Count}} %s", "a b", "", "$HOME"]


def test_a_program_may_answer_several_times(
    nats_server: Server, spawn: Callable[..., Program], runner: Runner, tmp_path: Path
) -> None:
    (runner.directory / "many.py").write_text(
        "import json, sys, time\n"
        "for line in sys.stdin:\n"
        "    id = json.loads(line)['id']\n"
        "    for n in range(3):\n"
        "        time.sleep(0.7)\n"
        "        print(json.dumps({'id': id, 'data': str(n), 'more': True}), flush=True)\n"
        "    print(json.dumps({'id': id}), flush=True)\n"
    )
    command = ("--pipe", f"'{sys.executable}' many.py", "--command-timeout", "2s")  # for each, not for all
    program = spawn("reply", tmp_path.name, *command, server=nats_server)
    with Asker(nats_server) as asker:
        asker.send(tmp_path.name, b"x")
        answers = asker.receive(4)
    assert [answer.payload for answer in answers] == [b"0", b"1", b"2", b""]
    assert answers[3].seconds - answers[0].seconds > 0.2
    assert program.stop() == 0
    assert "Answered 1 request " in program.stderr_text()


#: Answers without end until it is told to stop. A request has the seconds between two answers, and their bytes.
ENDLESS = """
import json, queue, sys, threading, time
asked, stopped = queue.Queue(), set()
def read():
    for line in sys.stdin:
        r = json.loads(line)
        print("got", line, end="", file=sys.stderr, flush=True)
        stopped.add(r["id"]) if r.get("stop") else asked.put(r)
    asked.put(None)
threading.Thread(target=read, daemon=True).start()
while r := asked.get():
    count = 0
    while r["data"] and r["id"] not in stopped:
        pause, size = r["data"].split()
        count += 1
        print(json.dumps({"id": r["id"], "data": str(count).ljust(int(size)), "more": True}), flush=True)
        time.sleep(float(pause))
    print(json.dumps({"id": r["id"]}), flush=True)
"""


@pytest.mark.parametrize("pause", [b"0", b"0.1"])
def test_a_program_is_told_that_the_requester_of_several_replies_is_gone(
    pipe: Pipe, nats_server: Server, pause: bytes
) -> None:
    pipe.run("", loop=ENDLESS)
    with Asker(nats_server) as asker:
        asker.send(pipe.subject, pause + b" 0")
        assert [answer.payload for answer in asker.receive(5)] == [b"1", b"2", b"3", b"4", b"5"]
    gone = time.monotonic()
    pipe.logged(r'got \{"id":\d+,"stop":true\}')
    assert time.monotonic() - gone < 2  # 1, and what a busy machine takes
    assert pipe.one(b"") == ([], b"")  # the next request
    assert pipe.program.stop() == 0
    assert "1 error" in pipe.log
    assert "an answer to no request" not in pipe.log  # what it answered after that


def test_a_program_that_answers_without_end_is_stopped_by_the_drain(pipe: Pipe) -> None:
    pipe.run("", loop=ENDLESS)
    pipe.asker.send(pipe.subject, b"0.05 0")
    assert len(pipe.asker.receive(3)) == 3
    pipe.program.send_signal(signal.SIGTERM)
    while not (answer := pipe.asker.receive(1)[0]).lines:
        pass
    assert answer.lines == error(503, "the responder is stopping")
    assert pipe.program.wait() == 0
    assert '"stop":true' in pipe.log


def test_a_program_that_goes_on_too_late_is_told_to_stop(pipe: Pipe) -> None:
    pipe.run("", "--command-timeout", "300ms", loop=ENDLESS)
    pipe.asker.send(pipe.subject, b"0.6 0")
    first, last = pipe.asker.receive(2)
    assert first.payload == b"1"
    assert last.lines == error(504, "no answer within 300ms")
    pipe.logged('"stop":true')
    assert pipe.program.stop() == 0


def test_a_program_that_answers_without_end_waits_for_the_server(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], tmp_path: Path
) -> None:
    (tmp_path / "endless.py").write_text(ENDLESS)
    server = server_factory()
    program = spawn(
        "reply", "endless", "--pipe", f"'{sys.executable}' endless.py", server=server, cwd=tmp_path
    )
    with Asker(server) as asker:
        asker.wait_for_responder("endless")
        asker.send("endless", b"0 50000")
        asker.receive(100)
        before = memory(program)
        with server.paused():
            time.sleep(1.5)  # in which it would write some hundred megabytes
            assert memory(program) - before < 20_000_000
        assert len(asker.receive(1000)) == 1000
    program.wait_for('"stop":true')
    assert program.stop() == 0
