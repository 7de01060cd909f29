"""`--report`: a run of requests as a page for browsers. Its figures are those of `--summary-json`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from natscli.duration import format_duration, timestamp
from natscli.environment import Environment
from natscli.histogram import Histogram
from natscli.output.report.charts import Bar, Line, bars, over_time
from natscli.output.report.markup import Html, element
from natscli.output.report.page import Figure, figures_table, page, section, table, tiles
from natscli.request.options import RequestOptions
from natscli.request.show.reports import write_file
from natscli.request.show.summary import format_end, ranges
from natscli.request.statistics import Statistics
from natscli.request.summary import Summary
from natscli.text import format_bytes
from natscli.timeline import Point

#: Points of a chart, at most.
POINTS = 120
#: The lines of the RTT over time: what they are called, and their colours.
_RTTS = {"max": ("longest", 2), "p99": ("p99", 1), "p50": ("median", 0)}
#: Counts of the summary that are shown, and those that are shown unless they are 0.
_COUNTS = {"sent": "Sent", "answered": "Answered", "failed": "Failed"}
_RARE = {
    "in_flight": "In flight at the end", "late": "Sent late", "retried": "Sent again",
    "acknowledged": "Acknowledged by a stream", "more_replies": "More replies than asked for",
}  # fmt: skip


class Origin(NamedTuple):
    """What a run is from: the command line, the server, and when (seconds since 1970) it ended. No secrets."""

    command: str
    server: str
    ended: float

    @property
    def facts(self) -> dict[str, str]:
        """The same for people."""
        return {"Command": self.command, "Server": self.server, "Ended": f"{timestamp(self.ended)[:19]}Z"}


def write_page(
    options: RequestOptions, statistics: Statistics, environment: Environment, server: str
) -> None:
    """Write the report that `options` ask for.

    Raises:
        OSError: it could not be written.
    """
    assert options.report is not None
    redact, origin = environment.redactor.redact, origin_of(environment, server)
    points = statistics.keep_timeline().points(statistics.started, statistics.ended, POINTS)
    data = report(redact(f"Requests to {options.subject}"), statistics.summary(), points, origin, redact)
    write_file(options.report, data, environment)


def origin_of(environment: Environment, server: str) -> Origin:
    """What a run that ends now is from; `server` is a URL."""
    redactor = environment.redactor
    command = f"pynats {redactor.command_line(environment.arguments)}"
    return Origin(command, redactor.redact(server), time.time())


def report(
    title: str, summary: Summary, points: list[Point], origin: Origin, redact: Callable[[str], str]
) -> bytes:
    """The page. `redact` takes secrets from the messages of failures."""
    record = summary.as_json()
    counts, times = _counts(record), rtt_figures(record["rtt_ns"])
    first = [*counts[:3], _rate(record), *(time for time in times if time.label in ("p50", "p99", "max"))]
    sections = [tiles(first)]
    if record["failures"]:
        sections.append(section("Failures", _failures(record["failures"], redact)))
    sections += rtt_sections(summary.rtt, points)
    figures = [*counts, _rate(record), *_amounts(record)]
    pair = [figures_table(("Figure", ""), figures)]
    pair += [figures_table(("RTT", ""), times)] if times else []
    sections.append(section("Figures", element("div", *pair, class_="pair")))
    return page(title, origin.facts, sections)


def rtt_sections(rtt: Histogram, points: list[Point]) -> list[Html]:
    """Rate and RTT over time, and how the RTTs are distributed."""
    sections = [section("Over time", *_over_time(points))] if points else []
    if rtt.count:
        shares = [Bar(f"≤ {format_end(end)}", count, count / rtt.count) for end, count in ranges(rtt.items())]
        sections.append(section("RTT, from each request to its first reply", bars(shares)))
    return sections


def _counts(record: Mapping[str, Any]) -> list[Figure]:
    shown = _COUNTS | {name: label for name, label in _RARE.items() if record[name]}
    return [Figure(name, label, record[name], f"{record[name]:,}") for name, label in shown.items()]


def _rate(record: Mapping[str, Any]) -> Figure:
    return Figure("rate", "Rate", record["rate"], shown_rate(record["rate"]))


def _amounts(record: Mapping[str, Any]) -> list[Figure]:
    sizes = (("bytes_sent", "Bytes sent"), ("bytes_received", "Bytes received"))
    seconds = record["seconds"]
    return [
        Figure("seconds", "Duration", seconds, format_duration(seconds)),
        *(Figure(name, label, record[name], format_bytes(record[name])) for name, label in sizes),
    ]


def rtt_figures(rtts: Mapping[str, int]) -> list[Figure]:
    """The statistics of RTTs, which are nanoseconds by name."""
    return [Figure(f"rtt_ns.{name}", name, ns, format_duration(ns / 1e9)) for name, ns in rtts.items()]


def _failures(failures: Mapping[str, Mapping[str, Any]], redact: Callable[[str], str]) -> Html:
    rows = [
        (
            kind.replace("_", " "),
            Figure(f"failures.{kind}", kind, failed["count"], f"{failed['count']:,}"),
            redact(failed["example"]),
        )
        for kind, failed in failures.items()
    ]
    return table(("Kind", "Count", "Such as"), rows)


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
