"""A report as one HTML file: its head, and the parts that every report is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from natscli.output.report.markup import Html, element, text
from natscli.output.report.stylesheet import STYLESHEET
from natscli.text import bytes_for_people

#: A browser loads nothing for the page, and runs nothing in it, whatever it holds.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


class Figure(NamedTuple):
    """A number for people and for programs: its `name`, `value`, and how it is `shown` under a `label`."""

    name: str
    label: str
    value: float
    shown: str


Cell = str | Figure


def page(title: str, facts: Mapping[str, str], sections: Iterable[Html]) -> bytes:
    """The whole file: `title`, `facts` about where it is from, and `sections`."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", text(title)),
        element("style", Html(STYLESHEET)),
    )
    about = [
        element("div", element("dt", text(name)), element("dd", text(value)))
        for name, value in facts.items()
        if value
    ]
    body = element("main", element("h1", text(title)), element("dl", *about), *sections)
    html = element("html", head, Html("\n"), element("body", body), lang="en")
    return bytes_for_people(f"<!DOCTYPE html>\n{html}\n")


def section(title: str, *content: Html) -> Html:
    """A part of the page under a heading."""
    return element("section", element("h2", text(title)), *content)


def tiles(figures: Iterable[Figure]) -> Html:
    """The figures that are looked at first."""
    cells = [
        element("div", element("span", text(figure.label)), number(figure), class_="tile")
        for figure in figures
    ]
    return element("div", *cells, class_="tiles")


def number(figure: Figure) -> Html:
    """A figure for people, with its value for programs."""
    return element("data", text(figure.shown), value=f"{figure.value}", data_name=figure.name)


def table(heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Html:
    """A table: figures to the right, text to the left; the first cell of each row is its heading."""
    head = element("tr", *(element("th", text(name), scope="col") for name in heads))
    body = [
        element("tr", element("th", _cell(row[0]), scope="row"), *(_column(cell) for cell in row[1:]))
        for row in rows
    ]
    inner = element("table", element("thead", head), element("tbody", *body))
    return element("div", inner, class_="wide")


def figures_table(heads: Sequence[str], figures: Iterable[Figure]) -> Html:
    """A row for each figure: its label and its value."""
    return table(heads, [(figure.label, figure) for figure in figures])


def _column(cell: Cell) -> Html:
    return element("td", _cell(cell), class_="number" if isinstance(cell, Figure) else "text")


def _cell(cell: Cell) -> Html:
    return number(cell) if isinstance(cell, Figure) else text(cell)
