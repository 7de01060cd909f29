"""Several replies to one request, kept until the request is done: what is recorded or shown of it is shown together."""

from __future__ import annotations

from time import perf_counter_ns
from typing import NamedTuple

from natscli.message.message import Message, memory_of
from natscli.reply.responders.responder import Batch

#: Bytes that are kept of all requests together; of an endless one, nothing is.
_MOST = 32 * 1024 * 1024


class EarlierReply(NamedTuple):
    """A reply that was not the last, and when it was sent (nanoseconds of `time.perf_counter_ns`)."""

    reply: Message
    at: int


class Several:
    """The replies that were sent with `more`, by the number of their request.

    A request whose replies are too much is `lost`, from the first to the last of them.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._bytes = 0
        self._kept: dict[int, list[EarlierReply]] = {}
        self._lost: set[int] = set()

    def add(self, batch: Batch, replies: list[Message]) -> None:
        """Keep replies to the request that `batch` is."""
        number, now, size = batch.first, perf_counter_ns(), memory_of(replies)
        if number in self._lost:
            return
        if self._bytes + size > self._most:
            self._drop(self._kept.pop(number, []))
            self._lost.add(number)
            return
        self._bytes += size
        self._kept.setdefault(number, []).extend([EarlierReply(reply, now) for reply in replies])

    def take(self, batch: Batch) -> dict[int, list[EarlierReply]]:
        """What came before the last replies to the requests of `batch`, by their numbers; nothing is kept of it."""
        if not self._kept:
            return {}
        taken = {number: self._kept.pop(number) for number in batch.numbers if number in self._kept}
        for parts in taken.values():
            self._drop(parts)
        return taken

    def take_lost(self, batch: Batch) -> bool:
        """Whether the request that `batch` is was lost; it is done now."""
        if not self._lost or batch.first not in self._lost:
            return False
        self._lost.remove(batch.first)
        return True

    def _drop(self, parts: list[EarlierReply]) -> None:
        self._bytes -= memory_of([part.reply for part in parts])
