"""Medians, ratios, and the table: for people, as Markdown, as JSON."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.cases import Case, Need
from benchmarks.measures import Sample


@dataclass
class Result:
    """What one case gave: the samples of each measurement, in the order of the runs, or why there are none.

    `problems` are failures; what is `absent` cannot be had on this machine.
    """

    case: Case
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def values(self, label: str, detail: str | None = None) -> list[float]:
        """The values of a measurement, or one of its details, run by run."""
        samples = self.samples.get(label, [])
        return [s.value if detail is None else s.details[detail] for s in samples]

    def measured(self, need: Need) -> float | None:
        """What a requirement is about: a median, or the median of the ratios of each run; None if not measured.

        What is compared was measured within seconds, so a machine that is slower for a while changes both.
        """
        values = self.values(need.of, need.detail)
        if need.by is not None:
            floors = self.values(need.by, need.detail)
            values = [value / floor for value, floor in zip(values, floors, strict=False)]
        if not values or need.of in self.problems or need.by in self.problems:
            return None
        return statistics.median(values)

    def is_met(self, need: Need) -> bool:
        """Whether a requirement is met; not if it could not be measured."""
        value = self.measured(need)
        return value is not None and need.met(value)

    @property
    def ok(self) -> bool:
        """Everything was measured and every requirement is met."""
        return not self.problems and all(self.is_met(need) for need in self.case.needs)


def others(results: list[Result], *labels: str | None) -> float:
    """The median share of the machine that others used during the measurements, all or those with these labels."""
    taken = [
        s
        for r in results
        for label, samples in r.samples.items()
        if not labels or label in labels
        for s in samples
    ]
    return statistics.median([s.details.get("others", 0.0) for s in taken]) if taken else 0.0


def number(value: float) -> str:
    """Three or more digits that matter."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 20 else f"{value:.2f}"


def verdict(result: Result, need: Need) -> str:
    """`met`, `NOT MET` or `not measured`."""
    if result.measured(need) is None:
        return "not measured"
    return "met" if result.is_met(need) else "NOT MET"


def _measured(result: Result, need: Need) -> str:
    value = result.measured(need)
    return (
        "-"
        if value is None
        else f"{value:.2f}"
        if need.by or need.unit == ""
        else f"{number(value)} {need.unit}"
    )


def _details(samples: list[Sample]) -> dict[str, float]:
    return {key: statistics.median([s.details[key] for s in samples]) for key in samples[0].details}


def as_text(result: Result) -> str:
    """One case for a terminal."""
    lines = [f"{result.case.name}: {result.case.title} ({result.case.unit})"]
    for label in result.case.measures:
        if reason := result.problems.get(label, result.absent.get(label)):
            lines.append(f"  {label:<28} {reason}")
            continue
        values = result.values(label)
        details = ", ".join(f"{k} {number(v)}" for k, v in _details(result.samples[label]).items())
        spread = f"({number(min(values))} to {number(max(values))})"
        lines.append(f"  {label:<28} {number(statistics.median(values)):>9} {spread:<22} {details}")
    for need in result.case.needs:
        measured = _measured(result, need)
        lines.append(f"  {need.title:<38} {measured:>9}   {need.bound:<10} {verdict(result, need)}")
    return "\n".join(lines) + "\n"


def circumstances(about: dict[str, Any], runs: str = "") -> str:
    """A sentence about the machine and the runs; `runs` says which cases have fewer."""
    return (
        f"{about['date']}, {about['processor']}, {about['cores']} cores, {about['system']}, "
        f"Python {about['python']}, nats-py {about['nats-py']}, nats-server {about['nats-server']}; "
        f"medians of {about['runs']} runs{f' ({runs})' if runs else ''}; "
        f"others used {about['others']:.0%} of the machine."
    )


def as_markdown(results: list[Result], about: dict[str, Any]) -> str:
    """Two tables: what is required, and all medians."""
    lines = [
        circumstances(about, "stalled at most 3, memory 1"),
        "",
        "| case | what | measured | required | | others used |",
        "|---|---|---:|---:|---|---:|",
    ]
    for result in results:
        lines += [
            f"| {result.case.name} | {need.title} | {_measured(result, need)} | {need.bound} "
            f"| {verdict(result, need)} | {others([result], need.of, need.by):.0%} |"
            for need in result.case.needs
        ]
    lines += ["", "| case | what | median | lowest to highest | unit |", "|---|---|---:|---:|---|"]
    for result in results:
        for label in result.case.measures:
            if label not in result.samples:
                reason = "not here" if label in result.absent else "not measured"
                lines.append(f"| {result.case.name} | {label} | - | {reason} | |")
                continue
            values = result.values(label)
            spread = f"{number(min(values))} to {number(max(values))}"
            median = number(statistics.median(values))
            lines.append(f"| {result.case.name} | {label} | {median} | {spread} | {result.case.unit} |")
    return "\n".join(lines) + "\n"


def as_json(results: list[Result], about: dict[str, Any]) -> dict[str, Any]:
    """Everything, every sample."""
    return {
        "about": about,
        "cases": [
            {
                "name": result.case.name,
                "title": result.case.title,
                "unit": result.case.unit,
                "samples": {label: [asdict(s) for s in samples] for label, samples in result.samples.items()},
                "medians": {label: statistics.median(result.values(label)) for label in result.samples},
                "problems": result.problems,
                "absent": result.absent,
                "needs": [
                    asdict(need)
                    | {"title": need.title, "measured": result.measured(need), "met": result.is_met(need)}
                    for need in result.case.needs
                ],
            }
            for result in results
        ],
    }
