"""Many requests, or many replies, on a terminal: what a person reads, and no more."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
import tty
from collections.abc import Callable
from contextlib import suppress

import pytest

from natscli.message import headers
from tests.program import Run, Runner
from tests.request.responders import Answer, Request, Responders
from tests.request.terminals import run_on_terminal
from tests.servers import Server

Ask = Callable[..., Run]
LOAD = ("--count", "50", "--color", "never")
#: What begins each picture of the progress, and what follows the last.
EMPTY_LINE = "\r\x1b[2K"


def slow(request: Request) -> list[Answer]:
    return [Answer(b"payload", after=0.03)]


def gathered(request: Request) -> list[Answer]:
    block = headers.encode([("Responder", "al\x1b[2Jpha")])
    return [Answer(b"first\nsecond line", block), Answer(b"\x1b[31mred", after=0.1), Answer(b"")]


def read_all(master: int) -> bytes:
    """What a terminal still gets, until its other side is closed."""
    output = b""
    with suppress(OSError):
        while chunk := os.read(master, 65536):
            output += chunk
    os.close(master)
    return output


def test_a_load_shows_its_progress_and_a_summary_with_a_histogram_but_no_payloads(
    runner: Runner, nats_server: Server, responders: Responders
) -> None:
    status, output = run_on_terminal(runner, "request", responders(slow), "x", *LOAD, server=nats_server)
    text = output.decode()
    assert (status, "payload" in text, "Received" in text) == (0, False, False)
    *frames, last = text.split(EMPTY_LINE)
    bars = [frame for frame in frames if frame and "NATS_URL" not in frame]
    assert bars
    for bar in bars:
        assert re.fullmatch(r"[━╸╺ ]+ +\d+%  \d+ done, 0 failed, \d+/s, \S+ left", bar)
        assert len(bar) < 80
    sent, rate, *rtt = (line for line in last.splitlines() if not line.startswith("≤"))
    histogram = [line for line in last.splitlines() if line.startswith("≤")]
    assert sent == "Sent 50, answered 50, failed 0"
    assert re.fullmatch(r"Rate [\d.]+/s for [\d.]+s, 50 B sent, 350 B received", rate)
    assert rtt[0].startswith("RTT min ")
    assert max(map(len, rtt)) < 80
    assert sum(int(line.split()[-2]) for line in histogram) == 50
    assert {len(line) for line in histogram} == {80}


def test_verbose_shows_everything(runner: Runner, nats_server: Server, responders: Responders) -> None:
    status, output = run_on_terminal(
        runner, "request", responders(), "p{{Count}}", "--count", "3", "--verbose", server=nats_server
    )
    lines = output.decode().splitlines()
    assert status == 0
    assert [line for line in lines if re.fullmatch(r"p\d", line)] == ["p1", "p2", "p3"]
    assert sum("Sending" in line for line in lines) == 3


@pytest.mark.parametrize("how", [("--raw",), ("--json",), ("--quiet",)])
def test_payloads_that_are_asked_for_are_shown(
    runner: Runner, nats_server: Server, responders: Responders, how: tuple[str, ...]
) -> None:
    _, output = run_on_terminal(
        runner, "request", responders(), "p{{Count}}", "--count", "3", *how, server=nats_server
    )
    assert all(payload in output for payload in (b"p1", b"p2", b"p3"))
    assert EMPTY_LINE.encode() not in output


def test_lines_of_standard_input_are_answered_one_by_one(
    runner: Runner, nats_server: Server, responders: Responders
) -> None:
    _, output = run_on_terminal(
        runner, "request", responders(), "--send-on", "newline", server=nats_server, typed=b"first\n\x04",
        canonical=True,
    )  # fmt: skip
    assert output.count(b"first") == 2  # as it was typed, and as it came back


def test_a_pipe_gets_every_payload_while_the_terminal_shows_the_progress(
    runner: Runner, nats_server: Server, responders: Responders
) -> None:
    master, slave = pty.openpty()
    tty.setraw(slave)
    process = subprocess.Popen(
        [sys.executable, "-m", "natscli", "request", responders(slow), "x", *LOAD, "--raw"],
        env={**runner.environ, "NATS_URL": nats_server.url},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    out, _ = process.communicate(timeout=30)
    shown = read_all(master)
    assert (process.returncode, out) == (0, b"payload\n" * 50)
    assert b" done, 0 failed" in shown
    assert b"Sent 50" in shown


def test_failures_are_counted_with_an_example_instead_of_a_line_each(
    runner: Runner, nats_server: Server
) -> None:
    status, output = run_on_terminal(runner, "request", "nobody.there", "x", *LOAD, server=nats_server)
    lines = output.decode().rpartition(EMPTY_LINE)[2].splitlines()
    assert status == 3
    assert lines[:2] == [
        "Sent 50, answered 0, failed 50 (50 no responders)",
        "No responders, such as: no responders (nobody.there)",
    ]
    assert output.count(b"no responders (nobody.there)") == 1


def test_ctrl_c_ends_a_load_with_the_summary_of_what_was_done(
    runner: Runner, nats_server: Server, responders: Responders
) -> None:
    master, slave = pty.openpty()
    tty.setraw(slave)
    process = subprocess.Popen(
        [sys.executable, "-m", "natscli", "request", responders(slow), "x", "--duration", "1m"],
        env={**runner.environ, "NATS_URL": nats_server.url},
        stdin=subprocess.DEVNULL, stdout=slave, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    output = b""
    while b"done" not in output:
        output += os.read(master, 65536)
    process.send_signal(signal.SIGINT)
    start = time.monotonic()
    output += read_all(master)
    assert process.wait(30) == -signal.SIGINT
    assert time.monotonic() - start < 5
    last = output.decode().rpartition(EMPTY_LINE)[2]
    assert last.rstrip().endswith("interrupted")
    assert re.search(r"Sent \d+, answered \d+, failed 0", output.decode())
    assert b"not shown" not in output


def test_replies_to_one_request_are_a_table_on_a_terminal(
    runner: Runner, nats_server: Server, responders: Responders
) -> None:
    _, output = run_on_terminal(
        runner, "request", responders(gathered), "x", "--replies", "0", "--timeout", "1s", "--color", "never",
        server=nats_server,
    )  # fmt: skip
    _, _, heading, first, second, third, last = output.decode().splitlines()
    assert heading.split() == ["#", "RTT", "gap", "responder", "size", "payload"]
    assert first.split()[0] == "1"
    assert "al\\x1b[2Jpha" in first
    assert first.endswith("first")
    assert second.endswith("\\x1b[31mred")
    assert third.split()[0] == "3"
    assert re.fullmatch(r"3 replies, the slowest after [\d.]+ms \(#[23]\)", last)


def test_the_first_replies_end_the_gathering(
    runner: Runner, nats_server: Server, responders: Responders
) -> None:
    start = time.monotonic()
    _, output = run_on_terminal(
        runner, "request", responders(gathered), "x", "--first", "1", "--timeout", "15s", "--color", "never",
        server=nats_server,
    )  # fmt: skip
    assert time.monotonic() - start < 10
    *_, before, last = output.decode().splitlines()
    if last.endswith("more replies came"):  # before it ended
        last = before
    assert re.fullmatch(r"1 reply, the slowest after [\d.]+(µs|ms) \(#1, al\\x1b\[2Jpha\)", last)


def test_replies_are_a_table_nowhere_else(ask: Ask, responders: Responders) -> None:
    run = ask(responders(gathered), "x", "--replies", "3")
    assert run.stdout == b"first\nsecond line\n\x1b[31mred\n\n"
    assert "slowest" not in run.stderr


def test_quiet_and_verbose_exclude_each_other(ask: Ask) -> None:
    run = ask("x", "y", "--quiet", "--verbose")
    assert (run.status, "--quiet and --verbose" in run.stderr) == (2, True)
