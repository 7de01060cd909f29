"""A FIFO without anybody at its other end is waited for, and a signal ends that."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest

from tests.program import Program, Runner
from tests.servers import Server

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="open files are read from /proc")
RECORDED = json.dumps({"subject": "fifo.nobody", "request": "x", "reply": None, "outcome": "no_responders"})


def has_a_loop(program: Program) -> bool:
    """Whether its event loop is there: that has sockets of its own."""
    folder = f"/proc/{program.pid}/fd"
    try:
        return any(os.readlink(f"{folder}/{number}").startswith("socket:") for number in os.listdir(folder))
    except OSError:
        return False


@pytest.fixture
def folder(runner: Runner) -> Path:
    """The working directory, with a FIFO `pipe` and a recording."""
    (runner.directory / "calls").write_text(f"{RECORDED}\n")
    os.mkfifo(runner.directory / "pipe")
    return runner.directory


@pytest.mark.parametrize(
    "command",
    [
        "watch --read pipe",
        "watch --read calls --record pipe",
        "watch fifo.nobody --record pipe",
        "request fifo.nobody x --record pipe",
        "request fifo.nobody x --summary-json pipe",
        "verify calls --junit pipe",
        "verify calls --report pipe",
    ],
)
def test_one_signal_ends_waiting_for_the_other_end(
    runner: Runner, nats_server: Server, folder: Path, command: str
) -> None:
    program = runner.spawn(*command.split(), server=nats_server, ready="")
    program.wait_until(lambda: has_a_loop(program), "it runs")
    time.sleep(0.2)  # it does not show that it waits
    assert program.status is None
    assert program.stop() == 130


def test_who_comes_later_reads_all(runner: Runner, nats_server: Server, folder: Path) -> None:
    program = runner.spawn("watch", "--read", "calls", "--record", "pipe", server=nats_server, ready="")
    program.wait_until(lambda: has_a_loop(program), "it runs")
    assert json.loads((folder / "pipe").read_text())["request"] == {"data": "x"}
    assert program.wait() == 0


def test_who_comes_later_writes_all(runner: Runner, nats_server: Server, folder: Path) -> None:
    program = runner.spawn("watch", "--read", "pipe", "--json", server=nats_server, ready="")
    program.wait_until(lambda: has_a_loop(program), "it runs")
    writer = threading.Thread(target=(folder / "pipe").write_text, args=(RECORDED,))
    writer.start()
    assert program.wait() == 0
    writer.join()
    assert json.loads(program.stdout_bytes())["outcome"] == "no_responders"
