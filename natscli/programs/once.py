"""Runs programs to their end: payload in, output out, within a time limit, each in a process group of its own."""

from __future__ import annotations

import errno
import math
import os
import select
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from natscli.backoff import Backoff
from natscli.system.signals import heed_children
from natscli.system.spawn import Spawner

#: Seconds that `kill` waits for programs that are just being started.
_START_TIMEOUT = 1.0
#: Seconds from SIGTERM to SIGKILL for a program whose time is over.
_TERMINATE_TIMEOUT = 1.0
#: Seconds that output which is already in the pipe is read for, when the program has ended and another holds the pipe.
_GRACE = 0.05
#: Seconds between looks at whether a program has ended that writes nothing: from the first to the longest.
_LONGEST_PAUSE = 0.02
_LOOK = Backoff(0.0001, _LONGEST_PAUSE)


@dataclass(frozen=True)
class Ended:
    """How a program ended: the exit status (a negative one is the signal), and what it wrote; None was too much."""

    status: int
    output: bytes | None
    timed_out: bool = False


class Children:
    """The programs that run now. `run` is called in threads, everything else may be called in any."""

    def __init__(self, timeout: float = math.inf) -> None:
        """Each may take `timeout` seconds.

        Raises:
            OSError: this system cannot run them.
        """
        self._spawner = Spawner()
        heed_children()
        self._timeout = timeout
        self._last = math.inf
        self._running: set[int] = set()
        self._starting = 0
        self._stopped = threading.Event()
        self._changed = threading.Condition()

    def run(
        self, program: bytes, argv: Sequence[bytes], environ: Sequence[bytes], payload: bytes, limit: int
    ) -> Ended:
        """Run it to its end; blocks. More than `limit` bytes of output are not read: the pipe is closed.

        Raises:
            OSError: it cannot be started; TimeoutError, because `end_within` left no time for it.
            ValueError: a NUL byte in an argument.
        """
        deadline = time.monotonic() + self._timeout
        if self._left(deadline) <= 0:
            raise TimeoutError(errno.ETIMEDOUT, "no time left")
        with _standard_input(payload) as stdin:
            pid, stdout = self._spawn(program, argv, environ, stdin)
        try:
            status, output = self._read(pid, stdout, limit, deadline)
        finally:
            os.close(stdout)
        if status is None:
            status = self._wait(pid, lambda: self._left(deadline) > 0)
        return Ended(self._terminate(pid) if status is None else status, output, timed_out=status is None)

    def end_within(self, seconds: float) -> None:
        """End within `seconds` from now what runs and what is still to be run."""
        self._last = time.monotonic() + seconds

    def kill(self) -> None:
        """Kill what runs, with all it started itself, and run nothing more."""
        with self._changed:
            self._stopped.set()
            # Those have no number yet, and pynats may end before their threads run again.
            self._changed.wait_for(lambda: not self._starting, _START_TIMEOUT)
            for pid in self._running:
                _signal(pid, signal.SIGKILL)

    def _spawn(
        self, program: bytes, argv: Sequence[bytes], environ: Sequence[bytes], stdin: int
    ) -> tuple[int, int]:
        """Start it; gives its number and what it writes to."""
        stdout, written = os.pipe()
        try:
            pid = self._start(program, argv, environ, stdin, written)
        except BaseException:
            os.close(stdout)
            raise
        finally:
            os.close(written)
        return pid, stdout

    def _start(
        self, program: bytes, argv: Sequence[bytes], environ: Sequence[bytes], stdin: int, stdout: int
    ) -> int:
        """Start it so that `kill` knows of it all the time: it may come between the start and the number."""
        with self._changed:
            if self._stopped.is_set():
                raise InterruptedError(errno.EINTR, "stopped")
            self._starting += 1
        pid = 0
        try:
            pid = self._spawner(program, argv, environ, stdin, stdout)
        finally:
            with self._changed:
                self._starting -= 1
                if pid:
                    self._running.add(pid)
                    if self._stopped.is_set():  # `kill` may have stopped waiting for this one
                        _signal(pid, signal.SIGKILL)
                self._changed.notify_all()
        return pid

    def _read(self, pid: int, stdout: int, limit: int, deadline: float) -> tuple[int | None, bytes | None]:
        """Read to the end of the output, of the time, or of the program; gives the status if that has ended.

        The output may outlast the program: what it started in the background has the pipe too.
        """
        chunks: list[bytes] = []
        status: int | None = None
        size, look = 0, time.monotonic() + _LONGEST_PAUSE
        ready = select.poll()
        ready.register(stdout, select.POLLIN)
        while (left := self._left(deadline)) > 0:
            if ready.poll(1000 * min(left, _LONGEST_PAUSE)):
                chunk = os.read(stdout, 1 << 16)
                size += len(chunk)
                if size > limit:
                    return status, None
                if not chunk:
                    break
                chunks.append(chunk)
            elif status is not None:
                break
            if status is None and look < time.monotonic():
                status, look = self._reap(pid), time.monotonic() + _LONGEST_PAUSE
                deadline = deadline if status is None else min(deadline, time.monotonic() + _GRACE)
        return status, b"".join(chunks)

    def _left(self, deadline: float) -> float:
        """Seconds that are left; `end_within` may have shortened them."""
        return min(deadline, self._last) - time.monotonic()

    def _wait(self, pid: int, in_time: Callable[[], bool]) -> int | None:
        """The exit status, once the program has ended; None, if that takes too long."""
        looks = 0
        while (status := self._reap(pid)) is None and in_time():
            looks += 1
            time.sleep(_LOOK.pause(looks))
        return status

    def _terminate(self, pid: int) -> int:
        """End a program with all it started, and what does not end when asked by force; gives its status."""
        _signal(pid, signal.SIGTERM)
        status = self._wait(pid, _within(_TERMINATE_TIMEOUT))
        in_time = _within(_TERMINATE_TIMEOUT)
        while _signal(pid, 0) and status is not None and in_time():
            time.sleep(_LONGEST_PAUSE)
        _signal(pid, signal.SIGKILL)
        if status is None:  # not even SIGKILL ends what waits for a disk or for NFS
            status = self._wait(pid, _within(_TERMINATE_TIMEOUT))
        return -signal.SIGKILL if status is None else status

    def _reap(self, pid: int) -> int | None:
        """The exit status of a program that has ended. From then on its number may be another's: it is forgotten."""
        with self._changed:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended:
                return None
            self._running.discard(pid)
        return os.waitstatus_to_exitcode(status)


def _signal(pid: int, number: int) -> bool:
    """Send a signal to a process group; whether there is one."""
    try:
        os.killpg(pid, number)
    except OSError:
        return False
    return True


def _within(seconds: float) -> Callable[[], bool]:
    """A function that says whether less than `seconds` have passed since this call."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


@contextmanager
def _standard_input(payload: bytes) -> Iterator[int]:
    """A descriptor that gives the payload without a writer: a pipe that holds all of it, or else a file."""
    if len(payload) <= select.PIPE_BUF:
        stdin, feed = os.pipe()
        try:
            os.write(feed, payload)
            os.close(feed)
            yield stdin
        finally:
            os.close(stdin)
    else:
        with tempfile.TemporaryFile(buffering=0) as file:
            view = memoryview(payload)
            while view:
                view = view[file.write(view) :]
            file.seek(0)
            yield file.fileno()
