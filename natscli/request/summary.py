"""What became of the requests of a run, summed up: for people, for programs, for other processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from natscli.histogram import Histogram

#: The figures of RTTs in a summary.
TIMINGS = ("min", "mean", "p50", "p90", "p99", "p99.9", "max")


@dataclass(frozen=True)
class Failures:
    """Requests that failed in one way: how many, and the message of the first."""

    count: int
    example: str


@dataclass(frozen=True)
class Summary:
    """A run of requests: how many were `sent`, and of these `answered`, `failed` by kind, or `in_flight` at its end.

    `late` requests were sent after they were due, because of the bound on what is in flight; `retried` is how often
    one was sent again. `acknowledged` replies came from a stream; `more` came when their request had ended.
    Bytes are those of payloads and headers. `seconds` is from the first request to the end of the
    last.
    `rtt` has the nanoseconds from each request, in an open loop from when it was due, to its first reply; it is that
    of the `Statistics`, which goes on counting.
    """

    sent: int
    answered: int
    failed: Mapping[str, Failures]
    in_flight: int
    late: int
    retried: int
    acknowledged: int
    more: int
    bytes_sent: int
    bytes_received: int
    seconds: float
    rtt: Histogram

    @property
    def rate(self) -> float:
        """Requests that ended, a second."""
        ended = self.answered + sum(failures.count for failures in self.failed.values())
        return ended / self.seconds if self.seconds else 0.0

    @property
    def timings(self) -> dict[str, int]:
        """min, mean, p50, p90, p99, p99.9 and max in nanoseconds; nothing without a reply."""
        return self.rtt.named(TIMINGS)

    def as_json(self) -> dict[str, Any]:
        """The summary for programs."""
        return {
            "sent": self.sent,
            "answered": self.answered,
            "failed": sum(failures.count for failures in self.failed.values()),
            "failures": {kind: {"count": f.count, "example": f.example} for kind, f in self.failed.items()},
            "in_flight": self.in_flight,
            "late": self.late,
            "retried": self.retried,
            "acknowledged": self.acknowledged,
            "more_replies": self.more,
            "bytes_sent": self.bytes_sent,
            "bytes_received": self.bytes_received,
            "seconds": round(self.seconds, 9),
            "rate": round(self.rate, 3),
            "rtt_ns": self.timings,
        }
