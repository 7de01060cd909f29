"""Watches one connection: subscribes, matches, follows no more than it can, drains."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from time import perf_counter_ns
from typing import Any

from natscli.connection.connection import Connection
from natscli.connection.failures import IMPORTERS_UNSEEN, names
from natscli.connection.gaps import Gaps
from natscli.environment import Environment
from natscli.errors import PynatsError, RefusedError
from natscli.message.exchange import Exchange
from natscli.message.message import Message
from natscli.message.subjects import IMPORTERS, covers, minimal, overlap
from natscli.system.signals import Stop
from natscli.system.waiting import within
from natscli.text import exact, for_people
from natscli.watch.inboxes import Inboxes
from natscli.watch.interest import Interest
from natscli.watch.matcher import WHOLE, Matcher, MatchLimits, Open
from natscli.watch.question import Identity, requester_of
from natscli.wire.nats_py import errors as nats_errors
from natscli.wire.refusal import read

#: Seconds between looks at what has ended, and at whether the socket is read fast enough.
_TICK = 0.05
#: Ticks in which the socket was never read empty, before a smaller share is followed; ticks in which it was, before a
#: larger one is.
_BEHIND_TICKS, _CALM_TICKS = 2, 20
#: A smaller one would save nothing: most of the time goes into reading the rest.
_LEAST_SHARE = WHOLE // 256
#: Nanoseconds without a reply after which the servers are asked who subscribes.
_PATIENCE = 250_000_000
#: What the server sends when nobody subscribes.
_NO_RESPONDERS = b"NATS/1.0 503\r\nNats-Subject: %b\r\n\r\n"
#: Subjects of which it is said that nobody answers.
_MOST_LOGGED = 16
#: Seconds to wait for the server at the end.
_LAST_WAIT = 3.0


@dataclass(frozen=True)
class Watching:
    """What to watch: `inboxes` is the pattern of the reply subjects, `share` of `WHOLE` exchanges are wanted.

    `belongs` is as `Matcher` has it.
    """

    subjects: tuple[str, ...]
    inboxes: str
    limits: MatchLimits
    share: int = WHOLE
    answer_no_responders: bool = False
    belongs: Callable[[Message, Message], bool] | None = None


class Watcher:
    """Gives exchanges to `show` as they end, until it is stopped.

    It sends nothing to those it watches, unless it is to answer for missing responders. `watched` is whether it ever
    did watch, `gaps` is when it could not.
    """

    def __init__(
        self,
        watching: Watching,
        connection: Connection,
        environment: Environment,
        show: Callable[[list[Exchange]], None],
    ) -> None:
        self._watching = watching
        self._connection = connection
        self._client = connection.client
        self._environment = environment
        self._show = show
        self._loop = asyncio.get_running_loop()
        self._subscribed: list[tuple[str, Any]] = []
        self._interest = Interest(connection.client, self._log_why_not)
        self._inboxes = Inboxes(watching.inboxes, watching.subjects)
        own = self._interest.inbox.encode()
        self.matcher = Matcher(watching.limits, self._inboxes, own, watching.share, watching.belongs)
        self._handler = self._on_batch  # one object, so that a read of several subscriptions is one batch
        self.watched = False
        self.gaps = Gaps()
        self._identity, self._received = Identity.of(self._client.server_info), 0
        self._unheard: set[bytes] = set()
        self._stopped = asyncio.Event()
        self._failure: PynatsError | None = None
        self._refused: list[PynatsError] = []
        self._said_missed = False
        self._reads = 0, 0
        self._behind = self._calm = 0
        self._more: set[asyncio.Task[None]] = set()

    @property
    def unseen(self) -> str:
        """A reply subject of those requests whose replies cannot be seen, or an empty string."""
        return for_people(self._inboxes.unseen)

    def stop(self, failure: PynatsError | None = None) -> None:
        """End `run`, which raises `failure` if there is one."""
        self._failure = self._failure or failure
        self._stopped.set()

    async def run(self) -> None:
        """Watch until `stop` or a signal; what has ended by then is shown.

        Raises:
            PynatsError: refused, or the connection was lost.
            asyncio.CancelledError: stopped a second time.
        """
        stop = Stop(self.stop)
        connection = self._connection
        connection.on_refusal = self._on_refusal
        connection.on_disconnect = self._on_disconnect
        connection.on_reconnect = self._on_reconnect
        connection.lost.add_done_callback(lambda lost: self.stop(lost.result()))
        await self._subscribe()
        self.watched = True
        self._loop.call_later(_TICK, self._tick)
        await self._stopped.wait()
        self.gaps.end(self._loop.time())
        await self._drain()
        stop.blocking = True
        if self._failure is not None:
            raise self._failure

    async def _subscribe(self) -> None:
        """Subscribe to the inboxes first, so that no request is seen whose reply is not."""
        watching = self._watching
        await self._interest.start()
        patterns = minimal([*self._inboxes.first, *watching.subjects])
        for pattern in patterns:
            await self._watch(pattern)
        await self._connection.confirm()
        if self._refused:
            raise self._refused[0]
        self._connection.needs(s for pattern, s in self._subscribed if pattern in watching.subjects)
        names = ", ".join(f"[{subject}]" for subject in watching.subjects)
        self._environment.log(f"Watching {names}, replies on [{watching.inboxes}]")

    async def _watch(self, pattern: str) -> None:
        """Subscribe; what a subscription made before gets too is not taken twice."""
        earlier = tuple(other for other, _ in self._subscribed if overlap(other, pattern))
        handler = partial(self._on_overlap, earlier) if earlier else self._handler
        self._subscribed.append((pattern, await self._client.subscribe_batches(pattern, "", handler)))

    async def _watch_more(self, pattern: str) -> None:
        """Subscribe to another kind of inboxes that somebody uses; requests are followed once that is done."""
        try:
            await self._watch(pattern)
            await self._client.flush(5)
        except (asyncio.TimeoutError, OSError, nats_errors.Error):
            return
        if not any(names(error, pattern) for error in self._refused):
            self._inboxes.add(pattern)
            self._environment.log(f"Watching replies on [{pattern}] too")

    async def _drain(self) -> None:
        """Unsubscribe, take what was on its way, and show what has ended."""
        with suppress(asyncio.TimeoutError, OSError, nats_errors.Error):
            if self._client.is_connected:
                drained = (subscription.drain() for _, subscription in self._subscribed)
                await within(_LAST_WAIT, asyncio.gather(*drained))
        self.matcher.interrupt()
        self._show(self.matcher.take(perf_counter_ns()))

    # -- what is seen ----------------------------------------------------------------------------------------

    def _on_overlap(self, earlier: tuple[str, ...], batch: list[Message], arrived: int) -> None:
        self._on_batch([m for m in batch if not _covered(earlier, m[0])], arrived)

    def _on_batch(self, batch: list[Message], arrived: int) -> None:
        self.matcher.messages(batch, arrived, time.time())
        if self.matcher.full:
            self._show(self.matcher.take(perf_counter_ns()))

    def _tick(self) -> None:
        if self._stopped.is_set():
            return
        self._loop.call_later(_TICK, self._tick)
        self._adapt()
        now = perf_counter_ns()
        self._show(self.matcher.take(now))
        self._check_interest(now)
        for pattern in self._inboxes.wanted:
            task = self._loop.create_task(self._watch_more(pattern))
            self._more.add(task)
            task.add_done_callback(self._more.discard)
        self._inboxes.wanted.clear()
        if self._inboxes.missed and not self._said_missed:
            self._said_missed = True
            self._environment.warn(IMPORTERS_UNSEEN)

    def _check_interest(self, now: int) -> None:
        silent: dict[tuple[bytes, bytes], list[Open]] = {}
        patience = min(_PATIENCE, self._watching.limits.timeout // 4)
        for exchange in self.matcher.unchecked(now - patience):
            subject, reply, _, _ = exchange.message
            silent.setdefault((subject, requester_of(reply)), []).append(exchange)
        for (subject, _), exchanges in silent.items():
            reply = exchanges[0].message[1]
            self._interest.ask(subject, reply, partial(self._nobody_subscribes, subject, exchanges))

    def _nobody_subscribes(self, subject: bytes, exchanges: list[Open]) -> None:
        """Without this watcher the requesters would have been told by the server."""
        silent = self.matcher.nobody_subscribes(exchanges)
        if self._watching.answer_no_responders:
            status = _NO_RESPONDERS % subject
            answers: list[Message] = [(exchange.message[1], b"", status, b"") for exchange in silent]
            self._client.send(answers, lambda message, why: None)
        elif silent and subject not in self._unheard and len(self._unheard) < _MOST_LOGGED:
            self._unheard.add(subject)
            text = for_people(subject)
            self._environment.log(
                f"Nobody answers [{text}], and requesters are not told so while this watches: --answer-no-responders"
            )

    def _on_disconnect(self) -> None:
        self.matcher.interrupt()
        self.gaps.begin(self._loop.time())

    def _on_reconnect(self) -> None:
        """Ask what the server had for the connection that is gone."""
        stats = self._client.stats
        self.gaps.end(self._loop.time())
        received, self._received = stats["in_msgs"] - self._received, stats["in_msgs"]
        gone, self._identity = self._identity, Identity.of(self._client.server_info)
        self._interest.ask_why(gone, lambda told: self.gaps.told(told.reason, told.messages, received))

    def _adapt(self) -> None:
        """Follow fewer exchanges while what comes is not read as fast, and more again when it is."""
        matcher, (full, emptied) = self.matcher, self._client.reads
        new, caught_up = full != self._reads[0], emptied != self._reads[1]
        self._reads = full, emptied
        self._behind = 0 if caught_up or not new else self._behind + 1
        self._calm = 0 if self._behind else self._calm + 1
        if self._behind >= _BEHIND_TICKS and matcher.share > _LEAST_SHARE:
            if matcher.share == matcher.asked:
                self._environment.log("Following a part of the exchanges only: they come too fast")
            self._behind -= 1  # the next tick says whether that was enough
            matcher.share = max(matcher.share // 4, _LEAST_SHARE)
        elif self._calm >= _CALM_TICKS and matcher.share < matcher.asked:
            self._calm = 0
            matcher.share = min(matcher.share * 2, matcher.asked)
            if matcher.share == matcher.asked:
                self._environment.log("Following all exchanges again")

    def _on_refusal(self, error: PynatsError) -> None:
        if self._interest.refused(error.what):
            return
        watching = self._watching
        # One of several subjects may be taken away later; the last one ends the connection, see `Connection.needs`.
        needed = (watching.inboxes,) if self.watched else (watching.inboxes, *watching.subjects)
        for pattern in needed:
            if names(error, pattern):
                self._refused.append(_not_permitted(pattern, watching, error))
                self.stop(self._refused[0])
                return
        if names(error, IMPORTERS):  # those who are not asked by other accounts can do without
            self._inboxes.remove(IMPORTERS)
            return
        self._refused.append(error)
        more = next((p for p, _ in self._subscribed if p not in watching.subjects and names(error, p)), "")
        self._environment.warn(f"replies on [{more}] are not seen: not permitted" if more else error.what)

    def _log_why_not(self, why_not: str) -> None:
        and_silent = ", and not answered" if self._watching.answer_no_responders else ""
        self._environment.log(f"Requests without responders are shown as unanswered{and_silent}: {why_not}")


def _covered(patterns: tuple[str, ...], subject: bytes) -> bool:
    text = exact(subject)
    return any(covers(pattern, text) for pattern in patterns)


def _not_permitted(pattern: str, watching: Watching, error: PynatsError) -> PynatsError:
    if read(error.what) is None:
        return error  # the server says more: that there are too many tokens, whatever is permitted
    purpose = ", where the replies go" if pattern == watching.inboxes else ""
    needed = ", ".join(f'"{subject}"' for subject in (*watching.subjects, watching.inboxes))
    return RefusedError(
        f"not permitted to subscribe to [{pattern}]{purpose}", where=error.where,
        hint=f"ask the administrator for: permissions {{ subscribe: [{needed}] }}",
    )  # fmt: skip
