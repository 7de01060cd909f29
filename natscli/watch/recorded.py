"""`--read`: exchanges that were recorded, in place of those that are seen now."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple, cast

from natscli.message.exchange import Exchange
from natscli.message.payload import chunks_of
from natscli.message.records.content import RecordProblem, Unfit
from natscli.message.records.left_out import LeftOut
from natscli.message.records.reading import Found, Values, as_record, exchange_of, open_file
from natscli.message.subjects import covers
from natscli.system.opening import is_fifo
from natscli.text import exact

#: Bytes that are read at once.
_CHUNK = 64 * 1024
#: Batches that are read ahead of what is shown.
_AHEAD = 2


class _Batch(NamedTuple):
    """Exchanges, and what else was there: the number of the exchange before it, why it is none, and its place."""

    exchanges: list[Exchange]
    unfit: list[tuple[int, str, str]]


class RecordedExchanges:
    """The exchanges of a recording, read in a thread: a pipe may take its time, and never end.

    What was read is handed over before more is waited for. `unfit` is what is no exchange, or cannot be one, as far as
    the recording was shown.
    """

    def __init__(self, path: str, stdin: BinaryIO, subjects: tuple[str, ...]) -> None:
        """Open the file at `path`; `-` is `stdin`. Exchanges on `subjects` are wanted, on all if there are none.

        Raises:
            InputError: it cannot be read.
        """
        self.unfit = LeftOut()
        self._name = "stdin" if path == "-" else path
        from_file = _from_fifo if is_fifo(path) else _from_file
        self._chunks = from_file(path, stdin)
        self._subjects = subjects
        self._batch = _Batch([], [])
        self._shown = self._batch
        self._number = 0
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[_Batch | Exception | None] = asyncio.Queue()
        self._room = threading.Semaphore(_AHEAD)
        self._rest: list[bytes] = []

    async def batches(self) -> AsyncIterator[list[Exchange]]:
        """The exchanges, several at a time.

        Raises:
            InputError: it cannot be read, or something in it is not as it should be, with its line.
        """
        threading.Thread(target=self._run, name="recording", daemon=True).start()
        while (batch := await self._queue.get()) is not None:
            if isinstance(batch, Exception):
                raise batch
            self._shown = batch
            yield batch.exchanges
            self.leave_out()
            self._room.release()

    def leave_out(self, seen: int | None = None) -> None:
        """Count as `unfit` what was handed over last, if only up to the exchange `seen` that is what was before it."""
        for before, why, place in self._shown.unfit:
            if seen is None or before < seen:
                self.unfit.add(why, place)
        self._shown = _Batch([], [])

    def readlines(self, size: int) -> list[bytes]:  # noqa: ARG002
        """Whole lines, as many as are there; what `Values` reads from."""
        self._flush()
        for chunk in self._chunks:
            whole, newline, rest = chunk.rpartition(b"\n")
            if newline:
                lines, self._rest = [*self._rest, whole, newline], [rest]
                return lines
            self._rest.append(chunk)
        last, self._rest = self._rest, []
        return last

    # -- in the thread ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        failure: Exception | None = None
        try:
            for found in Values(self._name, cast(BinaryIO, self)):
                self._take(found)
        except Exception as error:
            failure = error
        self._flush()
        self._hand_over(failure)

    def _take(self, found: Found) -> None:
        try:
            record = as_record(found.value)
            why_not = _why_not(record)
            if why_not:
                self._batch.unfit.append((self._number, why_not, found.first_line))
                return
            exchange = exchange_of(record)
        except Unfit as unfit:
            self._batch.unfit.append((self._number, unfit.why, found.first_line))
            return
        except RecordProblem as problem:
            raise found.refuse(problem) from None
        self._number += 1
        subject = exact(exchange.subject)
        if not self._subjects or any(covers(pattern, subject) for pattern in self._subjects):
            self._batch.exchanges.append(exchange._replace(number=self._number))

    def _flush(self) -> None:
        if any(self._batch):
            batch, self._batch = self._batch, _Batch([], [])
            self._room.acquire()
            self._hand_over(batch)

    def _hand_over(self, batch: _Batch | Exception | None) -> None:
        with suppress(RuntimeError):  # the loop may be closed by now
            self._loop.call_soon_threadsafe(self._queue.put_nowait, batch)


def _from_file(path: str, stdin: BinaryIO) -> Iterator[bytes]:
    return chunks_of(open_file(path, "--read", stdin), _CHUNK)


def _from_fifo(path: str, stdin: BinaryIO) -> Iterator[bytes]:
    """What comes through a FIFO, which is opened when that is asked for: a writer may take its time."""
    yield from _from_file(path, stdin)


def _why_not(record: Any) -> str:
    """Why a record is no exchange: it is a rule for mocks, or a line that counts what was recorded."""
    if not isinstance(record, dict):
        return ""
    if "subject" not in record:
        return "without a subject"
    return "" if "request" in record else "without a request"
