"""`--fail-if` and `--baseline`: conditions on the figures of a run, and the figures of an earlier one."""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from natscli.duration import format_duration, parse_duration
from natscli.errors import ExitStatus, InputError, PynatsError, UnexpectedError, reason

#: Figures by their names in --fail-if. Times in seconds.
Figures = Mapping[str, float]

#: Names of figures by kind, as they are shown.
COUNTS = (
    "sent", "answered", "failed", "in_flight", "late", "retried", "acknowledged", "more_replies", "bytes_sent",
    "bytes_received",
)  # fmt: skip
TIMES = ("min", "mean", "p50", "p90", "p99", "p99.9", "max")
#: Kinds of failures, as `failures` of a summary has them.
FAILURES = tuple(
    status.name.lower() for status in ExitStatus if status not in (ExitStatus.OK, ExitStatus.INTERRUPTED)
)
_NAMES = (*COUNTS, "rate", "seconds", *TIMES, *FAILURES)
#: What a request may come to; whether that is a failure of the run is up to a condition on them, if there is one.
_OF_REQUESTS = frozenset(
    {ExitStatus.NO_RESPONDERS, ExitStatus.TIMEOUT, ExitStatus.SERVICE_ERROR, ExitStatus.UNEXPECTED}
)
_CONDITION = re.compile(
    r"\s*([a-z][\w.]*)\s*(<=|>=|==|!=|<|>)\s*([+-]?)\s*([\d.](?:[\w.µμ]|(?<=[eE])[+-])*)\s*(%?)\s*"
)
_AMOUNT = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip


@dataclass(frozen=True)
class Condition:
    """A condition on the figure `name`: `text`, as it was given.

    `value` is seconds of a time; with `share` a part of the requests sent, with `change` a part of the figure of the
    baseline.
    """

    text: str
    name: str
    compare: Callable[[float, float], bool]
    value: float
    share: bool = False
    change: bool = False

    def failure(self, now: Figures, before: Figures | None = None) -> UnexpectedError | None:
        """The failure that it is if the condition holds, or if its figure is not known, as without any reply."""
        figure = now.get(self.name)
        if figure is None:
            return UnexpectedError(f"{self.text}: {self.name} is not known, nothing was answered")
        what = shown(self.name, figure)
        if self.share:
            figure = figure / now["sent"] if now.get("sent") else 0.0
            what = f"{what}, {figure:.3g} of all" if not now.get("sent") else f"{what}, {figure:.2%}"
        elif self.change:
            old = (before or {}).get(self.name)
            if old is None:
                return UnexpectedError(f"{self.text}: the baseline has no {self.name}")
            what = f"{what} after {shown(self.name, old)}, {shown_change(old, figure)}"
            figure = change(old, figure)
        if not self.compare(figure, self.value):
            return None
        return UnexpectedError(f"{self.text}: {self.name} is {what}")


@dataclass(frozen=True)
class Verdict:
    """What --fail-if and --baseline make of a run."""

    conditions: Sequence[Condition]
    baseline: Figures | None = None

    def failures(self, now: Figures) -> list[UnexpectedError]:
        """The conditions that hold, as failures."""
        found = [condition.failure(now, self.baseline) for condition in self.conditions]
        return [failure for failure in found if failure is not None]

    def excuses(self, failure: PynatsError) -> bool:
        """Whether a failed request does not make the run fail, as the conditions say how many may."""
        judged = any(condition.name in ("failed", "answered", *FAILURES) for condition in self.conditions)
        return judged and failure.status in _OF_REQUESTS


def parse_condition(text: str, where: str = "--fail-if") -> Condition:
    """A condition such as `p99 > 20ms`, `failed > 1%` or, against a baseline, `p99 > +10%`.

    Raises:
        InputError: it is none, or of a figure that there is not.
    """
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise InputError(
            f"{text!r} is no condition: write for example 'p99 > 20ms' or 'failed > 1%'", where=where
        )
    name, symbol, sign, number, percent = found.groups()
    if name not in _NAMES:
        raise InputError(f"there is no figure {name!r}: there are {', '.join(_NAMES)}", where=where)
    try:
        value = parse_duration(number) if name in (*TIMES, "seconds") and not percent else _amount(number)
    except ValueError as error:
        raise InputError(f"{error} in {text!r}", where=where) from None
    if (sign and not percent) or (percent and not sign and name not in (*COUNTS, *FAILURES)):
        raise InputError(
            f"{text!r}: a change is written +10% or -10%, and a share 1% is one of the requests sent",
            where=where,
        )
    value = value / 100 if percent else value
    return Condition(
        text.strip(), name, _OPERATORS[symbol], -value if sign == "-" else value,
        share=bool(percent and not sign), change=bool(sign),
    )  # fmt: skip


def verdict(fail_if: Sequence[str], baseline: str | None, stdin: BinaryIO) -> Verdict | None:
    """What these options make of a run; None without them. A `baseline` of `-` is `stdin`.

    Raises:
        InputError: no condition, one that needs a baseline without one, or a file that is none.
    """
    if not fail_if and baseline is None:
        return None
    conditions = [parse_condition(text) for text in fail_if]
    before = read_figures(baseline, "--baseline", stdin) if baseline is not None else None
    for condition in conditions:
        if condition.change and before is None:
            raise InputError(f"{condition.text!r} needs --baseline", where="--fail-if")
    return Verdict(conditions, before)


def figures(summary: Mapping[str, Any]) -> dict[str, float]:
    """The figures in a summary for programs.

    Raises:
        ValueError: it is none.
    """
    found: dict[str, float] = dict.fromkeys(FAILURES, 0.0)
    try:
        for name in (*COUNTS, "rate", "seconds"):
            if name in summary:  # older summaries have fewer
                found[name] = _number(summary[name])
        found.update({name: _number(failures["count"]) for name, failures in summary["failures"].items()})
        found.update({name: _number(ns) / 1e9 for name, ns in summary["rtt_ns"].items()})
        found["sent"], found["rate"]
    except (LookupError, TypeError, AttributeError):
        raise ValueError("no summary of --summary-json") from None
    return found


def read_figures(path: str, where: str, stdin: BinaryIO) -> dict[str, float]:
    """The figures in a file of --summary-json; `-` is `stdin`.

    Raises:
        InputError: it cannot be read, or is no such file.
    """
    try:
        if path == "-":
            path, data = "standard input", stdin.read()
        else:
            with open(path, "rb") as file:
                data = file.read()
        return figures(json.loads(data))
    except OSError as error:
        raise InputError(f"{reason(error)}: {path}", where=where) from None
    except (ValueError, RecursionError):
        raise InputError(f"no summary of --summary-json: {path}", where=where) from None


def change(before: float, now: float) -> float:
    """The part of `before` by which `now` is more."""
    if before:
        return (now - before) / before
    return math.copysign(math.inf, now) if now else 0.0


def shown(name: str, figure: float) -> str:
    """A figure for people."""
    if name in TIMES or name == "seconds":
        return format_duration(figure)
    return f"{figure:.{0 if figure >= 100 else 2}f}/s" if name == "rate" else f"{figure:,.0f}"


def shown_change(before: float, now: float) -> str:
    """The change from one figure to another for people: `+12.5%`."""
    part = change(before, now)
    return "new" if math.isinf(part) else f"{part:+.1%}"


def _amount(text: str) -> float:
    """A number without a unit. Raises ValueError."""
    if not _AMOUNT.fullmatch(text):
        raise ValueError(f"{text!r} is no number: only times have units")
    if math.isinf(amount := float(text)):
        raise ValueError(f"{text!r} is too large")
    return amount


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise TypeError
    return float(value)
