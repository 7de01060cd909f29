"""Signals that come when all is done: nothing is shown of where they hit, and the status stays."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.program import Program, Runner
from tests.request.processes.test_processes import children
from tests.servers import Server

Spawn = Callable[..., Program]
#: A service whose end takes some seconds, after its last reply.
SLOW_END = """
import atexit, time

def end():
    print("ending", flush=True)
    time.sleep({seconds})
    print("ended", flush=True)

atexit.register(end)

def answer(request):
    return "ok"
"""


def ending(
    spawn: Spawn, runner: Runner, server: Server, seconds: float, *options: str
) -> tuple[Program, float]:
    """A service that has answered all, and is ending; and when it was told to."""
    (runner.directory / "app.py").write_text(SLOW_END.format(seconds=seconds))
    program = spawn("reply", "t.ending", "--handler", "app.py:answer", *options, server=server)
    began = time.monotonic()
    program.send_signal(signal.SIGTERM)
    program.wait_for("ending")
    return program, began


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("processes", ["1", "2"])
def test_one_that_comes_at_once_changes_nothing(
    spawn: Spawn, runner: Runner, nats_server: Server, number: int, processes: str
) -> None:
    for _ in range(10):
        program, began = ending(spawn, runner, nats_server, 1, "--processes", processes)
        for pid in (program.pid, *children(program.pid)):  # as Ctrl-C in a terminal: each of them gets it
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        if time.monotonic() - began < 0.4:  # else that was later, or too late, on a machine with much to do
            break
        program.wait()
    assert program.wait() == 0
    program.wait_for("ended")
    assert "Traceback" not in program.stderr_text()


def test_one_that_comes_later_ends_at_once(spawn: Spawn, runner: Runner, nats_server: Server) -> None:
    program, _ = ending(spawn, runner, nats_server, 60)
    time.sleep(0.7)
    began = time.monotonic()
    program.send_signal(signal.SIGTERM)
    assert program.wait() == 130
    assert time.monotonic() - began < 10
    assert "Traceback" not in program.stderr_text()
