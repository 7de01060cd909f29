"""Memory that the processes of one run share: the next number, and what each of them has counted.

It is a file that is mapped: whatever a process counted is there, also when the process is not any more. A number is
taken under a lock of the system, which lets go of it when its holder dies.
"""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

from natscli.histogram import Histogram
from natscli.message.message import Message
from natscli.reply.figures import Figures
from natscli.reply.numbers import Numbers
from natscli.reply.responders.responder import Batch, Failure
from natscli.reply.statistics import Deliver, Statistics
from natscli.text import for_programs

_WORD = 8
_NEXT = 0
#: Words before the first place.
_HEAD = 8
#: The words of a place: what was counted, the longest time, when the last error was, the lengths of two texts, the
#: times, the texts.
(_LISTENING, _REQUESTS, _FINISHED, _ANSWERED, _ERRORS, _UNANSWERABLE, _BYTES_IN, _BYTES_OUT, _LONGEST, _FAILED_AT,
 _LAST_ERROR, _FAILURE) = range(12)  # fmt: skip
_TIMES = 16
#: Bits that are kept of a time, 1 in 128 is the largest error; and powers of two, up to a month in nanoseconds.
_BITS, _POWERS = 8, 45
_HALF = 1 << (_BITS - 1)
_TEXTS = _TIMES + _HALF * _POWERS
#: Bytes of each of the two texts.
_TEXT_SIZE = 4096
_PLACE = _TEXTS + 2 * _TEXT_SIZE // _WORD


class Lock:
    """A lock between processes; threads of one process do not exclude each other."""

    def __init__(self, fd: int, number: int) -> None:
        self._lock, self._unlock = _locking(fd, number)

    def __enter__(self) -> None:
        self._lock()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unlock()


if sys.platform == "win32":

    def _locking(fd: int, number: int) -> tuple[Callable[[], object], Callable[[], object]]:
        """How to take and to leave the lock with this number on a file."""
        import msvcrt
        import time

        def change(mode: int) -> None:
            os.lseek(fd, (1 << 30) + number, os.SEEK_SET)
            msvcrt.locking(fd, mode, 1)

        def lock() -> None:
            while True:
                with suppress(OSError):
                    return change(msvcrt.LK_NBLCK)
                time.sleep(0)

        return lock, lambda: change(msvcrt.LK_UNLCK)

else:

    def _locking(fd: int, number: int) -> tuple[Callable[[], object], Callable[[], object]]:
        """How to take and to leave the lock with this number on a file."""
        from fcntl import LOCK_EX, LOCK_UN, lockf

        return lambda: lockf(fd, LOCK_EX, 1, number), lambda: lockf(fd, LOCK_UN, 1, number)


class Board:
    """The memory of a run with so many places. `reference` is what another process opens it by, with `open_board`."""

    def __init__(self, fd: int, reference: int | str, places: int) -> None:
        self.reference = reference
        self._map = memoryview(mmap.mmap(fd, _size(places)))
        self.words = self._map.cast("q")
        self.numbering, self.output = Lock(fd, 0), Lock(fd, 1)

    @classmethod
    def create(cls, places: int) -> Board:
        """A new one; `delete` it at the end."""
        fd, path = tempfile.mkstemp(prefix="pynats-")
        os.truncate(fd if sys.platform != "win32" else path, _size(places))
        if sys.platform == "win32":
            return cls(fd, path, places)
        os.unlink(path)  # it is passed on as an open file, and gone with the last process
        return cls(fd, fd, places)

    def delete(self) -> None:
        """Remove the file, where it has a name."""
        if isinstance(self.reference, str):
            with suppress(OSError):
                os.unlink(self.reference)

    def place(self, index: int) -> Place:
        """The place of a process."""
        start = (_HEAD + index * _PLACE) * _WORD
        return Place(self._map[start : start + _PLACE * _WORD])


def open_board(reference: int | str, places: int) -> Board:
    """The one that another process has made."""
    fd = reference if isinstance(reference, int) else os.open(reference, os.O_RDWR)
    return Board(fd, reference, places)


def _size(places: int) -> int:
    return (_HEAD + places * _PLACE) * _WORD


class SharedNumbers(Numbers):
    """Numbers that all processes take from; at most `most` in all, 0 for no end."""

    def __init__(self, board: Board, most: int = 0) -> None:
        super().__init__()
        self._words, self._lock, self._most = board.words, board.numbering, most

    def take(self, wanted: int) -> range:
        with self._lock:
            first = self._words[_NEXT]
            end = first + wanted if not self._most else min(first + wanted, self._most)
            self._words[_NEXT] = end
        return range(first, end)

    @property
    def exhausted(self) -> bool:
        return self._words[_NEXT] == self._most > 0


class Place:
    """What one process has counted. That process writes, any other reads."""

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory
        self.words = memory.cast("q")

    def clear(self) -> None:
        """Ready for a new process."""
        self._memory[:] = bytes(len(self._memory))

    @property
    def listening(self) -> bool:
        """Whether the process has subscribed to what it answers."""
        return bool(self.words[_LISTENING])

    @listening.setter
    def listening(self, value: bool) -> None:
        self.words[_LISTENING] = value

    @property
    def failure(self) -> str:
        """What a process that failed wrote."""
        return self._text(_FAILURE)

    @failure.setter
    def failure(self, text: str) -> None:
        self._set_text(_FAILURE, text)

    def set_last_error(self, text: str, at: int) -> None:
        """Keep the code and the text of an error, and when it was."""
        self._set_text(_LAST_ERROR, text)
        self.words[_FAILED_AT] = at

    @property
    def in_flight(self) -> int:
        """Requests that the process has and has not answered."""
        return self.words[_REQUESTS] - self.words[_FINISHED]

    def record(self, nanoseconds: int, count: int) -> None:
        """Count a time."""
        nanoseconds = max(nanoseconds, 0)
        spare = max(nanoseconds.bit_length() - _BITS, 0)
        index = min(spare, _POWERS - 2) * _HALF + (nanoseconds >> spare)
        self.words[_TIMES + index] += count
        if nanoseconds > self.words[_LONGEST]:
            self.words[_LONGEST] = nanoseconds

    def figures(self, seconds: float, *, sizes: bool, gone: bool = False) -> Figures:
        """All that was counted; of a process that is `gone`, what was in flight is lost."""
        words = self.words
        return Figures(
            seconds=seconds, requests=words[_REQUESTS], answered=words[_ANSWERED],
            in_flight=0 if gone else self.in_flight, errors=words[_ERRORS], last_error=self._text(_LAST_ERROR),
            unanswerable=words[_UNANSWERABLE], lost=self.in_flight if gone else 0,
            size=(words[_BYTES_IN], words[_BYTES_OUT]) if sizes else None, times=self._histogram(),
            failed_at=words[_FAILED_AT],
        )  # fmt: skip

    def _histogram(self) -> Histogram:
        found = Histogram(bits=_BITS, exact=0)
        for index, count in enumerate(self.words[_TIMES:_TEXTS].tolist()):
            if count:
                spare = max(index // _HALF - 1, 0)
                found.record((index - spare * _HALF) << spare, count)
        found.largest = max(found.largest, self.words[_LONGEST])
        return found

    def _text(self, which: int) -> str:
        start = _TEXTS * _WORD + (which - _LAST_ERROR) * _TEXT_SIZE
        return for_programs(bytes(self._memory[start : start + self.words[which]]))

    def _set_text(self, which: int, text: str) -> None:
        start, data = _TEXTS * _WORD + (which - _LAST_ERROR) * _TEXT_SIZE, text.encode()[:_TEXT_SIZE]
        self._memory[start : start + len(data)] = data
        self.words[which] = len(data)


class SharedStatistics(Statistics):
    """Statistics that are counted in a place too."""

    def __init__(self, place: Place, *, sizes: bool) -> None:
        super().__init__(times=place.record, sizes=sizes)
        self._place = place

    def ignore(self, count: int) -> None:
        super().ignore(count)
        self._place.words[_UNANSWERABLE] += count

    def _receive(self, batch: Batch) -> None:
        words, before = self._place.words, self.bytes_in
        super()._receive(batch)
        words[_REQUESTS] += len(batch.requests)
        words[_BYTES_IN] += self.bytes_in - before

    def _count(self, deliver: Deliver, batch: Batch, replies: list[Message], failure: Failure | None) -> None:
        words, before = self._place.words, self.bytes_out
        super()._count(deliver, batch, replies, failure)
        words[_ANSWERED] += len(replies)
        words[_FINISHED] += len(batch.requests)
        words[_BYTES_OUT] += self.bytes_out - before

    def _fail(self, failure: Failure, requests: int) -> None:
        super()._fail(failure, requests)
        self._place.words[_ERRORS] += requests
        self._place.set_last_error(self.last_error, self.failed_at)
