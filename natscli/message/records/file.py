"""The file that exchanges are recorded in: appended to, by a thread of its own, as a disk may take its time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import SimpleQueue

from natscli.errors import InputError, PynatsError, reason
from natscli.message.exchange import Exchange
from natscli.message.records.appended import Appended
from natscli.message.records.writing import record_line

#: Seconds between looks at whether all is written; how long to wait for a disk that takes nothing.
_LOOK, _PATIENCE = 0.02, 5.0
#: Bytes that the disk may be behind: what is more is lost, and said to be.
_MOST_BEHIND = 128 * 1024 * 1024
#: Bytes that are written at once, about.
_AT_ONCE = 1024 * 1024


class Recording:
    """Keeps exchanges in a file. `say` is called in the loop, with a line, when the file is another, or takes no more.

    `lost` is how many exchanges are not in it.
    """

    def __init__(self, path: str, say: Callable[[str], object]) -> None:
        """Open the file at `path`; `-` is standard output.

        Raises:
            InputError: it cannot be written, or its last line is incomplete.
        """
        self.given = 0
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._say = say
        self._writer = Writer(path, self._on_notice)

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

    def _on_notice(self, text: str) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._say, text)


class Writer:
    """Appends whole lines to a file, in a thread: a disk may take its time. A full one is left with whole lines.

    `written` is how many lines were written. `say` is called in the thread, with a line, when the file is another, or
    takes no more.
    """

    def __init__(self, path: str, say: Callable[[str], object]) -> None:
        """Open it.

        Raises:
            InputError: it cannot be written, or its last line is incomplete.
        """
        self.written = 0
        self._path = path
        self._say = say
        self._file = Appended(path, self._on_moved)
        self._failed = False
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
        if lines and not self._failed and self.behind <= _MOST_BEHIND:
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
        while data := self._next():
            if not self._failed:
                self._write(data)
            self._done += len(data)

    def _next(self) -> bytes:
        """What waits, as much as is written at once; empty at the end."""
        parts = [self._queue.get()]
        size = len(parts[0])
        while parts[-1] and size < _AT_ONCE and not self._queue.empty():
            parts.append(self._queue.get())
            size += len(parts[-1])
        if size and not parts[-1]:
            self._queue.put(b"")
        return b"".join(parts)

    def _write(self, data: bytes) -> None:
        failure: Exception | None
        try:
            size, failure = self._file.append(data)
        except InputError as error:
            size, failure = 0, error
        self.written += data.count(b"\n", 0, size)
        if failure is not None:
            self._failed = True
            self._say(f"cannot record any more: {reason(failure)} ({self._path})")

    def _on_moved(self) -> None:
        self._say(f"recording to a new file: the one before was moved, replaced or removed ({self._path})")
