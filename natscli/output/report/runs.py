"""What reports of all runs have: where they are from, and the RTT over time and by size."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

from natscli.duration import format_duration, timestamp
from natscli.environment import Environment
from natscli.histogram import Histogram, ranges
from natscli.output.report.charts import Bar, Line, bars, over_time
from natscli.output.report.cut_off import CutOff
from natscli.output.report.markup import Html
from natscli.output.report.page import Figure, section
from natscli.timeline import Point

#: Points of a chart, and ranges of RTTs, at most.
POINTS, _RANGES = 120, 12
#: The lines of the RTT over time: what they are called, and their colours.
_RTTS = {"max": ("longest", 2), "p99": ("p99", 1), "p50": ("median", 0)}


class Origin(NamedTuple):
    """What a run is from: the command line, the server, and when (seconds since 1970) it ended. No secrets.

    `cut_off` is why it did not come to its end, an empty string if it did.
    """

    command: str
    server: str
    ended: float
    cut_off: str = ""

    @property
    def facts(self) -> dict[str, str]:
        """The same for people."""
        ended = f"{timestamp(self.ended)[:19]}Z"
        return {"Command": self.command, "Server": self.server, "Ended": ended, "Cut off": self.cut_off}


def origin_of(environment: Environment, server: str, cut: CutOff | None = None) -> Origin:
    """What a run that ends now is from; `server` is a URL, `cut` is why it did not come to its end."""
    redactor = environment.redactor
    command = f"pynats {redactor.command_line(environment.arguments)}"
    why = redactor.redact(cut.message) if cut is not None else ""
    return Origin(command, redactor.redact(server), time.time(), why)


def cut_off_figures(cut: CutOff | None) -> list[Figure]:
    """That a run did not come to its end, among the first figures: its value is the exit status."""
    return [] if cut is None else [Figure("cut_off", "Cut off", int(cut.status), cut.words)]


def rtt_sections(rtt: Histogram, points: list[Point]) -> list[Html]:
    """Rate and RTT over time, and how the RTTs are distributed."""
    sections = [section("Over time", *_over_time(points))] if points else []
    if rtt.count:
        shares = [
            Bar(f"≤ {format_duration(end / 1e9)}", count, count / rtt.count)
            for end, count in ranges(rtt.items(), _RANGES)
        ]
        sections.append(section("RTT, from each request to its first reply", bars(shares)))
    return sections


def rtt_figures(rtts: Mapping[str, int]) -> list[Figure]:
    """The statistics of RTTs, which are nanoseconds by name."""
    return [Figure(f"rtt_ns.{name}", name, ns, format_duration(ns / 1e9)) for name, ns in rtts.items()]


def _over_time(points: list[Point]) -> list[Html]:
    times = [point.start + point.seconds / 2 for point in points]
    end = points[-1].start + points[-1].seconds
    rates = [Line("replies", [point.took.count / point.seconds for point in points])]
    if any(point.failed for point in points):
        rates.append(Line("failures", [point.failed / point.seconds for point in points], 2))
    charts = [over_time("Rate", times, end, rates, shown_rate, shown_time=_shown_time)]
    if any(point.took.count for point in points):
        named = [point.took.named(("p50", "p99", "max")) for point in points]
        rtts = [Line(label, [of.get(name) for of in named], color) for name, (label, color) in _RTTS.items()]
        charts.append(
            over_time("RTT", times, end, rtts, lambda ns: format_duration(ns / 1e9), by_factors=True,
                      shown_time=_shown_time)
        )  # fmt: skip
    return charts


def shown_rate(rate: float) -> str:
    """A number a second, for people."""
    return f"{rate:,.0f}/s" if rate >= 100 or rate == int(rate) else f"{rate:.3g}/s"


def _shown_time(seconds: float) -> str:
    """A time below a chart: three digits say where it is."""
    return format_duration(float(f"{seconds:.3g}"))
