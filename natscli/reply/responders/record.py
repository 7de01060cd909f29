"""Keeps requests and their replies in a file, without slowing the replies down."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from time import perf_counter_ns
from typing import NamedTuple

from natscli.errors import PynatsError
from natscli.message.exchange import Outcome
from natscli.message.message import Message, memory_of
from natscli.message.records.file import Writer
from natscli.reply.responders.parts.exchange_lines import lines
from natscli.reply.responders.parts.several import EarlierReply, Several
from natscli.reply.responders.parts.unconfirmed import Unconfirmed
from natscli.reply.responders.responder import Batch, Done, Failure, Host, OwnFailure, Responder, Wrapper

#: Seconds from a reply to its line; lines, and bytes of them, that are made before requests get their turn again.
_DELAY, _LINES_AT_ONCE, _BYTES_AT_ONCE = 0.02, 100, 1024 * 1024
#: Requests, and bytes, that may wait to become lines: with more, replies wait instead.
_MOST_KEPT, _MOST_BYTES_KEPT = 20_000, 32 * 1024 * 1024
#: How long (seconds) to wait for a disk that takes nothing, when there is no time.
_SHORT_PATIENCE = 1.0


class _Kept(NamedTuple):
    """Requests that become lines: the last replies, when these went (`perf_counter_ns`), what came `before`.

    Without any, `outcome` is what the service did that was asked instead.
    """

    batch: Batch
    replies: list[Message]
    ended: int
    before: dict[int, list[EarlierReply]]
    outcome: Outcome | None

    @property
    def memory(self) -> int:
        """Bytes, about."""
        size = memory_of(self.batch.requests) + memory_of(self.replies)
        for parts in self.before.values():
            size += memory_of([part.reply for part in parts])
        return size


class Recorded(Wrapper):
    """Appends every request that is answered, or left unanswered on purpose, and its replies to a file.

    Where `inner` passes requests on to a service, these are the replies of that: silence is no reply, whatever the
    requester got, and a request that the service was not asked is not recorded. Else a reply that the server refuses is
    none: its request is left out.
    """

    def __init__(self, inner: Responder, path: str) -> None:
        """Open the file.

        Raises:
            InputError: it cannot be written, or its last line is incomplete.
        """
        super().__init__(inner)
        self._path = path
        self._writer = Writer(path, self._say)
        self._kept: deque[_Kept] = deque()
        self._several = Several()
        self._requests = self._bytes = self._answered = 0
        self._lines = self._render()
        self._timer: asyncio.TimerHandle | None = None

    async def start(self, host: Host) -> None:
        self._loop = asyncio.get_running_loop()
        self._environment = host.environment
        self._unconfirmed = Unconfirmed(
            host.connection, self._keep, _MOST_KEPT, _MOST_BYTES_KEPT, offline=True
        )
        await super().start(host)

    def respond(self, batch: Batch, done: Done) -> None:
        self.inner.respond(batch, partial(self._done, done))

    async def finish(self) -> None:
        """Write what is left.

        Raises:
            PynatsError: not everything could be recorded.
        """
        await super().finish()
        self._unconfirmed.close()
        self._write()
        await self._writer.finish()
        if lost := self._answered - self._writer.written:
            raise PynatsError(f"requests that could not be recorded: {lost}", where=self._path)

    def kill(self) -> None:
        super().kill()
        if hasattr(self, "_unconfirmed"):
            self._unconfirmed.close()
        self._write()
        self._writer.close(_SHORT_PATIENCE)

    def _done(
        self, done: Done, batch: Batch, replies: list[Message], failure: Failure | None, *, more: bool = False
    ) -> None:
        done(batch, replies, failure, more=more)
        if more:
            self._several.add(batch, replies)
            return
        outcome = None
        if isinstance(failure, OwnFailure):
            outcome, replies = failure.outcome, []
            if outcome is None:
                self._several.take(batch)
                self._several.take_lost(batch)
                return
        self._answered += len(batch.requests)
        if self._several.take_lost(batch):
            return
        kept = _Kept(batch, replies, perf_counter_ns(), self._several.take(batch), outcome)
        self._unconfirmed.keep(batch, replies, kept, kept.before)

    def refused(self, text: str) -> bool:
        of_inner = self.inner.refused(text)
        if not of_inner:
            self._unconfirmed.refuse(text)
        return of_inner

    def undelivered(self, subject: bytes) -> None:
        super().undelivered(subject)
        self._unconfirmed.refuse_reply(subject)

    def _keep(self, batch: Batch, replies: list[Message], kept: _Kept, refused: Sequence[bool]) -> None:
        """Keep what the server took, or the service has said, until it is written."""
        if any(refused) and not self._passed_on(batch):
            self._answered -= sum(refused)
            for index, part in enumerate(batch.single()):
                if not refused[index]:
                    self._keep(part, replies[index : index + 1], kept._replace(batch=part), ())
            return
        kept = kept._replace(replies=replies)
        self._kept.append(kept)
        self._requests += len(batch.requests)
        self._bytes += kept.memory
        if self._requests > _MOST_KEPT or self._bytes > _MOST_BYTES_KEPT:
            self._write()
        elif self._timer is None:
            self._timer = self._loop.call_later(_DELAY, self._write_some)

    def _passed_on(self, batch: Batch) -> bool:
        subject = batch.requests[0][0]
        return self.inner.asked_instead(subject) != subject

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
        self._writer.offer(some)

    def _render(self) -> Iterator[bytes]:
        """The lines of all that is kept; asked for no more than that."""
        while True:
            kept = self._kept.popleft()
            clock = time.time_ns() - perf_counter_ns()
            yield from lines(
                kept.batch, kept.replies, kept.ended, clock, self.inner.asked_instead, kept.before, kept.outcome
            )  # fmt: skip
            self._bytes -= kept.memory

    def _say(self, text: str) -> None:
        """Called in a thread. Requests are answered, whatever it says of the file."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._environment.warn, text)
