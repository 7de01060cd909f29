"""`--report`: a verification as a page for browsers."""

from __future__ import annotations

from natscli.duration import format_duration
from natscli.environment import Environment
from natscli.output.report.markup import Html, element, text
from natscli.output.report.page import Figure, figures_table, page, section, table, tiles
from natscli.output.report.runs import (
    POINTS,
    cut_off_figures,
    origin_of,
    rtt_figures,
    rtt_sections,
    shown_rate,
)
from natscli.output.streams import write_file
from natscli.request.summary import TIMINGS
from natscli.text import exact
from natscli.timeline import Timeline
from natscli.verify.counts import VerifiedCounts
from natscli.verify.options import VerifyOptions
from natscli.verify.verified import VerifiedCase

#: Exchanges that differ and are listed, and characters of what is said of one, at most.
_LISTED, _LONGEST = 200, 1000


class VerifyPage:
    """Keeps what the page shows: the first exchanges that differ, and what happened over time."""

    def __init__(self) -> None:
        self._timeline = Timeline()
        self._listed: list[tuple[str, str, str]] = []
        self._differed = 0

    def add_all(self, results: list[VerifiedCase]) -> None:
        """Take some more."""
        for result in results:
            self._add(result)

    def _add(self, result: VerifiedCase) -> None:
        at = result.at
        if result.answers:
            self._timeline.record(at, result.answers[0].rtt_ns)
        if not result.differences:
            return
        self._timeline.fail(at, 1)
        self._differed += 1
        if len(self._listed) < _LISTED:
            said = "; ".join(f"{difference.kind}: {difference.text}" for difference in result.differences)
            place = f"{result.case.file}:{result.case.line}"
            self._listed.append((place, exact(result.case.subject), said[:_LONGEST]))

    def write(
        self, options: VerifyOptions, counts: VerifiedCounts, started: int, ended: int, environment: Environment,
        server: str,
    ) -> None:  # fmt: skip
        """Write the file that `options` name; it was verified from `started` to `ended`, of `perf_counter_ns`.

        Raises:
            OSError: it could not be written.
        """
        assert options.report is not None
        redact, seconds = environment.redactor.redact, max(ended - started, 0) / 1e9
        figures, times = _figures(counts, seconds), rtt_figures(counts.rtt.named(TIMINGS))
        first = [*figures[:-1], *(time for time in times if time.label in ("p50", "p99", "max"))]
        sections = [tiles([*cut_off_figures(counts.cut), *first])]
        if self._listed:
            sections.append(section("Differences", *self._differences(environment)))
        sections += rtt_sections(counts.rtt, self._timeline.points(started, ended, POINTS))
        kinds = [Figure(f"kinds.{kind}", kind, count, f"{count:,}") for kind, count in counts.kinds.items()]
        pair = [figures_table(("Figure", ""), [*figures, *kinds])]
        pair += [figures_table(("RTT", ""), times)] if times else []
        sections.append(section("Figures", element("div", *pair, class_="pair")))
        title = redact(f"Verification of {', '.join(options.files)}")
        write_file(
            options.report,
            page(title, origin_of(environment, server, counts.cut).facts, sections),
            environment,
        )

    def _differences(self, environment: Environment) -> list[Html]:
        redact = environment.redactor.redact
        rows = [tuple(map(redact, row)) for row in self._listed]
        found = [table(("Exchange", "Subject", "Differs in"), rows)]
        more = self._differed - len(self._listed)
        return [*found, element("p", text(f"{more:,} more differ"))] if more else found


def _figures(counts: VerifiedCounts, seconds: float) -> list[Figure]:
    numbers = {"verified": counts.done, "held": counts.held, "differed": counts.failed}
    rare = {"updated": counts.updated, "not_verified": counts.not_verified, "not_sent": counts.not_sent}
    numbers |= {name: count for name, count in rare.items() if count}
    rate = round(counts.done / seconds, 3) if seconds else 0.0
    return [
        *(
            Figure(name, name.replace("_", " ").capitalize(), count, f"{count:,}")
            for name, count in numbers.items()
        ),
        Figure("rate", "Rate", rate, shown_rate(rate)),
        Figure("seconds", "Duration", round(seconds, 9), format_duration(seconds)),
    ]
