"""Counts of what becomes of the requests of a run, while it runs."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING

from natscli.errors import PynatsError
from natscli.histogram import Histogram

if TYPE_CHECKING:
    from natscli.request.summary import Summary

#: What is the sum of those of all processes.
_SUMS = (
    "sent",
    "in_flight",
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
    """

    def __init__(self) -> None:
        self.sent = self.in_flight = self.answered = self.late = self.retried = 0
        self.acknowledged = self.replies = self.more = 0
        self.bytes_sent = self.bytes_received = self.started = self.ended = self.failed_at = 0
        self.failed: dict[str, int] = {}
        self.examples: dict[str, str] = {}
        self.first_failure: PynatsError | None = None
        self.rtt = Histogram()

    def fail(self, error: PynatsError, count: int) -> None:
        """Count requests that failed with `error`; none, when the whole run did."""
        if self.first_failure is None:
            self.first_failure, self.failed_at = error, perf_counter_ns()
        if count:
            self._fail(error.status.name.lower(), count, str(error))

    def add(self, other: Statistics) -> None:
        """Count what `other` did at the same time, in another process."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for kind, count in other.failed.items():
            self._fail(kind, count, other.examples[kind])
        self.started = min(filter(None, (self.started, other.started)), default=0)
        self.ended = max(self.ended, other.ended)
        self.rtt.add(other.rtt)
        if other.failed_at and (not self.failed_at or other.failed_at < self.failed_at):
            self.first_failure, self.failed_at = other.first_failure, other.failed_at

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
