"""Statistics of round-trip times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Timings(NamedTuple):
    """Round-trip times in nanoseconds."""

    min: int
    mean: int
    p50: int
    p90: int
    p99: int
    max: int


def timings(samples: Sequence[int]) -> Timings | None:
    """The statistics of `samples` (nanoseconds), or None for none. A percentile is a value that was seen."""
    if not samples:
        return None
    ordered = sorted(samples)
    last = len(ordered) - 1

    def percentile(percent: int) -> int:
        return ordered[max(-(-percent * len(ordered) // 100) - 1, 0)]

    return Timings(
        ordered[0],
        sum(ordered) // len(ordered),
        percentile(50),
        percentile(90),
        percentile(99),
        ordered[last],
    )
