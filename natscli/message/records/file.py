"""The file that exchanges are recorded in: appended to, by a thread of its own, as a disk may take its time."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import SimpleQueue

from natscli.errors import InputError, PynatsError, reason
from natscli.message.exchange import Exchange
from natscli.message.records.writing import record_line

_WHERE = "--record"
#: Seconds between looks at whether all is written; how long to wait for a disk that takes nothing.
_LOOK, _PATIENCE = 0.02, 5.0
#: Bytes that the disk may be behind: what is more is lost, and said to be.
_MOST_BEHIND = 128 * 1024 * 1024


class Recording:
    """Keeps exchanges in a file. `failed` is called once, in the loop, with why nothing more can be.

    `lost` is how many exchanges are not in it.
    """

    def __init__(self, path: str, failed: Callable[[str], object]) -> None:
        """Open the file at `path`; `-` is standard output.

        Raises:
            InputError: it cannot be written, or its last line is incomplete.
        """
        self.given = 0
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._failed = failed
        self._writer = Writer(open_to_append(path), self._on_failure)

    @property
    def lost(self) -> int:
        """Exchanges that could not be written, or are not yet."""
        return self.given - self._writer.written

    def add(self, exchanges: Iterable[Exchange]) -> None:
        """Write these too; returns at once."""
        lines = [record_line(exchange) for exchange in exchanges]
        self.given += len(lines)
        self._writer.offer(lines)

    async def finish(self) -> None:
        """Wait for the disk.

        Raises:
            PynatsError: not everything could be written.
        """
        await self._writer.finish()
        if self.lost:
            raise PynatsError(f"exchanges that could not be recorded: {self.lost}", where=self._path)

    def _on_failure(self) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._say)

    def _say(self) -> None:
        assert self._writer.failure is not None
        self._failed(f"cannot record any more: {reason(self._writer.failure)} ({self._path})")


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

    def offer(self, lines: list[bytes]) -> None:
        """Write these lines, unless nothing can be written, or too much waits already."""
        if lines and self.failure is None and self.behind <= _MOST_BEHIND:
            self.put(b"".join(lines))

    async def finish(self) -> None:
        """Wait until all is written, or the disk has taken nothing for some seconds."""
        loop, deadline, behind = asyncio.get_running_loop(), 0.0, 0
        while self.behind and (behind != self.behind or loop.time() < deadline):
            if behind != self.behind:
                behind, deadline = self.behind, loop.time() + _PATIENCE
            await asyncio.sleep(_LOOK)

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
    """A descriptor that appends to the file, which is made if there is none, for its user only; `-` is stdout.

    Raises:
        InputError: it cannot be written, or its last line is incomplete.
    """
    if path == "-":
        return os.dup(1)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)  # the latter on Windows
    try:
        descriptor = os.open(path, flags, 0o600)
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
