"""The summary of a run of requests, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping

from natscli.duration import format_duration


def summary_lines(
    sent: int, answered: int, failed: Mapping[str, int], rtts: Mapping[str, int], more: Mapping[str, int]
) -> list[str]:
    """How many were sent, answered and failed by kind; and, if any reply came, how long they took.

    `rtts` are statistics by name, in nanoseconds; `more` are counts that are shown unless they are 0.
    """
    kinds = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in failed.items())
    counts = f"Sent {sent}, answered {answered}, failed {sum(failed.values())}"
    counts += f" ({kinds})" if kinds else ""
    lines = [", ".join([counts, *(f"{count} {name}" for name, count in more.items() if count)])]
    if rtts:
        lines.append("RTT " + ", ".join(f"{name} {format_duration(ns / 1e9)}" for name, ns in rtts.items()))
    return lines
