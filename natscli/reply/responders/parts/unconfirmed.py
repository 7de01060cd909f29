"""Requests that were answered, kept until the server has had its say about the replies: it may refuse some.

It says so in its own time, and names the reply subject. What it has not refused before the PONG to a later PING, it has
taken; one PING, at most every 20 ms, is for all that was answered before it.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from natscli.message.message import Message, memory_of
from natscli.reply.responders.responder import Batch, reply_subject
from natscli.wire.refusal import read, refused_subject

if TYPE_CHECKING:
    from natscli.connection.connection import Connection

T = TypeVar("T")

#: Seconds from a reply to a PING, and between two of them, at least. A server that ends the connection because of the
#: reply has mostly said so by then: what is written to one that has closed costs its last words.
_DELAY, _PAUSE = 0.002, 0.02
#: Refused replies that are remembered, at most.
_MOST_REFUSED = 20_000


class Unconfirmed(Generic[T]):
    """Keeps batches with their replies, and what else is known of them, for `release`.

    That is called with them in order, and with whether a reply to each request was refused; empty when none was. Of
    more than `most` requests, or `most_bytes` of memory, the oldest are released without the server's word. Without a
    connection nothing is kept, unless `offline`: then it is until the next one has taken it.
    """

    def __init__(
        self,
        connection: Connection,
        release: Callable[[Batch, list[Message], T, Sequence[bool]], object],
        most: int,
        most_bytes: int,
        *,
        offline: bool = False,
    ) -> None:
        self._connection = connection
        self._release = release
        self._most, self._most_bytes, self._offline = most, most_bytes, offline
        self._loop = asyncio.get_running_loop()
        self._kept: deque[tuple[Batch, list[Message], T, Mapping[int, Sequence[object]], int]] = deque()
        self._requests = self._size = self._released = 0
        self._refused: Counter[bytes] = Counter()
        self._asked_at = -_PAUSE
        self._asking: asyncio.TimerHandle | asyncio.Task[None] | None = None

    def keep(
        self, batch: Batch, replies: list[Message], rest: T, before: Mapping[int, Sequence[object]]
    ) -> None:
        """Keep these, which were sent just now, the last of them; `before` has earlier replies by number."""
        size = memory_of(batch.requests) + memory_of(replies)
        self._kept.append((batch, replies, rest, before, size))
        self._requests += len(batch.requests)
        self._size += size
        while self._requests > self._most or self._size > self._most_bytes:
            self._release_until(self._released + 1)
        if self._asking is None and self._kept:
            self._ask_soon()

    def refuse(self, text: str) -> None:
        """Take what the server says of a reply: that it may not be published, or that it is too large."""
        subject = refused_subject(text) if read(text) else self._largest()
        if subject is not None:
            self.refuse_reply(subject)

    def refuse_reply(self, subject: bytes) -> None:
        """A reply to `subject` is not taken."""
        if len(self._refused) >= _MOST_REFUSED:
            self._refused.clear()
        self._refused[subject.lower()] += 1

    def close(self) -> None:
        """Release all, at the end."""
        if self._asking is not None:
            self._asking.cancel()
        self._release_until(self._released + len(self._kept))

    def _ask_soon(self) -> None:
        pause = self._asked_at + _PAUSE - self._loop.time()
        self._asking = self._loop.call_later(max(pause, _DELAY), self._ask)

    def _ask(self) -> None:
        self._asked_at = self._loop.time()
        self._asking = self._loop.create_task(self._confirm(self._released + len(self._kept)))

    async def _confirm(self, end: int) -> None:
        """Release what was kept before the one with the number `end`, once the server has taken it, or is gone."""
        heard = await self._connection.answered()
        if heard or not self._offline or self._connection.client.is_closed:
            self._release_until(end)
        self._asking = None
        if self._kept:
            self._ask_soon()
        else:
            self._refused.clear()  # of what was not kept

    def _release_until(self, end: int) -> None:
        while self._kept and self._released < end:
            batch, replies, rest, before, size = self._kept.popleft()
            self._released += 1
            self._requests -= len(batch.requests)
            self._size -= size
            refused: Sequence[bool] = ()
            if self._refused:
                refused = [
                    self._is_refused(request, 1 + len(before.get(number, ())))
                    for number, request in zip(batch.numbers, batch.requests, strict=True)
                ]
            self._release(batch, replies, rest, refused)

    def _is_refused(self, request: Message, replies: int) -> bool:
        """Whether one of the `replies` to a request, their number, was refused; it is asked once."""
        subject = reply_subject(request).lower()
        count = self._refused.get(subject, 0)
        if count > replies:
            self._refused[subject] -= replies
        elif count:
            del self._refused[subject]
        return count > 0

    def _largest(self) -> bytes | None:
        """The subject of the largest reply of those that the server has not confirmed."""
        replies = [reply for _, replies, *_ in self._kept for reply in replies]
        return max(replies, key=_size)[0].lower() if replies else None


def _size(message: Message) -> int:
    return len(message[2] or b"") + len(message[3])
