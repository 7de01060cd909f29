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
            at = now
            if exchange.answers:
                came = round(exchange.came * 1e9) - self._ahead + exchange.answers[-1].rtt_ns
                at = min(max(came, self._started), now)  # clocks are set, also while this runs
            if exchange.answers:
                self._rtt.record(exchange.answers[0].rtt_ns)
                self._timeline.record(at, exchange.answers[0].rtt_ns)
            if exchange.outcome is not Outcome.ANSWERED:
                self._timeline.fail(at, 1)

    def write(
        self, path: str, subjects: Sequence[str], rows: Sequence[StatisticsRow], environment: Environment,
        server: str, cut: CutOff | None = None,
    ) -> None:  # fmt: skip
        """Write the file, with `rows` by subject; `subjects` are those that were watched, `cut` is why it ended early.

        Raises:
            OSError: it could not be written.
        """
        redact, ended = environment.redactor.redact, time.perf_counter_ns()
        total = sum(row.exchanges for row in rows)
        seconds = (ended - self._started) / 1e9
        figures = [
            *(_count(name, sum(getattr(row, name) for row in rows)) for name in
              ("exchanges", "unanswered", "no_responders", "errors")),
            Figure("rate", "Rate", round(total / seconds, 3), shown_rate(total / seconds)),
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
        sections += rtt_sections(self._rtt, self._timeline.points(self._started, ended, POINTS))
        sections.append(
            section("Exchanges", table(_HEADS, [_row(row, redact(row.key or "-")) for row in rows]))
        )
        sections += [section("RTT", figures_table(("RTT", ""), times))] if times else []
        title = redact(f"Exchanges on {', '.join(subjects)}")
        write_file(path, page(title, origin_of(environment, server, cut).facts, sections), environment)


def _row(row: StatisticsRow, subject: str) -> list[Cell]:
    counts = [_count(name, getattr(row, name)) for name in ("unanswered", "no_responders", "errors")]
    times: list[Cell] = [
        Figure(name, name, ns, format_duration(ns / 1e9)) if ns is not None else ""
        for name, ns in (("p50", row.p50), ("p99", row.p99), ("max", row.max))
    ]
    each = row.rate or 0.0
    rate = Figure("rate", "Rate", round(each, 3), shown_rate(each))
    return [subject, _count("exchanges", row.exchanges), rate, *counts, *times]


def _count(name: str, count: int) -> Figure:
    return Figure(name, name.replace("_", " ").capitalize(), count, f"{count:,}")
