"""Counts of what becomes of the requests of a run, while it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import TYPE_CHECKING

from natscli.errors import PynatsError
from natscli.histogram import Histogram

if TYPE_CHECKING:
    import asyncio

    from natscli.message.recipe import Outgoing
    from natscli.request.events import Observer, Received
    from natscli.request.summary import Summary
    from natscli.timeline import Timeline

#: What is the sum of those of all processes.
_SUMS = (
    "sent",
    "_failed_unsent",
    "answered",
    "late",
    "retried",
    "acknowledged",
    "replies",
    "more",
    "bytes_sent",
    "bytes_received",
)


class Statistics:
    """See `Summary` for what is counted.

    `failed` has the numbers by kind, `examples` the first message of each. `started` is when the first request was sent
    or due, `ended` when the last one ended, and `failed_at` when there was the `first_failure`: of `perf_counter_ns`.
    `stopped` is what ended the whole run before all was done.
    `timeline` has RTTs and failures over that time, if an observer keeps it.
    """

    def __init__(self) -> None:
        self.sent = self._failed_unsent = self.answered = self.late = self.retried = 0
        self.acknowledged = self.replies = self.more = 0
        self.bytes_sent = self.bytes_received = self.started = self.ended = self.failed_at = 0
        self.failed: dict[str, int] = {}
        self.examples: dict[str, str] = {}
        self.first_failure: PynatsError | None = None
        self.stopped: PynatsError | None = None
        self.rtt = Histogram()
        self.timeline: Timeline | None = None

    def answer(self, replies: Sequence[Received], now: int) -> None:
        """Count requests that each ended now with the one of `replies` that it waited for."""
        self.rtt.record_all([reply.rtt_ns for reply in replies])
        self.replies += len(replies)
        self.bytes_received += sum([len(reply.payload) + len(reply.header or b"") for reply in replies])
        self.answered += len(replies)
        self.ended = now

    def take(self, reply: Received) -> None:
        """Count a reply to a request that may have more of them."""
        if reply.number == 1:
            self.rtt.record(reply.rtt_ns)
        self.replies += 1
        self.bytes_received += len(reply.payload) + len(reply.header or b"")

    def fail(self, error: PynatsError, count: int, unsent: int = 0) -> None:
        """Count requests that failed with `error`, of which some were never sent; none, when the whole run did."""
        self._failed_unsent += unsent
        if self.first_failure is None:
            self.first_failure, self.failed_at = error, perf_counter_ns()
        if count:
            self._fail(error.status.name.lower(), count, str(error))

    @property
    def in_flight(self) -> int:
        """What was sent and has not ended. It is not counted: a signal may come between two counts."""
        return self.sent - self.answered - (sum(self.failed.values()) - self._failed_unsent)

    def add(self, other: Statistics) -> None:
        """Count what `other` did at the same time, in another process."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for kind, count in other.failed.items():
            self._fail(kind, count, other.examples[kind])
        self.stopped = self.stopped or other.stopped
        self.started = min(filter(None, (self.started, other.started)), default=0)
        self.ended = max(self.ended, other.ended)
        self.rtt.add(other.rtt)
        if other.timeline is not None:
            self.keep_timeline().add(other.timeline)
        if other.failed_at and (not self.failed_at or other.failed_at < self.failed_at):
            self.first_failure, self.failed_at = other.first_failure, other.failed_at

    def keep_timeline(self) -> Timeline:
        """The timeline; a new one, if there was none."""
        if self.timeline is None:
            from natscli.timeline import Timeline

            self.timeline = Timeline()
        return self.timeline

    def summary(self) -> Summary:
        """What became of the requests so far."""
        from natscli.request.summary import Failures, Summary

        return Summary(
            sent=self.sent, answered=self.answered, in_flight=self.in_flight,
            failed={kind: Failures(count, self.examples[kind]) for kind, count in self.failed.items()},
            late=self.late, retried=self.retried, acknowledged=self.acknowledged,
            more=self.more, bytes_sent=self.bytes_sent, bytes_received=self.bytes_received,
            seconds=max(self.ended - self.started, 0) / 1e9, rtt=self.rtt,
        )  # fmt: skip

    def _fail(self, kind: str, count: int, example: str) -> None:
        self.failed[kind] = self.failed.get(kind, 0) + count
        self.examples.setdefault(kind, example)


class OverTime:
    """Has `observer` show what happens, and keeps the timeline of `statistics`."""

    def __init__(self, observer: Observer, statistics: Statistics) -> None:
        self.broken: asyncio.Future[PynatsError] = observer.broken
        self.catch_up: Callable[[int], None] = observer.catch_up
        self.is_behind: Callable[[], bool] = observer.is_behind
        self.sending: Callable[[Sequence[Outgoing]], None] = observer.sending
        self._observer = observer
        self._timeline = statistics.keep_timeline()

    def replies(self, replies: Sequence[Received]) -> None:
        """See `Observer`."""
        now = perf_counter_ns()
        for reply in replies:
            if reply.number == 1:
                self._timeline.record(now, reply.rtt_ns)
        self._observer.replies(replies)

    def failed(self, requests: Sequence[Outgoing], error: PynatsError) -> None:
        """See `Observer`."""
        if requests:
            self._timeline.fail(perf_counter_ns(), len(requests))
        self._observer.failed(requests, error)
