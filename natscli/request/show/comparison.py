"""The figures of two runs beside each other."""

from __future__ import annotations

from natscli.request.conditions.thresholds import (
    COUNTS,
    FAILURES,
    TIMES,
    Figures,
    change,
    shown,
    shown_change,
)


def comparison(before: Figures, now: Figures) -> list[str]:
    """A line a figure that one of the runs has: its name, both values, and the change."""
    rows: list[tuple[str, ...]] = [("", "before", "now", "change")]
    for name in _names(before, now):
        old, new = before.get(name), now.get(name)
        both = "" if old is None or new is None else shown_change(old, new)
        rows.append((name, *("-" if value is None else shown(name, value) for value in (old, new)), both))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(row[n].rjust(widths[n]) for n in (1, 2, 3))]).rstrip()
        for row in rows
    ]


def record(before: Figures, now: Figures) -> dict[str, dict[str, float]]:
    """The same for programs: `before`, `now`, and by which part each figure of both has changed."""
    names = _names(before, now)
    both = [name for name in names if before.get(name) and name in now]
    return {
        "before": {name: before[name] for name in names if name in before},
        "now": {name: now[name] for name in names if name in now},
        "change": {name: round(change(before[name], now[name]), 6) for name in both},
    }


def _names(before: Figures, now: Figures) -> list[str]:
    """The figures that are shown: of the counts below the first three only those that are not 0."""
    counts = (*FAILURES, *COUNTS[3:])
    some = [name for name in counts if before.get(name) or now.get(name)]
    names = (*COUNTS[:3], *some, "rate", "seconds", *TIMES)
    return [name for name in names if name in before or name in now]
