"""The last lines of a verification: what held and what did not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from natscli.duration import format_duration
from natscli.verify.counts import VerifiedCounts


def lines(counts: VerifiedCounts, seconds: float, unchanged: Sequence[str]) -> Iterator[str]:
    """What became of the exchanges in `seconds`. `unchanged` files were to be updated, and are as they were."""
    done, left = counts.done, counts.not_verified
    parts = [f"{counts.held:,} held"]
    parts += [f"{counts.failed:,} differed"] if counts.failed else []
    parts += [f"{counts.updated:,} updated"] if counts.updated else []
    parts += [f"{left:,} not verified"] if left > 0 else []
    parts += [f"{path} was not changed" for path in unchanged]
    yield f"Verified {done:,} exchange{'s' * (done != 1)}: {', '.join(parts)}"
    if counts.kinds:
        yield f"Differences: {', '.join(_counted(*pair) for pair in counts.kinds.most_common())}"
    for left_out in counts.unfit:
        yield f"Not sent: {left_out}"
    if counts.rtt.count:
        p50, p99 = (format_duration(ns / 1e9) for ns in counts.rtt.percentiles((50.0, 99.0)))
        rate = done / seconds if seconds else 0.0
        longest, took = format_duration(counts.rtt.largest / 1e9), format_duration(seconds)
        yield f"{rate:,.0f} requests/s in {took}, RTT p50 {p50}, p99 {p99}, max {longest}"


def _counted(kind: str, count: int) -> str:
    """How many differences of a kind, in words: `1 reply`, `2 headers`."""
    one = {"replies": "reply", "rtt": "RTT"}.get(kind, kind)
    many = {"replies": "replies", "status": "statuses"}.get(kind, f"{one}s")
    return f"{count:,} {one if count == 1 else many}"
