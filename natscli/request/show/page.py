"""`--report`: a run of requests as a page for browsers. Its figures are those of `--summary-json`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from natscli.duration import format_duration
from natscli.environment import Environment
from natscli.output.report.cut_off import CutOff
from natscli.output.report.markup import Html, element
from natscli.output.report.page import Figure, figures_table, page, section, table, tiles
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
from natscli.request.options import RequestOptions
from natscli.request.statistics import Statistics
from natscli.request.summary import Summary
from natscli.text import format_bytes
from natscli.timeline import Point

#: Counts of the summary that are shown, and those that are shown unless they are 0.
_COUNTS = {"sent": "Sent", "answered": "Answered", "failed": "Failed"}
_RARE = {
    "in_flight": "In flight at the end", "late": "Sent late", "retried": "Sent again",
    "acknowledged": "Acknowledged by a stream", "more_replies": "More replies than asked for",
}  # fmt: skip


def write_page(
    options: RequestOptions, statistics: Statistics, environment: Environment, server: str,
    cut: CutOff | None = None,
) -> None:  # fmt: skip
    """Write the report that `options` ask for; `cut` is why the run did not come to its end.

    Raises:
        OSError: it could not be written.
    """
    assert options.report is not None
    redact, origin = environment.redactor.redact, origin_of(environment, server, cut)
    points = statistics.keep_timeline().points(statistics.started, statistics.ended, POINTS)
    data = report(redact(f"Requests to {options.subject}"), statistics.summary(), points, origin, redact, cut)
    write_file(options.report, data, environment)


def report(
    title: str, summary: Summary, points: list[Point], origin: Origin, redact: Callable[[str], str],
    cut: CutOff | None = None,
) -> bytes:  # fmt: skip
    """The page. `redact` takes secrets from the messages of failures."""
    record = summary.as_json()
    counts, times = _counts(record), rtt_figures(record["rtt_ns"])
    first = [*counts[:3], _rate(record), *(time for time in times if time.label in ("p50", "p99", "max"))]
    sections = [tiles([*cut_off_figures(cut), *first])]
    if record["failures"]:
        sections.append(section("Failures", _failures(record["failures"], redact)))
    sections += rtt_sections(summary.rtt, points)
    figures = [*counts, _rate(record), *_amounts(record)]
    pair = [figures_table(("Figure", ""), figures)]
    pair += [figures_table(("RTT", ""), times)] if times else []
    sections.append(section("Figures", element("div", *pair, class_="pair")))
    return page(title, origin.facts, sections)


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
