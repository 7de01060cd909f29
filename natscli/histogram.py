"""Counts of durations by size, to three significant digits, in bounded memory: for percentiles of many.

The buckets are those of HdrHistogram: 1024 for each power of two. Counting in a dictionary of them is faster than
`hdrhistogram`, needs no compiler where that has no wheel, and takes some megabytes at most; the library is used to
write its log format. While there are few values they are kept as they are, and percentiles are exact.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from copy import copy
from math import ceil

#: Bits that are kept of a value: 1 in 1024 is the largest error.
_BITS = 11
#: Values that are kept as they are.
_MOST_EXACT = 10_000


class Histogram:
    """Counts of values: whole numbers, 0 or more, such as nanoseconds. `smallest` and `largest` are exact.

    Of a value `bits` are kept: 1 in 2 to the power of `bits - 1` is the largest error, the default is HdrHistogram's.
    Up to `exact` values are kept as they are.
    """

    def __init__(self, bits: int = _BITS, exact: int = _MOST_EXACT) -> None:
        self._bits = bits
        self._most_exact = exact
        self.count = 0
        self.total = 0
        self.smallest = 0
        self.largest = 0
        self._counts: dict[int, int] = {}
        self._exact: array[int] | None = array("q")

    def record(self, value: int, count: int = 1) -> None:
        """Count `value` `count` times; a negative value, which comes of clocks that differ, as 0."""
        if value < 0:
            value = 0
        if value < self.smallest or not self.count:
            self.smallest = value
        if value > self.largest:
            self.largest = value
        self.count += count
        self.total += value * count
        spare = value.bit_length() - self._bits
        bucket = value if spare <= 0 else value >> spare << spare
        counts = self._counts
        counts[bucket] = counts.get(bucket, 0) + count
        if self._exact is not None:
            self._keep(value, count)

    def record_all(self, values: Iterable[int]) -> None:
        """Count these. Equal ones cost as much as one: what was sent together and came together took as long."""
        for value, count in Counter(values).items():
            self.record(value, count)

    def add(self, other: Histogram) -> None:
        """Count all that `other`, of the same `bits`, has."""
        if not other.count:
            return
        self.smallest = min(self.smallest, other.smallest) if self.count else other.smallest
        self.largest = max(self.largest, other.largest)
        self.count += other.count
        self.total += other.total
        for bucket, count in other._counts.items():
            self._counts[bucket] = self._counts.get(bucket, 0) + count
        if self._exact is not None and other._exact is not None and self.count <= self._most_exact:
            self._exact.extend(other._exact)
        else:
            self._exact = None

    def copy(self) -> Histogram:
        """One with the same counts."""
        other = copy(self)
        other._counts = dict(self._counts)
        other._exact = None if self._exact is None else self._exact[:]
        return other

    @property
    def mean(self) -> int:
        """The mean, 0 of none."""
        return self.total // self.count if self.count else 0

    def items(self) -> list[tuple[int, int]]:
        """Values and how many there are of each, smallest first; of a bucket its middle."""
        if self._exact is not None:
            return [(value, 1) for value in sorted(self._exact)]
        return [(self._middle(bucket), count) for bucket, count in sorted(self._counts.items())]

    def percentiles(self, ranks: Iterable[float]) -> list[int]:
        """The percentiles of `ranks` (percent, growing): the least value with that share at or below it.

        Without any values, 0 for each.
        """
        found, items, seen, value = [], iter(self.items()), 0, 0
        for rank in ranks:
            wanted = max(ceil(round(self.count * rank / 100, 6)), 1) if self.count else 0
            while seen < wanted:
                value, count = next(items)
                seen += count
            found.append(value)
        return found

    def named(self, names: Sequence[str]) -> dict[str, int]:
        """The figures with these names: `min`, `mean`, `max`, and percentiles, growing, such as `p99.9`.

        Of no values there are none.
        """
        if not self.count:
            return {}
        ranks = {name: float(name[1:]) for name in names if name.startswith("p")}
        known = {"min": self.smallest, "mean": self.mean, "max": self.largest}
        known.update(zip(ranks, self.percentiles(ranks.values()), strict=True))
        return {name: known[name] for name in names}

    def _keep(self, value: int, count: int) -> None:
        assert self._exact is not None
        if self.count > self._most_exact:
            self._exact = None
        elif count == 1:
            self._exact.append(value)
        else:
            self._exact.extend([value] * count)

    def _middle(self, bucket: int) -> int:
        spare = max(bucket.bit_length() - self._bits, 0)
        return min(max(bucket + (1 << spare) // 2, self.smallest), self.largest) if spare else bucket


def ranges(values: Sequence[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """At most `most` ranges that grow by the same factor: the end of each, and how many of `values` are in it.

    Values are pairs with their counts, smallest first; there is one at least.
    """
    smallest, largest = max(values[0][0], 1), max(values[-1][0], 1)
    rows = min(most, largest - smallest + 1)
    factor = (largest / smallest) ** (1 / rows)
    ends = [*(int(smallest * factor**row) for row in range(1, rows)), largest]
    counts = [0] * rows
    for value, count in values:
        counts[bisect_left(ends, value)] += count
    return list(zip(ends, counts, strict=True))
