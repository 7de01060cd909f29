"""What became of the exchanges of a verification, counted."""

from __future__ import annotations

from collections import Counter
from typing import Any

from natscli.histogram import Histogram
from natscli.message.records.left_out import LeftOut
from natscli.output.report.cut_off import CutOff
from natscli.request.summary import TIMINGS

#: Why a case is left out that could be sent to another server.
REFUSED = "that the server would not take"


class VerifiedCounts:
    """`total` is of all cases; `held`, `updated` and `failed`, the others that differ, are of those that were verified.

    `kinds` are of differences, `unfit` is what was not sent, `rtt` has nanoseconds to first replies. `cut` is why it
    ended before all was verified.
    """

    def __init__(self, total: int, unfit: LeftOut) -> None:
        self.total = total
        self.unfit = unfit
        self.held = self.failed = self.updated = 0
        self.kinds: Counter[str] = Counter()
        self.rtt = Histogram()
        self.cut: CutOff | None = None

    @property
    def done(self) -> int:
        """How many were verified."""
        return self.held + self.failed + self.updated

    @property
    def not_verified(self) -> int:
        """How many of those that the server takes were not sent, or not compared."""
        return self.total - self.unfit.counts[REFUSED] - self.done

    @property
    def not_sent(self) -> int:
        """How many were left out."""
        return self.unfit.counts.total()

    def not_updated(self, count: int) -> None:
        """Of those that were to be updated, these were not."""
        self.updated -= count
        self.failed += count

    def as_json(self, seconds: float) -> dict[str, Any]:
        """The counts for programs, of a run that took `seconds`."""
        return {
            "verified": self.done,
            "held": self.held,
            "differed": self.failed,
            "updated": self.updated,
            "not_verified": self.not_verified,
            "not_sent": self.not_sent,
            "differences": dict(self.kinds),
            "cut_off": None if self.cut is None else self.cut.words,
            "seconds": round(seconds, 9),
            "rate": round(self.done / seconds, 3) if seconds else 0.0,
            "rtt_ns": self.rtt.named(TIMINGS),
        }
