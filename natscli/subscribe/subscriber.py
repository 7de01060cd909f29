"""The loop that receives messages, until it is stopped, has enough, or no more come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from natscli.connection.connection import Connection
from natscli.connection.failures import IMPORTERS_UNSEEN, classify, names
from natscli.connection.gaps import Gaps
from natscli.duration import format_duration
from natscli.environment import Environment
from natscli.errors import NoReplyError, PynatsError
from natscli.message.message import Message
from natscli.message.subjects import IMPORTERS, covers
from natscli.subscribe.destination import Destination
from natscli.subscribe.matching import Matching
from natscli.system.signals import Stop
from natscli.system.waiting import within
from natscli.text import exact, for_people
from natscli.wire.nats_py import errors as nats_errors
from natscli.wire.refusal import read

#: How long (seconds) to wait for the server at the end.
_PATIENCE = 3.0
#: What the reply subjects of requesters of other accounts begin with.
_OF_IMPORTERS = IMPORTERS.removesuffix(">").encode()
#: Subjects of which it is remembered whether they are ignored.
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True)
class Subscribing:
    """What to receive, and for how long. Times in seconds.

    `count` messages and no more, 0 for no end; until none came for `wait`, 0 for ever. Replies on the subjects
    `inboxes` are matched to their requests; those to the last of `count` messages are waited for `reply_timeout`.
    """

    subjects: tuple[str, ...]
    queue: str = ""
    count: int = 0
    wait: float = 0.0
    ignored: tuple[str, ...] = ()
    inboxes: tuple[str, ...] = ()
    reply_timeout: float = 5.0


class Subscriber:
    """Receives what one `Subscribing` describes on one connection, and gives it to a `Destination`."""

    def __init__(
        self,
        subscribing: Subscribing,
        connection: Connection,
        environment: Environment,
        destination: Destination,
    ) -> None:
        self._subscribing = subscribing
        self._connection = connection
        self._client = connection.client
        self._environment = environment
        self._destination = destination
        self._matching = Matching(destination, subscribing.inboxes) if subscribing.inboxes else None
        self._ignored = _Ignored(subscribing.ignored)
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._last = 0.0
        self._waited_in_vain = self._said_unseen = False
        self._gaps = Gaps()
        self.received = 0

    async def run(self) -> None:
        """Subscribe, receive, and at the end show all that was on its way.

        Raises:
            PynatsError: refused, the connection was lost for good, not all could be shown, or fewer than `count` came.
            asyncio.CancelledError: stopped a second time.
        """
        connection = self._connection
        stop = Stop(self._stop.set)
        refused = connection.on_refusal
        connection.on_refusal = lambda error: None if self._does_without(error) else refused(error)
        try:
            subscriptions = await self._subscribe()
            await connection.confirm()
            connection.needs(s for s in subscriptions if s.subject in self._subscribing.subjects)
            connection.on_refusal = self._on_refusal
            connection.on_disconnect = self._on_disconnect
            connection.on_reconnect = lambda: self._gaps.end(self._loop.time())
            self._log_subscribed()
            self._last = self._loop.time()
            self._watch_the_clock()
            lost = await self._receive(subscriptions)
        except nats_errors.Error as error:
            raise classify(error, connection.url) from None
        self._report_gaps()
        await self._destination.finish()
        stop.blocking = True
        if lost is not None:
            raise lost
        if self._waited_in_vain and self._subscribing.count:
            raise NoReplyError(
                f"timeout: {self.received} of {self._subscribing.count} messages, "
                f"none more within {format_duration(self._subscribing.wait)}"
            )

    async def _subscribe(self) -> list[Any]:
        subscribing, client = self._subscribing, self._client
        subscriptions = []
        if self._matching is not None:  # first, so that no reply is missed
            for pattern in subscribing.inboxes:
                subscriptions.append(await client.subscribe_batches(pattern, "", self._on_replies))
        # The server counts what it sends to one subscription, and that is right only if all of it counts.
        limit = 0 if subscribing.ignored or subscribing.inboxes else subscribing.count
        for subject in dict.fromkeys(subscribing.subjects):
            subscriptions.append(
                await client.subscribe_batches(subject, subscribing.queue, self._on_batch, limit)
            )
        return subscriptions

    def _log_subscribed(self) -> None:
        subscribing = self._subscribing
        line = f"Subscribed to [{', '.join(subscribing.subjects)}]"
        if subscribing.queue:
            line += f' in group "{subscribing.queue}"'
        if subscribing.ignored:
            line += f", ignoring [{', '.join(subscribing.ignored)}]"
        if subscribing.inboxes:
            line += f", matching replies on [{subscribing.inboxes[0]}]"
        self._environment.log(line)

    async def _receive(self, subscriptions: list[Any]) -> PynatsError | None:
        """Receive to the end; why no more can come, if that ended it: what came is shown even so.

        Raises:
            PynatsError: nothing can be shown any more.
        """
        try:
            await self._unless_ended(self._stop.wait())
            await self._unless_ended(self._drain(subscriptions))
        except PynatsError as error:
            if self._destination.broken.done():
                raise
            if self._matching is not None:
                self._matching.show_rest()
            return error
        return None

    async def _drain(self, subscriptions: list[Any]) -> None:
        """Unsubscribe, and take what the server has sent before that."""
        endings = [s.drain() if self._client.is_connected else s.unsubscribe() for s in subscriptions]
        # Without a connection no more messages come anyway.
        with suppress(asyncio.TimeoutError, nats_errors.Error):
            await within(_PATIENCE, asyncio.gather(*endings))
        if self._matching is not None:
            self._matching.show_rest()

    async def _unless_ended(self, work: Awaitable[Any]) -> None:
        """Wait for `work`, unless the connection is lost for good or nothing can be shown any more.

        Raises:
            PynatsError: which of the two it is.
        """
        task = asyncio.ensure_future(work)
        ends = (self._connection.lost, self._destination.broken)
        await asyncio.wait((task, *ends), return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            if end.done():
                task.cancel()
                raise end.result()
        task.result()

    # -- what comes --------------------------------------------------------------------------------------------

    def _on_batch(self, batch: list[Message], arrived: int) -> None:  # noqa: ARG002
        subscribing, matching = self._subscribing, self._matching
        if subscribing.ignored:
            batch = self._ignored.without(batch)
        if matching is not None:
            batch = matching.without_replies(batch)
        if subscribing.count:
            batch = batch[: subscribing.count - self.received]
        if not batch:
            return
        first, self.received = self.received + 1, self.received + len(batch)
        self._last = self._loop.time()
        (matching or self._destination).show(batch, first, time.time())
        if matching is not None and matching.elsewhere.startswith(_OF_IMPORTERS) and not self._said_unseen:
            self._said_unseen = True
            self._environment.warn(IMPORTERS_UNSEEN)
        if self.received == subscribing.count:
            self._have_enough()

    def _on_replies(self, batch: list[Message], arrived: int) -> None:  # noqa: ARG002
        assert self._matching is not None
        self._matching.replies(batch, time.time())

    def _on_refusal(self, error: PynatsError) -> None:
        """Without the inboxes no reply is seen; those of other accounts, or one of several subjects, can be missing."""
        refusal, inboxes = read(error.what), self._subscribing.inboxes
        taken = refusal.subject.lower() if refusal is not None and refusal.subscription else ""
        if inboxes and taken == inboxes[0].lower():
            if not self._connection.lost.done():
                self._connection.lost.set_result(error)
        elif not self._does_without(error):
            self._environment.warn(error.what)

    def _does_without(self, error: PynatsError) -> bool:
        """Whether those who are not asked by other accounts can do without what was refused."""
        if self._matching is None or not names(error, IMPORTERS):
            return False
        self._matching.refused(IMPORTERS)
        return True

    def _on_disconnect(self) -> None:
        self._gaps.begin(self._loop.time())
        if self._matching is not None:
            self._matching.begin_anew()

    def _have_enough(self) -> None:
        """All messages came; replies to them may still come."""
        if self._matching is not None and self._matching.waiting:
            self._matching.on_empty = self._stop.set
            self._loop.call_later(self._subscribing.reply_timeout, self._stop.set)
        else:
            self._stop.set()

    def _watch_the_clock(self) -> None:
        """Stop when none came for too long."""
        if not self._subscribing.wait:
            return
        due = self._last + self._subscribing.wait
        if due <= self._loop.time():
            self._waited_in_vain = self.received != self._subscribing.count and not self._stop.is_set()
            self._stop.set()
        else:
            self._loop.call_at(due, self._watch_the_clock)

    def _report_gaps(self) -> None:
        """Say that messages may be missing that cannot be counted."""
        self._gaps.end(self._loop.time())
        for line in self._gaps.summary():
            self._environment.warn(line[0].lower() + line[1:])
        matching = self._matching
        if matching is not None and matching.unmatched:
            self._environment.warn(f"requests without a reply: {matching.unmatched}")
        if matching is not None and matching.outside:
            subject = for_people(matching.elsewhere)
            self._environment.warn(
                f"requests whose replies go elsewhere, such as [{subject}]: {matching.outside}"
            )


class _Ignored:
    """Leaves out messages whose subjects match `patterns`; the verdict on up to `_MOST_REMEMBERED` subjects is kept."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._patterns = patterns
        self._known: dict[bytes, bool] = {}

    def without(self, batch: list[Message]) -> list[Message]:
        """`batch` without them."""
        return [message for message in batch if not self._is_ignored(message[0])]

    def _is_ignored(self, subject: bytes) -> bool:
        known = self._known.get(subject)
        if known is None:
            text = exact(subject)
            known = any(covers(pattern, text) for pattern in self._patterns)
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[subject] = known
        return known
