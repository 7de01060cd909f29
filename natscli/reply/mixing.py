"""Has requests answered together that one read brought to several places of a responder.

Ten endpoints get a tenth of a read each: what is done once for a batch would be done ten times for as many requests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from time import perf_counter_ns
from typing import Protocol

from natscli.message.message import Message
from natscli.reply.delivery import TOO_LARGE, UNDELIVERED, Deliver, Delivery
from natscli.reply.numbers import Numbers
from natscli.reply.pending import Pending
from natscli.reply.responders.responder import Batch, Failure, reply_subject
from natscli.reply.routes import Route
from natscli.reply.statistics import Statistics


class DoneIn(Protocol):
    """Counts requests of one place that are done in its statistics, and delivers their replies; see `Done`."""

    def __call__(
        self, deliver: Deliver, statistics: Statistics, batch: Batch, replies: list[Message],
        failure: Failure | None, /, *, more: bool = False,
    ) -> object: ...  # fmt: skip


class Mixing:
    """The places of a responder: `take` gets what came to several of them, `done` what was answered.

    What cannot be done for all together, both do for each place, with what takes its requests or with `done_in`.
    """

    def __init__(
        self,
        numbers: Numbers,
        pending: Pending,
        delivery: Delivery,
        begun: Mapping[int, int],
        done_in: DoneIn,
    ) -> None:
        """`begun` has the numbers of requests that got some of several replies."""
        self._numbers = numbers
        self._pending = pending
        self._delivery = delivery
        self._begun = begun
        self._done_in = done_in
        self._statistics: dict[int, Statistics] = {}
        self._counted: tuple[tuple[int, ...], Counter[int]] = (), Counter()
        self._take_in: dict[int, Callable[[list[Message], int], object]] = {}

    def add(self, route: Route, take: Callable[[list[Message], int], object]) -> None:
        """Know the place of a route, and what takes its requests."""
        self._responder = route.responder
        self._statistics[route.place] = route.statistics
        self._take_in[route.place] = take

    def take(self, places: tuple[int, ...], requests: list[Message], arrived: int) -> None:
        """Take the requests of one read, with the place of each."""
        responder = self._responder
        together = (
            responder.mixes and not self._statistics[places[0]].sizes and all(map(reply_subject, requests))
        )
        if not together or not self._pending.add(requests):
            self._take_each(places, requests, arrived)
            return
        for place, count in self._counts(places).items():
            self._statistics[place].requests += count
        first = self._numbers.take(len(requests)).start
        self._delivery.begin()
        responder.respond(Batch(requests, first, arrived, places=places), self.done)
        self._delivery.show_received(requests, first)

    def _counts(self, places: tuple[int, ...]) -> Counter[int]:
        """How many requests came to each place; what was taken together is mostly done together."""
        if places != self._counted[0]:
            self._counted = places, Counter(places)
        return self._counted[1]

    def _take_each(self, places: tuple[int, ...], requests: list[Message], arrived: int) -> None:
        sorted_out: dict[int, list[Message]] = {}
        for place, request in zip(places, requests, strict=True):
            sorted_out.setdefault(place, []).append(request)
        for place, those in sorted_out.items():
            self._take_in[place](those, arrived)

    def done(
        self, batch: Batch, replies: list[Message], failure: Failure | None, /, *, more: bool = False
    ) -> None:
        """Take what is done; see `Done`."""
        if not batch.places:
            self._done_in(
                self._delivery.deliver, self._statistics[batch.place], batch, replies, failure, more=more
            )
            return
        if failure is not None or not replies or self._begun or self._statistics[batch.places[0]].sizes:
            start = 0
            for place, part in batch.runs(batch.places):
                end = start + len(part.requests)
                self._done_in(
                    self._delivery.deliver, self._statistics[place], part, replies[start:end], failure
                )
                start = end
            return
        elapsed = perf_counter_ns() - batch.arrived
        for place, count in self._counts(batch.places).items():
            statistics = self._statistics[place]
            statistics.processing += elapsed * count
            statistics.finished += count
            statistics.answered += count
        self._statistics[batch.places[0]].spend(0, elapsed, len(replies))  # all note times in the same
        unfit = self._delivery.deliver(batch, replies, None)
        for request, place in zip(batch.requests, batch.places, strict=True) if unfit else ():
            problem = unfit.get(reply_subject(request))
            if problem is UNDELIVERED:
                self._statistics[place].undeliver(1)
            elif problem is not None:
                self._statistics[place].fail(TOO_LARGE, 1)
        self._pending.remove(batch.requests)
