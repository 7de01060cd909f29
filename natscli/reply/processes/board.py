"""Memory that the processes of one run share: the next number, and what each of them has counted.

It is a file that is mapped: whatever a process counted is there, also when the process is not any more. A number is
taken under a lock of the system, which lets go of it when its holder dies.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
import tempfile
from contextlib import suppress
from ctypes import c_int64, c_ubyte

from natscli.histogram import Histogram
from natscli.message.message import Message
from natscli.reply.figures import Figures
from natscli.reply.numbers import Numbers
from natscli.reply.responders.responder import Failure
from natscli.reply.statistics import Statistics
from natscli.system.locks import Lock
from natscli.text import bytes_for_programs, for_programs

#: Bits that are kept of a time, 1 in 128 is the largest error; and powers of two, up to a month in nanoseconds.
_BITS, _POWERS = 8, 45
_HALF = 1 << (_BITS - 1)
#: Bytes of a text.
_TEXT_SIZE = 4096


class Text(ctypes.Structure):
    """A text in shared memory, cut where it does not fit."""

    _fields_ = (("size", c_int64), ("data", c_ubyte * _TEXT_SIZE))
    size: int
    data: ctypes.Array[c_ubyte]

    def get(self) -> str:
        """The text."""
        return for_programs(bytes(self.data[: self.size]))

    def set(self, text: str) -> None:
        """Keep `text` in place of what was there."""
        data = bytes_for_programs(text)[:_TEXT_SIZE]
        ctypes.memmove(self.data, data, len(data))
        self.size = len(data)


class SharedCounts(ctypes.Structure):
    """What one process has counted. That process writes, any other reads; the names are those of `Statistics`.

    `listening` is 1 once the process has subscribed to what it answers. `times` are counts of nanoseconds by their
    first bits, `longest` is the largest of them. `failure` is what a process that failed wrote.
    """

    _fields_ = (
        ("listening", c_int64),
        ("requests", c_int64),
        ("finished", c_int64),
        ("answered", c_int64),
        ("errors", c_int64),
        ("unanswerable", c_int64),
        ("undelivered", c_int64),
        ("bytes_in", c_int64),
        ("bytes_out", c_int64),
        ("failed_at", c_int64),
        ("longest", c_int64),
        ("times", c_int64 * (_HALF * _POWERS)),
        ("last_error", Text),
        ("failure", Text),
    )
    listening: int
    requests: int
    finished: int
    answered: int
    errors: int
    unanswerable: int
    undelivered: int
    bytes_in: int
    bytes_out: int
    failed_at: int
    longest: int
    times: ctypes.Array[c_int64]
    last_error: Text
    failure: Text

    def clear(self) -> None:
        """Make it ready for a new process."""
        ctypes.memset(ctypes.addressof(self), 0, ctypes.sizeof(self))

    @property
    def in_flight(self) -> int:
        """Requests that the process has and has not answered."""
        return self.requests - self.finished

    def record(self, nanoseconds: int, count: int) -> None:
        """Count a time, that of `count` requests."""
        nanoseconds = max(nanoseconds, 0)
        spare = max(nanoseconds.bit_length() - _BITS, 0)
        index = min(spare, _POWERS - 2) * _HALF + (nanoseconds >> spare)
        self.times[index] += count
        if nanoseconds > self.longest:
            self.longest = nanoseconds

    def figures(self, seconds: float, *, sizes: bool, gone: bool = False) -> Figures:
        """All that was counted; of a process that is `gone`, what was in flight is lost."""
        return Figures(
            seconds=seconds,
            requests=self.requests,
            answered=max(self.answered, 0),  # the first of several replies may be refused
            in_flight=0 if gone else self.in_flight,
            errors=self.errors,
            last_error=self.last_error.get(),
            unanswerable=self.unanswerable,
            lost=self.in_flight if gone else 0,
            size=(self.bytes_in, self.bytes_out) if sizes else None,
            times=self._histogram(),
            failed_at=self.failed_at,
            undelivered=self.undelivered,
        )

    def _histogram(self) -> Histogram:
        found = Histogram(bits=_BITS, exact=0)
        for index, count in enumerate(self.times[:]):
            if count:
                spare = max(index // _HALF - 1, 0)
                found.record((index - spare * _HALF) << spare, count)
        found.largest = max(found.largest, self.longest)
        return found


class Board:
    """The memory of a run with `places`. `reference` is what another process opens it by, with `open_board`."""

    def __init__(self, fd: int, reference: int | str, places: int) -> None:
        self.reference = reference
        self._map = mmap.mmap(fd, _size(places))
        self.next_number = c_int64.from_buffer(self._map)
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

    def place(self, index: int) -> SharedCounts:
        """The place of the process with this index."""
        return SharedCounts.from_buffer(
            self._map, ctypes.sizeof(c_int64) + index * ctypes.sizeof(SharedCounts)
        )


def open_board(reference: int | str, places: int) -> Board:
    """The board that another process has made."""
    fd = reference if isinstance(reference, int) else os.open(reference, os.O_RDWR)
    return Board(fd, reference, places)


def _size(places: int) -> int:
    """The bytes of a board: the next number, and the places."""
    return ctypes.sizeof(c_int64) + places * ctypes.sizeof(SharedCounts)


class SharedNumbers(Numbers):
    """Numbers that all processes take from; at most `most` in all, 0 for no end."""

    def __init__(self, board: Board, most: int = 0) -> None:
        super().__init__()
        self._number, self._lock, self._most = board.next_number, board.numbering, most

    def take(self, wanted: int) -> range:
        with self._lock:
            first = self._number.value
            end = first + wanted if not self._most else min(first + wanted, self._most)
            self._number.value = end
        return range(first, end)

    @property
    def exhausted(self) -> bool:
        return self._number.value == self._most > 0


class SharedStatistics(Statistics):
    """Statistics that are counted in a place too."""

    def __init__(self, place: SharedCounts, *, sizes: bool) -> None:
        super().__init__(times=place.record, sizes=sizes)
        self._place = place

    def receive(self, requests: list[Message]) -> None:
        before = self.bytes_in
        super().receive(requests)
        self._place.requests += len(requests)
        self._place.bytes_in += self.bytes_in - before

    def ignore(self, count: int) -> None:
        super().ignore(count)
        self._place.unanswerable += count

    def undeliver(self, count: int) -> None:
        super().undeliver(count)
        self._place.undelivered += count
        self._place.answered -= count

    def finish(self, requests: int, replies: list[Message]) -> None:
        before = self.bytes_out
        super().finish(requests, replies)
        self._place.answered += len(replies)
        self._place.finished += requests
        self._place.bytes_out += self.bytes_out - before

    def add(self, replies: list[Message]) -> None:
        before = self.bytes_out
        super().add(replies)
        self._place.bytes_out += self.bytes_out - before

    def fail(self, failure: Failure, requests: int) -> None:
        super().fail(failure, requests)
        self._place.errors += requests
        self._place.last_error.set(self.last_error)
        self._place.failed_at = self.failed_at
