"""What happened over time, in bounded memory: intervals of one width, which doubles when there would be too many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from natscli.histogram import Histogram

#: Nanoseconds of an interval, before any doubling, and intervals that are kept at most.
_FINEST, _MOST = 1_000_000, 600
#: Bits that are kept of a duration in an interval: 1 in 32 is the largest error of its percentiles.
_BITS = 6


class Point(NamedTuple):
    """One interval: it begins `start` seconds after the first, and takes `seconds`.

    `failed` failures, and the durations (nanoseconds) of what was `took`.
    """

    start: float
    seconds: float
    failed: int
    took: Histogram


class _Interval:
    __slots__ = ("failed", "took")

    def __init__(self) -> None:
        self.failed = 0
        self.took = Histogram(_BITS, exact=0)

    def add(self, other: _Interval) -> None:
        self.failed += other.failed
        self.took.add(other.took)


class Timeline:
    """Durations and failures by when they came: `at` is nanoseconds of one clock, whichever.

    Intervals lie at multiples of their width, so those of several processes with one clock fit together.
    """

    def __init__(self, width: int = _FINEST, most: int = _MOST) -> None:
        self.width = width
        self._most = most
        self._intervals: dict[int, _Interval] = {}
        self._first = self._last = 0

    def __len__(self) -> int:
        """How many intervals there are from the first to the last."""
        return self._last - self._first + 1 if self._intervals else 0

    def record(self, at: int, took: int) -> None:
        """Note that something came at the time `at`, and `took` this number of nanoseconds."""
        self._at(at).took.record(took)

    def fail(self, at: int, count: int) -> None:
        """Note that `count` things failed at the time `at`."""
        self._at(at).failed += count

    def add(self, other: Timeline) -> None:
        """Take in all that `other` has."""
        while self.width < other.width:
            self._double()
        for index, interval in other._intervals.items():
            self._at(index * other.width).add(interval)

    def points(self, start: int, end: int, most: int) -> list[Point]:
        """At most `most` intervals, and one more at an end, from `start` to `end` (nanoseconds), without a gap.

        The first and the last take only their part of that time; one that is less than half as wide as the others is
        put into its neighbour, as a rate over so short a time says nothing.
        """
        if not self._intervals:
            return []
        other = Timeline(self.width, most)
        other.add(self)
        for at in (start, end - 1):
            other.fail(at, 0)
        start = min(start, (other._first + 1) * other.width - 1)
        end = max(end, other._last * other.width + 1)
        return list(_joined(other._cut(start, end), other.width / 2))

    def _cut(self, start: int, end: int) -> Iterator[tuple[int, int, _Interval]]:
        """Begin, end and contents of each interval from `start` to `end`."""
        for index in range(start // self.width, (end - 1) // self.width + 1):
            low, high = max(index * self.width, start), min((index + 1) * self.width, end)
            yield low - start, high - start, self._intervals.get(index) or _Interval()

    def _at(self, at: int) -> _Interval:
        index = at // self.width
        interval = self._intervals.get(index)
        if interval is not None:
            return interval
        if not self._intervals:
            self._first = self._last = index
        while max(self._last, index) - min(self._first, index) >= self._most:
            self._double()
            index = at // self.width
        self._first, self._last = min(self._first, index), max(self._last, index)
        return self._intervals.setdefault(index, _Interval())

    def _double(self) -> None:
        """Make the intervals twice as wide."""
        self.width *= 2
        before, self._intervals = self._intervals, {}
        for index, interval in before.items():
            known = self._intervals.setdefault(index // 2, interval)
            if known is not interval:
                known.add(interval)
        self._first //= 2
        self._last //= 2


def _joined(cut: Iterable[tuple[int, int, _Interval]], least: float) -> Iterator[Point]:
    """Points of the intervals, each at least `least` nanoseconds wide if there are two such."""
    parts: list[tuple[int, int, _Interval]] = []
    for low, high, interval in cut:
        if parts and min(high - low, parts[-1][1] - parts[-1][0]) < least:
            low, _, before = parts.pop()
            joined = _Interval()
            joined.add(before)
            joined.add(interval)
            interval = joined
        parts.append((low, high, interval))
    for low, high, interval in parts:
        yield Point(low / 1e9, (high - low) / 1e9, interval.failed, interval.took)
