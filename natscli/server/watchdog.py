"""A process that stops the server when this one is killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from natscli.system.signals import ENDING

#: Why there is no such process, where the system cannot have one; otherwise empty.
UNAVAILABLE = (
    ""
    if hasattr(os, "fork")
    else "On Windows the server goes on when this command is killed; end it with Ctrl-C instead"
)

_POLL = 0.003
_STOP_PATIENCE = 10.0


@contextmanager
def watchdog(pid: int, clean_up: Callable[[], None]) -> Iterator[None]:
    """While entered: a process that stops the server and calls `clean_up` if this one ends, even by SIGKILL.

    It reads from a pipe whose other end only this process has: the end of the file means that it has ended.
    """
    if UNAVAILABLE:
        yield
        return
    read_end, write_end = os.pipe()
    watcher = os.fork()
    if watcher == 0:
        try:
            os.close(write_end)
            _watch(read_end, pid, clean_up)
        finally:
            os._exit(0)
    os.close(read_end)
    try:
        yield
    finally:
        with suppress(OSError):
            os.write(write_end, b".")  # this process ends in order
        os.close(write_end)
        os.waitpid(watcher, 0)


def _watch(read_end: int, pid: int, clean_up: Callable[[], None]) -> None:
    os.setsid()
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    # The read end of the server's log stays open here, so that it can log how it ends.
    if os.read(read_end, 1):
        return
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_PATIENCE
        while time.monotonic() < deadline:
            time.sleep(_POLL)
            os.kill(pid, 0)
        os.kill(pid, signal.SIGKILL)
    clean_up()
