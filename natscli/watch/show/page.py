"""`--stats --report`: what was watched as a page for browsers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from natscli.duration import format_duration
from natscli.environment import Environment
from natscli.histogram import Histogram
from natscli.message.exchange import Exchange, Outcome
from natscli.output.report.cut_off import CutOff
from natscli.output.report.page import Cell, Figure, figures_table, page, section, table, tiles
from natscli.output.report.runs import (
    POINTS,
    Origin,
    cut_off_figures,
    origin_of,
    rtt_figures,
    rtt_sections,
    shown_rate,
)
from natscli.output.streams import write_file
from natscli.timeline import Timeline
from natscli.watch.statistics import StatisticsRow

_TIMINGS = ("min", "mean", "p50", "p90", "p99", "p99.9", "max")
_HEADS = ("Key", "Exchanges", "Rate", "Unanswered", "No responders", "Errors", "p50", "p99", "max")


class WatchPage:
    """Keeps what the page shows beside the table by subject; watching began at `started`, of `perf_counter_ns`."""

    def __init__(self, started: int) -> None:
        self._started = started
        #: What a time since 1970 is more than one of `perf_counter_ns`.
        self._ahead = time.time_ns() - time.perf_counter_ns()
        self._timeline = Timeline()
        self._rtt = Histogram()

    def add(self, exchanges: Iterable[Exchange], now: int) -> None:
        """Exchanges that ended before `now`, of `perf_counter_ns`: each when its last reply came."""
        for exchange in exchanges:
            at = self._end_of(exchange, now)
            if exchange.answers:
                self._rtt.record(exchange.answers[0].rtt_ns)
            if at is None:
                continue
            if exchange.answers:
                self._timeline.record(at, exchange.answers[0].rtt_ns)
            if exchange.outcome is not Outcome.ANSWERED:
                self._timeline.fail(at, 1)

    def _end_of(self, exchange: Exchange, now: int) -> int | None:
        """When it ended; None if that is not known."""
        if not exchange.answers:
            return now
        came = round(exchange.came * 1e9) - self._ahead + exchange.answers[-1].rtt_ns
        return min(max(came, self._started), now)  # clocks are set, also while this runs

    def _span(self) -> tuple[int, int]:
        """From when to when it is, by the clock of the timeline."""
        return self._started, time.perf_counter_ns()

    def _origin(self, environment: Environment, server: str, cut: CutOff | None) -> Origin:
        return origin_of(environment, server, cut)

    def write(
        self, path: str, title: str, rows: Sequence[StatisticsRow], environment: Environment,
        server: str, cut: CutOff | None = None,
    ) -> None:  # fmt: skip
        """Write the file, with `rows` by subject under `title`; `cut` is why it ended early.

        Raises:
            OSError: it could not be written.
        """
        redact, span = environment.redactor.redact, self._span()
        figures = [
            *(_count(name, sum(getattr(row, name) for row in rows)) for name in
              ("exchanges", "unanswered", "no_responders", "errors")),
            *_rate(None if None in (rates := [row.rate for row in rows]) else sum(filter(None, rates))),
        ]  # fmt: skip
        times = rtt_figures(self._rtt.named(_TIMINGS))
        sections = [
            tiles(
                [
                    *cut_off_figures(cut),
                    *figures,
                    *(time for time in times if time.label in ("p50", "p99", "max")),
                ]
            )
        ]
        sections += rtt_sections(self._rtt, self._timeline.points(*span, POINTS))
        sections.append(
            section("Exchanges", table(_HEADS, [_row(row, redact(row.key or "-")) for row in rows]))
        )
        sections += [section("RTT", figures_table(("RTT", ""), times))] if times else []
        facts = self._origin(environment, server, cut).facts
        write_file(path, page(redact(title), facts, sections), environment)


class RecordedPage(WatchPage):
    """The same of a recording: its times, nanoseconds since 1970, are those of the charts."""

    def __init__(self) -> None:
        super().__init__(0)
        self._came: tuple[int, int] | None = None
        self._ended = 0

    def _end_of(self, exchange: Exchange, now: int) -> int | None:  # noqa: ARG002
        if not exchange.came:
            return None
        came = round(exchange.came * 1e9)
        first, last = self._came or (came, came)
        self._came = min(first, came), max(last, came)
        ended = came + (exchange.answers[-1].rtt_ns if exchange.answers else 0)
        self._ended = max(self._ended, ended)
        return ended

    def _span(self) -> tuple[int, int]:
        return (self._came or (0, 0))[0], self._ended + 1

    def _origin(self, environment: Environment, server: str, cut: CutOff | None) -> Origin:
        origin = super()._origin(environment, server, cut)
        return origin if self._came is None else origin._replace(ended=self._came[1] / 1e9)


def _row(row: StatisticsRow, subject: str) -> list[Cell]:
    counts = [_count(name, getattr(row, name)) for name in ("unanswered", "no_responders", "errors")]
    times: list[Cell] = [
        Figure(name, name, ns, format_duration(ns / 1e9)) if ns is not None else ""
        for name, ns in (("p50", row.p50), ("p99", row.p99), ("max", row.max))
    ]
    rate: list[Cell] = [*_rate(row.rate)] or [""]
    return [subject, _count("exchanges", row.exchanges), *rate, *counts, *times]


def _rate(rate: float | None) -> list[Figure]:
    """It as a figure, if it is known."""
    return [] if rate is None else [Figure("rate", "Rate", round(rate, 3), shown_rate(rate))]


def _count(name: str, count: int) -> Figure:
    return Figure(name, name.replace("_", " ").capitalize(), count, f"{count:,}")
