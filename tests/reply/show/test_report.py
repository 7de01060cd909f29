"""The statistics of `pynats reply`: at the end, on SIGUSR1, and with `--stats` all the time."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from natscli.environment import Environment
from natscli.histogram import Histogram
from natscli.output.pump import Pump
from natscli.reply.figures import Figures
from natscli.reply.show.report import StatisticsReporter
from tests.asking import Asker
from tests.program import Program, Runner
from tests.terminal import Terminal

Spawn = Callable[..., Program]

LINE = r"Answered (\d+) requests? in [\d.]+m?s \([\d.,]+/s\)"
TIMES = r"p50 [\d.]+\wm?s, p99 [\d.]+[µm]s, max [\d.]+[µm]s"


STARTED: list[subprocess.Popen[bytes]] = []


@pytest.fixture(autouse=True)
def _none_is_left() -> Iterator[None]:
    """A test that fails leaves nothing running."""
    yield
    while STARTED:
        process = STARTED.pop()
        process.kill()
        process.wait()


def figures(answered: int = 0, **changes: Any) -> Figures:
    times = Histogram()
    times.record(1_000_000, answered)
    return Figures(
        seconds=2.0, requests=answered, answered=answered, in_flight=0, errors=0, last_error="",
        unanswerable=0, lost=0, size=None, times=times,
    )._replace(**changes)  # fmt: skip


# -- the summary ---------------------------------------------------------------------------------------------------


def test_it_ends_with_a_line_that_sums_up(spawn: Spawn, asker: Asker, subject: str) -> None:
    program = spawn("reply", subject, "--command", "sh -c 'exit {{Request}}'", server=asker.url)
    asker.ask(subject, b"0", b"1", b"0")
    asker.send(subject, b"0", reply=b"")
    program.wait_for("[#3]")
    assert program.stop() == 0
    summary = program.stderr_text().splitlines()[-1]
    assert re.fullmatch(LINE + r": 1 error, 1 without a reply subject, p50 .*s, p99 .*s, max .*s", summary), (
        summary
    )


def test_with_json_the_last_line_is_an_object(spawn: Spawn, asker: Asker, subject: str) -> None:
    program = spawn("reply", subject, "--json", "--command", "sh -c 'exit {{Request}}'", server=asker.url)
    asker.ask(subject, b"0", b"3")
    assert program.stop() == 0
    found = json.loads(program.stderr_text().splitlines()[-1])
    assert (found["requests"], found["answered"], found["errors"], found["in_flight"]) == (2, 2, 1, 0)
    assert found["last_error"] == "500:command failed: exit status 3"
    assert 0 < found["time_ns"]["p50"] <= found["time_ns"]["p99"] <= found["time_ns"]["max"]
    assert 0 < found["seconds"] < 60
    assert len(program.stdout_bytes().splitlines()) == 2  # the requests, and nothing else


def test_quiet_silences_the_summary(spawn: Spawn, asker: Asker, subject: str) -> None:
    program = spawn("reply", subject, "OK", "--quiet", server=asker.url, ready="")
    asker.wait_for_responder(subject)
    assert program.stop() == 0
    assert program.stderr_text() == ""


def test_without_a_connection_there_is_nothing_to_sum_up(pynats: Runner) -> None:
    run = pynats("reply", "x", "OK", server="nats://127.0.0.1:1")
    assert run.status == 5
    assert "Answered" not in run.stderr


def test_stopped_at_once_it_says_what_was_in_flight(spawn: Spawn, asker: Asker, subject: str) -> None:
    program = spawn("reply", subject, "--command", "sleep 1000", server=asker.url)
    asker.send(subject, b"x")
    program.wait_for("[#0]")
    program.send_signal(signal.SIGINT)
    program.wait_for("Draining")
    assert program.stop(signal.SIGINT) == 130
    *_, summary, error = program.stderr_text().splitlines()
    assert re.fullmatch(r"Answered 0 of 1 request in .*: 0 errors, 1 in flight", summary)
    assert error == "pynats: error: interrupted"


# -- at any time ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [[], ["--quiet"]], ids=["log", "quiet"])
def test_sigusr1_logs_the_statistics(spawn: Spawn, asker: Asker, subject: str, flags: list[str]) -> None:
    program = spawn("reply", subject, "OK", *flags, server=asker.url, ready="")
    asker.wait_for_responder(subject)
    while "pynats: Answered" not in program.stderr_text():
        os.kill(
            program.pid, signal.SIGUSR1
        )  # it answers a moment before it knows that the server has taken all
        time.sleep(0.05)
    asker.ask(subject, *[b"x"] * 50)
    os.kill(program.pid, signal.SIGUSR1)
    program.wait_for("pynats: Answered 5")
    asker.ask(subject, *[b"x"] * 50)
    os.kill(program.pid, signal.SIGUSR1)
    program.wait_for("pynats: Answered 10")
    assert program.stop() == 0


def test_sigusr1_logs_an_object_with_json(spawn: Spawn, asker: Asker, subject: str) -> None:
    program = spawn("reply", subject, "OK", "--json", server=asker.url)
    asker.ask(subject, b"x")
    os.kill(program.pid, signal.SIGUSR1)
    program.wait_for('"answered": 1')
    assert json.loads(program.stderr_text().splitlines()[-1])["requests"] == 1


# -- the panel -----------------------------------------------------------------------------------------------------


def start(runner: Runner, asker: Asker, *arguments: str, **streams: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "natscli", "reply", *arguments, "--stats", "--server", asker.url]
    process = subprocess.Popen(command, env=runner.environ, stdin=subprocess.DEVNULL, **streams)
    STARTED.append(process)
    return process


def last_frame(shown: bytes) -> str:
    """The panel as it was drawn last, without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).rpartition("╭")[2]


def test_a_terminal_shows_one_panel_in_place_of_the_requests(
    runner: Runner, asker: Asker, subject: str, terminal: Terminal
) -> None:
    process = start(runner, asker, subject, "OK!", stdout=terminal.slave, stderr=terminal.slave)
    terminal.wait_for(b"Requests")
    asker.ask(subject, *[b"hi"] * 500)
    terminal.wait_for(b"500")
    process.terminate()
    assert process.wait(30) == 0
    terminal.wait_for(b"Answered 500 requests")
    frame = last_frame(terminal.shown)
    for row in (
        r"Requests +500 ", r"Answered +500 ", r"Rate +[\d,.]+/s now, [\d,.]+/s over all ", r"In flight +0 ",
        r"Errors +0 ", r"Time +p50 \S+s, p99 \S+s, max \S+s ", r"Bytes +1 kB in, 1.5 kB out ",
    ):  # fmt: skip
        assert re.search(f"│ {row}.*│", frame), (row, frame)
    assert b"Received on" not in terminal.shown
    assert b"hi\n" not in terminal.shown


def test_the_panel_is_drawn_at_most_five_times_a_second(
    runner: Runner, asker: Asker, subject: str, terminal: Terminal
) -> None:
    process = start(runner, asker, subject, "OK", stdout=terminal.slave, stderr=terminal.slave)
    terminal.wait_for(b"Requests")
    began, before = time.monotonic(), terminal.shown.count("╭".encode())
    while time.monotonic() < began + 2:
        asker.ask(subject, *[b"x"] * 20)
        terminal.read()
    drawn = terminal.shown.count("╭".encode()) - before
    assert 1 <= drawn <= 5 * (time.monotonic() - began) + 2
    process.kill()
    process.wait()


def test_lines_of_the_log_stay_above_the_panel(
    runner: Runner, asker: Asker, subject: str, terminal: Terminal
) -> None:
    line = ["--command", "sh -c 'exit 3'"]
    process = start(runner, asker, subject, *line, stdout=terminal.slave, stderr=terminal.slave)
    terminal.wait_for(b"Requests")
    asker.ask(subject, b"x")
    terminal.wait_for(b"command failed: exit status 3")
    terminal.wait_for(b"the last 500:command failed")
    height = last_frame(terminal.shown).count("\n")
    process.terminate()
    assert process.wait(30) == 0
    terminal.wait_for(b"Answered 1 request in")
    # The panel is erased, the line takes its place, and the panel comes again below it.
    assert re.search(
        rb"\x1b\[%dF\x1b\[J\S*pynats: \S*\[#0\] command failed: exit status 3\n\xe2\x95\xad" % height,
        terminal.shown,
    ), terminal.shown


def test_payloads_still_go_to_a_file(
    runner: Runner, asker: Asker, subject: str, terminal: Terminal, tmp_path: Path
) -> None:
    with (tmp_path / "out").open("wb") as file:
        process = start(runner, asker, subject, "OK", stdout=file, stderr=terminal.slave)
    terminal.wait_for(b"Requests")
    asker.ask(subject, b"one", b"two")
    process.terminate()
    assert process.wait(30) == 0
    assert (tmp_path / "out").read_bytes() == b"one\ntwo\n"


def test_without_a_terminal_there_is_no_panel_and_no_line_for_each_request(
    spawn: Spawn, asker: Asker, subject: str
) -> None:
    program = spawn("reply", subject, "OK", "--stats", server=asker.url)
    asker.ask(subject, b"one", b"two")
    assert program.stop() == 0
    listening, summary = program.stderr_text().splitlines()
    assert "Listening on" in listening
    assert re.fullmatch(LINE + r": 0 errors, p50 .*, max .*, 6 B in, 4 B out", summary)
    assert program.stdout_bytes() == b"one\ntwo\n"


def test_without_a_terminal_a_line_is_written_when_there_is_something_new() -> None:
    stderr = io.BytesIO()
    environment = Environment(io.BytesIO(), io.BytesIO(), stderr, {})
    now = figures(0)
    report = StatisticsReporter(environment, lambda seconds: now._replace(seconds=seconds), "x", live=True)
    assert report.interval == 10
    report.begin(Pump(environment, lossy=True, on_failure=lambda error: None))
    report.tick()
    assert stderr.getvalue() == b""
    now = figures(3)
    report.tick()
    report.tick()
    (line,) = stderr.getvalue().decode().splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d Answered 3 requests in .* \(.*/s, now .*/s\): 0 errors, .*", line)
    now = figures(3, requests=4, in_flight=1)
    report.tick()
    assert "Answered 3 of 4 requests" in stderr.getvalue().decode().splitlines()[1]


def test_the_rate_of_late_is_that_of_the_last_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now, seen = 100.0, []
    monkeypatch.setattr("natscli.reply.show.report.time.monotonic", lambda: now)
    environment = Environment(io.BytesIO(), io.BytesIO(), io.BytesIO(), {})
    answered = 0
    report = StatisticsReporter(environment, lambda seconds: figures(answered), "x")
    report.begin(Pump(environment, lossy=True, on_failure=lambda error: None))
    for _ in range(20):
        now, answered = now + 0.25, answered + 100
        seen.append(report._measured().rate_now)
    for _ in range(5):
        now += 0.25
        seen.append(report._measured().rate_now)
    assert seen[0] == seen[19] == 400
    assert seen[-1] == 0


def test_statistics_and_quiet_exclude_each_other(pynats: Runner) -> None:
    run = pynats("reply", "x", "OK", "--stats", "--quiet", server="nats://127.0.0.1:1")
    assert (run.status, run.errors[0]) == (2, "pynats: error: --stats and --quiet exclude each other")


def test_rich_is_loaded_only_to_draw_the_panel(runner: Runner, asker: Asker, subject: str) -> None:
    command = [
        sys.executable,
        "-X",
        "importtime",
        "-m",
        "natscli",
        "reply",
        subject,
        "x",
        "--stats",
        "--count",
        "1",
    ]
    process = subprocess.Popen(
        [*command, "--server", asker.url],
        env=runner.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    asker.wait_for_responder(subject)
    _, stderr = process.communicate(timeout=30)
    loaded = {line.rpartition(b"|")[2].strip() for line in stderr.splitlines()}
    assert b"natscli.reply.show.report" in loaded
    assert b"rich" not in loaded
