"""Charts of a report as inline SVG. It is stretched to its place; what is written beside it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import ceil, floor, log10
from typing import NamedTuple

from natscli.output.report.markup import Html, element, text

#: The coordinates in which lines are drawn.
_WIDTH, _HEIGHT = 1000, 200
#: Times below a chart, and lines across it, about.
_TIMES, _TICKS = 4, 5


class Line(NamedTuple):
    """A line of a chart: a value for each time; None where there is none. `color` is a number from 0 to 2."""

    label: str
    values: Sequence[float | None]
    color: int = 0


class Bar(NamedTuple):
    """A bar of a chart: a number of things, and which part of all that is."""

    label: str
    number: int
    share: float


def over_time(
    title: str, times: Sequence[float], end: float, lines: Sequence[Line], shown: Callable[[float], str], *,
    by_factors: bool = False, shown_time: Callable[[float], str],
) -> Html:  # fmt: skip
    """Lines over `times` (seconds), from 0 to `end`.

    The scale of the values begins at 0, or, `by_factors`, goes by powers of ten, so that a tail has room.
    """
    known = [value for line in lines for value in line.values if value is not None]
    ticks = _factors(known) if by_factors else _steps(max(known, default=0))
    low, high = (_place(ticks[at], by_factors) for at in (0, -1))

    def height(value: float) -> float:
        return (_place(value, by_factors) - low) / (high - low)

    grid = [
        element("line", x1="0", x2=f"{_WIDTH}", y1=y, y2=y, class_="grid")
        for y in (f"{_HEIGHT * (1 - height(tick)):.1f}" for tick in ticks)
    ]
    paths = [
        element("path", d=_path(times, end, line, height), class_=f"line c{line.color}") for line in lines
    ]
    labels = [
        element("span", text(shown(tick)), class_="tick", style=f"bottom:{height(tick):.2%}")
        for tick in ticks
    ]
    keys = [element("span", text(line.label), class_=f"key c{line.color}") for line in lines]
    svg = element("svg", *grid, *paths, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", preserveAspectRatio="none",
                  role="img", aria_label=title)  # fmt: skip
    below = [element("span", text(shown_time(end * part / _TIMES))) for part in range(_TIMES + 1)]
    return element(
        "figure",
        element("figcaption", element("b", text(title)), *keys),
        element("div", *labels, svg, class_="plot"),
        element("div", *below, class_="times"),
    )


def bars(rows: Sequence[Bar]) -> Html:
    """A bar for each row, with its count and its share."""
    most = max((row.number for row in rows), default=0) or 1
    drawn = [
        element(
            "tr",
            element("th", text(row.label), scope="row"),
            element("td", _bar(row.number / most), class_="bar"),
            element("td", text(f"{row.number:,}")),
            element("td", text(f"{row.share:.1%}")),
        )
        for row in rows
    ]
    return element("table", element("tbody", *drawn), class_="bars")


def _bar(part: float) -> Html:
    rect = element("rect", width=f"{part * _WIDTH:.1f}", height="10", y="2")
    return element("svg", rect, viewBox=f"0 0 {_WIDTH} 14", preserveAspectRatio="none", aria_hidden="true")


def _path(times: Sequence[float], end: float, line: Line, height: Callable[[float], float]) -> str:
    """The line from value to value, begun anew after a gap; one value alone is a dot."""
    drawn, begun = [], False
    for at, value in zip(times, line.values, strict=True):
        if value is None:
            begun = False
            continue
        x, y = (at / end if end else 0.0) * _WIDTH, (1 - height(value)) * _HEIGHT
        drawn.append(f"{'L' if begun else 'M'}{x:.1f} {y:.1f}" + ("" if begun else "h0"))
        begun = True
    return "".join(drawn)


def _place(value: float, by_factors: bool) -> float:
    return log10(max(value, 1)) if by_factors else value


def _factors(values: Sequence[float]) -> list[float]:
    """Powers of ten around all `values`, at least two."""
    low = floor(log10(max(min(values, default=1), 1)))
    high = max(ceil(log10(max(*values, 1, 1))), low + 1)
    step = ceil((high - low) / _TICKS)
    return [10.0**exponent for exponent in range(low, high + step, step)]


def _steps(most: float) -> list[float]:
    """Round numbers from 0 to `most` or more."""
    step = next(step for step in _round_numbers(most) if step * _TICKS >= most)
    return [step * number for number in range(max(ceil(most / step), 1) + 1)]


def _round_numbers(most: float) -> Iterator[float]:
    """1, 2, 5, 10 and so on, from well below `most`."""
    exponent = floor(log10(most)) - 1 if most > 0 else 0
    while True:
        yield from (first * 10.0**exponent for first in (1, 2, 5))
        exponent += 1
