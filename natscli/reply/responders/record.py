"""Keeps requests and their replies in a file, without slowing the replies down."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from time import perf_counter_ns

from natscli.errors import InputError, PynatsError, reason
from natscli.message.message import Message, memory_of
from natscli.reply.responders.parts.recording import lines
from natscli.reply.responders.responder import Batch, Done, Failure, Host, Responder, Wrapper

_WHERE = "--record"
#: Seconds from a reply to its line; lines, and bytes of them, that are made before requests get their turn again.
_DELAY, _LINES_AT_ONCE, _BYTES_AT_ONCE = 0.02, 100, 1024 * 1024
#: Requests, and bytes, that may wait to become lines: with more, replies wait instead. Bytes that the disk may be
#: behind: what is more is lost, and said to be.
_MOST_KEPT, _MOST_BYTES_KEPT, _MOST_BEHIND = 20_000, 32 * 1024 * 1024, 128 * 1024 * 1024
#: At the end, how long (seconds) to wait for a disk that takes nothing, and when there is no time.
_PATIENCE, _SHORT_PATIENCE = 5.0, 1.0


class Recorded(Wrapper):
    """Appends every request that is answered, or left unanswered on purpose, and its reply to a file."""

    def __init__(self, inner: Responder, path: str) -> None:
        """Open the file.

        Raises:
            InputError: it cannot be written, or its last line is incomplete.
        """
        super().__init__(inner)
        self._path = path
        self._writer = Writer(open_to_append(path), self._failed)
        self._kept: deque[tuple[Batch, list[Message], int]] = deque()
        self._requests = self._bytes = self._answered = 0
        self._lines = self._render()
        self._timer: asyncio.TimerHandle | None = None

    async def start(self, host: Host) -> None:
        self._loop = asyncio.get_running_loop()
        self._environment = host.environment
        await super().start(host)

    def respond(self, batch: Batch, done: Done) -> None:
        self.inner.respond(batch, partial(self._done, done))

    async def finish(self) -> None:
        """Write what is left.

        Raises:
            PynatsError: not everything could be recorded.
        """
        await super().finish()
        self._write()
        deadline, behind = 0.0, 0
        while self._writer.behind and (behind != self._writer.behind or self._loop.time() < deadline):
            if behind != self._writer.behind:
                behind, deadline = self._writer.behind, self._loop.time() + _PATIENCE
            await asyncio.sleep(_DELAY)
        if lost := self._answered - self._writer.written:
            raise PynatsError(f"requests that could not be recorded: {lost}", where=self._path)

    def kill(self) -> None:
        super().kill()
        self._write()
        self._writer.close(_SHORT_PATIENCE)

    def _done(self, done: Done, batch: Batch, replies: list[Message], failure: Failure | None) -> None:
        done(batch, replies, failure)
        self._kept.append((batch, replies, perf_counter_ns()))
        self._answered += len(batch.requests)
        self._requests += len(batch.requests)
        self._bytes += memory_of(batch.requests) + memory_of(replies)
        if self._requests > _MOST_KEPT or self._bytes > _MOST_BYTES_KEPT:
            self._write()
        elif self._timer is None:
            self._timer = self._loop.call_later(_DELAY, self._write_some)

    def _write_some(self) -> None:
        self._timer = None
        self._put_some()
        if self._requests:
            self._timer = self._loop.call_later(0, self._write_some)

    def _write(self) -> None:
        while self._requests:
            self._put_some()

    def _put_some(self) -> None:
        some: list[bytes] = []
        size = 0
        while self._requests and len(some) < _LINES_AT_ONCE and size < _BYTES_AT_ONCE:
            some.append(next(self._lines))
            size += len(some[-1])
            self._requests -= 1
        if some and self._writer.failure is None and self._writer.behind <= _MOST_BEHIND:
            self._writer.put(b"".join(some))

    def _render(self) -> Iterator[bytes]:
        """The lines of all that is kept; asked for no more than that."""
        while True:
            batch, replies, ended = self._kept.popleft()
            yield from lines(batch, replies, ended, time.time_ns() - perf_counter_ns())
            self._bytes -= memory_of(batch.requests) + memory_of(replies)

    def _failed(self) -> None:
        """Called in a thread: the file takes nothing more. Requests are answered all the same."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._log_failure)

    def _log_failure(self) -> None:
        assert self._writer.failure is not None
        self._environment.warn(f"cannot record any more: {reason(self._writer.failure)} ({self._path})")


class Writer:
    """Writes whole lines to a descriptor, in a thread: a disk may take its time. A full one is left with whole lines.

    `written` is how many lines were written, and `failure` why nothing is any more.
    """

    def __init__(self, descriptor: int, on_failure: Callable[[], None]) -> None:
        self.failure: OSError | None = None
        self.written = 0
        self._descriptor = descriptor
        self._on_failure = on_failure
        self._given = self._done = 0
        self._queue: SimpleQueue[bytes] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="record", daemon=True)

    @property
    def behind(self) -> int:
        """Bytes that are not written yet."""
        return self._given - self._done

    def put(self, data: bytes) -> None:
        """Write these lines; returns at once."""
        if self._thread.ident is None:
            self._thread.start()
        self._given += len(data)
        self._queue.put(data)

    def close(self, patience: float) -> None:
        """Wait for what is not written yet, at most `patience` seconds."""
        if self._thread.ident is not None:
            self._queue.put(b"")
            self._thread.join(patience)

    def _run(self) -> None:
        while data := self._queue.get():
            if self.failure is None:
                self._write(data)
            self._done += len(data)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            end = len(data) - len(view)
            whole = data.rfind(b"\n", 0, end) + 1
            self._cut(end - whole)
            self.failure, data = error, data[:whole]
            self._on_failure()
        self.written += data.count(b"\n")

    def _cut(self, size: int) -> None:
        """Remove the last bytes, the beginning of a line that there was no room for."""
        with suppress(OSError):
            state = os.fstat(self._descriptor)
            if size and stat.S_ISREG(state.st_mode):
                os.ftruncate(self._descriptor, state.st_size - size)


def open_to_append(path: str) -> int:
    """A descriptor that appends to the file, which is made if there is none.

    Raises:
        InputError: it cannot be written, or its last line is incomplete.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)  # the latter on Windows
    try:
        descriptor = os.open(path, flags, 0o666)
        if not _ends_with_a_line(path, descriptor):
            raise InputError(
                f"cannot append to {path!r}: its last line is incomplete",
                where=_WHERE,
                hint="remove that line, or record to another file",
            )
    except (OSError, ValueError) as error:
        raise InputError(f"cannot write {path!r}: {reason(error)}", where=_WHERE) from None
    return descriptor


def _ends_with_a_line(path: str, descriptor: int) -> bool:
    state = os.fstat(descriptor)
    if not stat.S_ISREG(state.st_mode) or not state.st_size:
        return True
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"
