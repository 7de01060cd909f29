"""The loop that publishes: takes messages from a source, sends them in batches, and waits until the server has all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from natscli.connection.connection import Connection
from natscli.errors import InputError, PynatsError
from natscli.message.message import Message
from natscli.message.recipe import Outgoing, Recipe
from natscli.message.source import Counted, Source
from natscli.message.subjects import check_publish_subject
from natscli.publish.pace import Pace

#: Messages, and bytes, that are written at once: enough to be fast, few enough to notice refusals and signals.
_MOST_AT_ONCE, _MOST_BYTES = 1000, 256 * 1024
#: Seconds that the server's last words may take to be read, when nothing more can be written.
_SAYING = 1.0


@dataclass
class Tally:
    """What was sent, in messages and in bytes of payload, in how many seconds; `refused` is the part of it that the
    server did not take, `confirmed` that which it has taken for sure, `failed` all that was not published.
    """

    sent: int = 0
    size: int = 0
    refused: int = 0
    failed: int = 0
    seconds: float = 0.0
    confirmed: int = 0
    first_failure: PynatsError | None = None

    @property
    def unsure(self) -> int:
        """How many of those sent the server may not have."""
        return max(self.sent - self.refused - self.confirmed, 0)


class Observer(Protocol):
    """Called with what happens to the messages. Nothing in it may wait."""

    each: bool
    """Whether `published` is called at all; asking the server after each batch takes longer."""

    def published(self, batch: list[Outgoing]) -> None:
        """The server has taken these."""

    def failed(self, outgoing: Outgoing | None, error: PynatsError) -> None:
        """A message was not published; None, when only the server knows which."""


class Publisher:
    """Publishes what a source gives on one connection. `tally` says how far it is."""

    def __init__(
        self,
        connection: Connection,
        source: Source,
        recipe: Recipe,
        pace: Pace,
        reply: str,
        observer: Observer,
    ) -> None:
        """`source` follows `recipe`; all messages have the `reply` subject, none if it is empty."""
        self._connection = connection
        self._client = connection.client
        self._source = source
        self._recipe = recipe
        self._pace = pace
        self._reply = reply.encode()
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._more = asyncio.Event()
        # Where all are the same, what is wrong with one is wrong with all.
        self._is_uniform = recipe.is_static and isinstance(source, Counted)
        self._checked_subject = ""
        self._refusals: list[str] = []
        self._refused: asyncio.Future[PynatsError] = self._loop.create_future()
        self._asking: asyncio.Task[None] | None = None
        self.tally = Tally()

    async def run(self) -> None:
        """Publish everything, and wait until the server has taken it; what could not be sent is in `tally`.

        Raises:
            PynatsError: the connection was lost, or nothing of it can be published.
        """
        self._connection.on_refusal = self._on_refusal
        self._source.start(self._more.set)
        work = asyncio.ensure_future(self._publish())
        ends = (self._connection.lost, self._refused)
        try:
            await asyncio.wait((work, *ends), return_when=asyncio.FIRST_COMPLETED)
            if work.done() and isinstance(work.exception(), OSError):  # writing failed; what is read says why
                await asyncio.wait(ends, timeout=_SAYING, return_when=asyncio.FIRST_COMPLETED)
            if self._connection.lost.done() and self._asking is not None:  # it may have answered before that
                await asyncio.wait((self._asking,), timeout=_SAYING)
            for end in ends:
                if end.done():
                    raise end.result()
            work.result()
        finally:
            work.cancel()
            if self._asking is not None:
                self._asking.cancel()

    async def _publish(self) -> None:
        start = self._loop.time()
        while not self._source.exhausted:
            now = self._loop.time() - start
            # The first one alone, see `_send`.
            allowed = min(self._pace.allowed(now), _MOST_AT_ONCE if self.tally.sent else 1)
            if allowed < 1:
                self._ask()
                await asyncio.sleep(self._pace.due - now)
                continue
            self._more.clear()
            batch = self._take(int(allowed))
            if batch:
                self._pace.sent(len(batch))
                await self._send(batch)
            elif not self._source.exhausted:
                self._ask()
                await self._more.wait()
            self.tally.seconds = self._loop.time() - start
        await self._confirm()
        self.tally.seconds = self._loop.time() - start

    def _take(self, most: int) -> list[Outgoing]:
        """The next messages, `most` at most; fewer when they are large, or when there are no more now."""
        batch: list[Outgoing] = []
        size, room = 0, 1
        while room > 0:
            taken = self._source.take(room)
            for outgoing in taken:
                try:
                    self._check(outgoing)
                except InputError as error:
                    if self._is_uniform:
                        raise
                    self._fail(outgoing, error)
                    continue
                batch.append(outgoing)
                size += len(outgoing.payload)
            if not taken or size >= _MOST_BYTES:
                break
            # Others are likely as large as the last. One is always asked for: the last may have been refused.
            fitting = (_MOST_BYTES - size) // (len(taken[-1].payload) + 1)
            room = min(most - len(batch), max(fitting, 1))
        return batch

    def _check(self, outgoing: Outgoing) -> None:
        """Raises InputError for a message that the server would not take."""
        if outgoing.subject != self._checked_subject:
            check_publish_subject(outgoing.subject, "a message")
            self._checked_subject = outgoing.subject
        if why := self._client.unfit(outgoing.header, outgoing.payload):
            raise InputError(f"the message {why}")

    async def _send(self, batch: list[Outgoing]) -> None:
        reply, first = self._reply, not self.tally.sent
        messages: list[Message] = [(o.subject.encode(), reply, o.header, o.payload) for o in batch]
        self._client.send(messages)
        self.tally.sent += len(batch)
        self.tally.size += sum(len(outgoing.payload) for outgoing in batch)
        await self._client.published()
        if first and not (self._observer.each or self._source.exhausted):
            # A server that does not take it says why and closes; those who go on writing may never read that.
            await self._confirm()
        if self._observer.each:
            await self._confirm()
            refusals, self._refusals = self._refusals, []
            self._observer.published(_taken(batch, refusals))
        else:
            await self._client.written()
            await asyncio.sleep(0)  # what came from the server meanwhile has its turn: refusals, PINGs

    async def _confirm(self) -> None:
        await self._connection.confirm()
        self._confirmed(self.tally.sent)

    def _ask(self) -> None:
        """Find out what the server has taken so far, while there is nothing to send."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._learn())

    async def _learn(self) -> None:
        while self.tally.unsure and not self._refused.done():
            sent = self.tally.sent
            if not await self._connection.answered():
                return
            self._confirmed(sent)

    def _confirmed(self, sent: int) -> None:
        """The server has what was sent up to here, but for what it refused."""
        if not self._refused.done():
            self.tally.confirmed = max(self.tally.confirmed, sent - self.tally.refused)

    def _fail(self, outgoing: Outgoing | None, error: PynatsError) -> None:
        self.tally.failed += 1
        self.tally.first_failure = self.tally.first_failure or error
        self._observer.failed(outgoing, error)

    def _on_refusal(self, error: PynatsError) -> None:
        self._refusals.append(error.what.lower())  # `Permissions Violation for Publish to "x"`
        if not self._recipe.subject.is_static:
            self.tally.refused += 1
            self._fail(None, error)
        elif not self._refused.done():  # with one subject all the others would be refused too
            self._refused.set_result(error)


def _taken(batch: list[Outgoing], refusals: list[str]) -> list[Outgoing]:
    """Those of `batch` that the server has taken for sure: after a refusal that names none of their subjects, none.

    It checks what a mapping made of a subject, and what a header asks for. Refusals are in lower case: a nats-py of
    which only public names are used has them so.
    """
    quoted = {outgoing.subject: f'"{outgoing.subject.lower()}"' for outgoing in batch}
    if not all(any(subject in refusal for subject in quoted.values()) for refusal in refusals):
        return []
    return [o for o in batch if not any(quoted[o.subject] in refusal for refusal in refusals)]
