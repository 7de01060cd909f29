"""Statistics of round-trip times."""

from __future__ import annotations

from collections.abc import Sequence


def timings(samples: Sequence[int]) -> dict[str, int]:
    """min, mean, p50, p90, p99 and max of `samples` (nanoseconds); nothing for none.

    A percentile is a value that was seen (nearest rank).
    """
    if not samples:
        return {}
    ordered = sorted(samples)
    percentiles = {f"p{p}": ordered[-(-p * len(ordered) // 100) - 1] for p in (50, 90, 99)}
    return {"min": ordered[0], "mean": sum(ordered) // len(ordered), **percentiles, "max": ordered[-1]}
