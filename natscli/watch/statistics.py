"""Exchanges by subject or another key: how many, how they ended, how long they took. Bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from natscli.histogram import Histogram
from natscli.message.exchange import Exchange, Outcome
from natscli.watch.grouping import SUBJECT, Grouping

#: Keys that have a row of their own; the rest share one.
_MOST_KEYS = 200
#: What is kept of a duration, and how many exact ones: some hundred kilobytes a row at most.
_BITS, _MOST_EXACT = 7, 1000


class StatisticsRow(NamedTuple):
    """The statistics of one key, such as a subject; None is what has none.

    Times in nanoseconds, None without replies; `rate` is exchanges a second, None if that is not known.
    """

    key: str | None
    exchanges: int
    rate: float | None
    unanswered: int
    no_responders: int
    errors: int
    p50: int | None
    p99: int | None
    max: int | None


class _Sum:
    def __init__(self) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self.recent = 0
        self.durations = Histogram(_BITS, _MOST_EXACT)

    @property
    def total(self) -> int:
        return sum(self.outcomes.values())


class ExchangeStatistics:
    """Adds up exchanges. `span` is the seconds from when the first of them came to the last."""

    def __init__(self, grouping: Grouping = SUBJECT) -> None:
        self._sums: dict[str | None, _Sum] = {}
        self._split = grouping.split
        self._others = f"(other {grouping.member}s)"
        self._first, self._last = float("inf"), 0.0

    @property
    def span(self) -> float:
        """See the class."""
        return max(self._last - self._first, 0.0)

    def add(self, exchanges: Iterable[Exchange]) -> None:
        """Count exchanges that have ended."""
        for whole in exchanges:
            if whole.came:
                self._first, self._last = min(self._first, whole.came), max(self._last, whole.came)
            for key, exchange in self._split(whole):
                if key not in self._sums and len(self._sums) >= _MOST_KEYS:
                    key = self._others
                sums = self._sums.setdefault(key, _Sum())
                sums.outcomes[exchange.outcome] += 1
                sums.recent += 1
                if exchange.answers:
                    sums.durations.record(exchange.answers[0].rtt_ns)

    def rows(self, seconds: float) -> list[StatisticsRow]:
        """A row a key, the busiest first. Rates are of all `seconds`; if these are none, there are no rates."""
        ordered = sorted(self._sums.items(), key=lambda item: (-item[1].total, item[0] or ""))
        return [_row(key, sums, sums.total / seconds if seconds else None) for key, sums in ordered]

    def recent_rows(self, seconds: float, most: int) -> list[StatisticsRow]:
        """The same, the busiest of the `seconds` since the last call first, `most` of them, with rates of these."""
        ordered = sorted(
            self._sums.items(), key=lambda item: (-item[1].recent, -item[1].total, item[0] or "")
        )
        rows = [_row(key, sums, sums.recent / seconds) for key, sums in ordered[:most]]
        for _, sums in ordered:
            sums.recent = 0
        return rows


def _row(key: str | None, sums: _Sum, rate: float | None) -> StatisticsRow:
    outcomes, durations = sums.outcomes, sums.durations
    times = (*durations.percentiles((50, 99)), durations.largest) if durations.count else (None, None, None)
    return StatisticsRow(
        key,
        exchanges=sums.total,
        rate=rate,
        unanswered=outcomes[Outcome.UNANSWERED],
        no_responders=outcomes[Outcome.NO_RESPONDERS],
        errors=outcomes[Outcome.ERROR],
        p50=times[0],
        p99=times[1],
        max=times[2],
    )
