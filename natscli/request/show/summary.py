"""The summary of a run of requests, as lines of text; on a terminal with a histogram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from natscli.duration import format_duration
from natscli.environment import CYAN, RESET
from natscli.histogram import ranges
from natscli.text import format_bytes

#: Prerendered of a histogram, at most, and columns.
_ROWS, _COLUMNS = 12, 80
#: Columns that the bar of a range has at least, whatever the terminal.
_NARROWEST_BAR = 4
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def count_lines(
    sent: int, answered: int, failed: Mapping[str, int], examples: Mapping[str, str], more: Mapping[str, int]
) -> list[str]:
    """How many were sent, answered and failed by kind, with an example of each kind.

    `more` are counts that are shown unless they are 0.
    """
    kinds = ", ".join(f"{count} {_words(kind)}" for kind, count in failed.items())
    counts = f"Sent {sent}, answered {answered}, failed {sum(failed.values())}"
    counts += f" ({kinds})" if kinds else ""
    lines = [", ".join([counts, *(f"{count} {name}" for name, count in more.items() if count)])]
    return lines + [
        f"{_words(kind).capitalize()}, such as: {examples[kind]}" for kind in failed if kind in examples
    ]


def rate_line(rate: float, seconds: float, bytes_sent: int, bytes_received: int) -> str:
    """How fast it was: requests a second, and bytes."""
    return (
        f"Rate {rate:.{0 if rate >= 100 else 2}f}/s for {format_duration(seconds)}, "
        f"{format_bytes(bytes_sent)} sent, {format_bytes(bytes_received)} received"
    )


def rtt_lines(rtts: Mapping[str, int], columns: int | None = None) -> list[str]:
    """How long replies took: statistics by name, in nanoseconds; on as many lines as a terminal of `columns` needs."""
    parts = [f"{name} {format_duration(ns / 1e9)}" for name, ns in rtts.items()]
    line = f"RTT {', '.join(parts)}"
    if columns is None or len(line) < columns:
        return [line]
    lines = [f"RTT {', '.join(parts[:4])},", f"    {', '.join(parts[4:])}"]
    if max(map(len, lines)) < columns:
        return lines
    return [f"{'   ' if number else 'RTT'} {part}" for number, part in enumerate(parts)]


def histogram(values: Sequence[tuple[int, int]], *, colored: bool, columns: int = _COLUMNS) -> list[str]:
    """A line a range with its share of `values`, and a bar. Values are (nanoseconds, count) pairs, smallest first.

    It has 80 columns, or as many as the terminal has if these are fewer. The ranges grow by the same factor: a tail
    that is a thousand times as long has room.
    """
    if not values:
        return []
    found = ranges(values, _ROWS)
    counts = [count for _, count in found]
    total, most = sum(counts), max(counts)
    digits = len(f"{most:,}")
    room = min(columns, _COLUMNS) - len("≤ 1h23m45s   ") - digits - len("  100.0%")
    room = max(room, _NARROWEST_BAR)
    lines = []
    for end, count in found:
        bar = _bar(count, most, room)
        space = " " * (room - len(bar))
        bar = f"{CYAN}{bar}{RESET}" if colored and bar else bar
        lines.append(f"≤ {format_end(end):>8}  {bar}{space} {count:>{digits},} {count / total:>7.1%}")
    return lines


def format_end(end: int) -> str:
    """The end of a range for people, as a duration."""
    return format_duration(float(f"{end / 1e9:.4g}"))


def _bar(count: int, most: int, room: int) -> str:
    """A bar as long as `count`, to an eighth of a column; at least one for any."""
    eighths = max(count * room * 8 // most, 1) if count else 0
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _words(kind: str) -> str:
    return kind.replace("_", " ")
