"""Exchanges by subject: how many, how they ended, how long they took. Bounded, however many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from natscli.histogram import Histogram
from natscli.message.exchange import Exchange, Outcome
from natscli.text import exact

#: Subjects that have a row of their own; the rest share one.
_MOST_SUBJECTS = 200
#: What is kept of a duration, and how many exact ones: some hundred kilobytes a subject at most.
_BITS, _MOST_EXACT = 7, 1000
OTHERS = "(other subjects)"


class StatisticsRow(NamedTuple):
    """The statistics of one subject. Times in nanoseconds, None without replies; `rate` is exchanges a second."""

    subject: str
    exchanges: int
    rate: float
    unanswered: int
    no_responders: int
    errors: int
    p50: int | None
    p99: int | None
    max: int | None


class _Subject:
    def __init__(self) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self.recent = 0
        self.durations = Histogram(_BITS, _MOST_EXACT)

    @property
    def total(self) -> int:
        return sum(self.outcomes.values())


class ExchangeStatistics:
    """Adds up exchanges."""

    def __init__(self) -> None:
        self._subjects: dict[bytes, _Subject] = {}

    def add(self, exchanges: Iterable[Exchange]) -> None:
        """Count exchanges that have ended."""
        for exchange in exchanges:
            key = exchange.subject
            if key not in self._subjects and len(self._subjects) >= _MOST_SUBJECTS:
                key = b""
            subject = self._subjects.setdefault(key, _Subject())
            subject.outcomes[exchange.outcome] += 1
            subject.recent += 1
            if exchange.answers:
                subject.durations.record(exchange.answers[0].rtt_ns)

    def rows(self, seconds: float) -> list[StatisticsRow]:
        """A row a subject, the busiest first. Rates are of all `seconds`."""
        ordered = sorted(self._subjects.items(), key=lambda item: (-item[1].total, item[0]))
        return [_row(name, subject, subject.total / seconds) for name, subject in ordered]

    def recent_rows(self, seconds: float, most: int) -> list[StatisticsRow]:
        """The same, the busiest of the `seconds` since the last call first, `most` of them, with rates of these."""
        ordered = sorted(self._subjects.items(), key=lambda item: (-item[1].recent, -item[1].total, item[0]))
        rows = [_row(name, subject, subject.recent / seconds) for name, subject in ordered[:most]]
        for _, subject in ordered:
            subject.recent = 0
        return rows


def _row(name: bytes, subject: _Subject, rate: float) -> StatisticsRow:
    outcomes, durations = subject.outcomes, subject.durations
    times = (*durations.percentiles((50, 99)), durations.largest) if durations.count else (None, None, None)
    return StatisticsRow(
        exact(name) or OTHERS,
        exchanges=subject.total,
        rate=rate,
        unanswered=outcomes[Outcome.UNANSWERED],
        no_responders=outcomes[Outcome.NO_RESPONDERS],
        errors=outcomes[Outcome.ERROR],
        p50=times[0],
        p99=times[1],
        max=times[2],
    )
