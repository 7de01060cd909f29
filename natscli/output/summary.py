"""The summary of a run of requests, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping

from natscli.duration import format_duration
from natscli.request.timings import Timings


def summary_lines(sent: int, answered: int, failed: Mapping[str, int], timings: Timings | None) -> list[str]:
    """Two lines: how many were sent, answered and failed by kind; and how long the replies took."""
    kinds = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in failed.items())
    lines = [
        f"Sent {sent}, answered {answered}, failed {sum(failed.values())}" + (f" ({kinds})" if kinds else "")
    ]
    if timings is not None:
        shown = (f"{name} {format_duration(value / 1e9)}" for name, value in timings._asdict().items())
        lines.append("RTT " + ", ".join(shown))
    return lines
