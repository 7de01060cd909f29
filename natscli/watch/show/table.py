"""How `pynats watch --stats` shows exchanges by subject, say: a table, drawn again and again on a terminal, or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from natscli.duration import format_duration
from natscli.output.columns import shortened, width_of
from natscli.output.tables import Cell, Screen, show_table
from natscli.text import bytes_for_programs, replaced, visible_line
from natscli.watch.grouping import SUBJECT
from natscli.watch.statistics import StatisticsRow

_KEY = "Key"
_NAMES = (_KEY, "Total", "Rate/s", "Unanswered", "Errors", "p50", "p99", "max")
#: What is left out, in this order, until there is enough room for keys (columns); they have at least the fewest.
_LEFT_OUT = ("max", "p50", "Rate/s", "")
_ENOUGH, _FEWEST = 18, 8
#: What is not known to belong to a key.
_NONE = "(unknown)"
#: Columns that the frame takes beside each column of the table.
_FRAME = 3


def table(
    rows: Sequence[StatisticsRow], title: str, screen: Screen, columns: int | None = None,
    heading: str = SUBJECT.heading,
) -> str:  # fmt: skip
    """A table of `rows`, one line each, which a terminal with `columns` does not wrap; without rows, the title alone.

    `heading` is that of the keys.
    """
    if not rows:
        return f"{title}\n"
    cells = [_cells(row) for row in rows]
    names: Sequence[str] = _NAMES
    if columns is not None:
        names, screen = _fit(cells, columns, heading), screen._replace(columns=columns)
    shown = [[row[name] for name in names] for row in cells]
    headings = [heading, *names[1:]]
    return show_table(title, headings, shown, screen, unbroken=headings)


def _fit(rows: list[dict[str, Cell]], columns: int, heading: str) -> Sequence[str]:
    """The columns that leave room for keys below their `heading`, which are cropped to what there is."""
    names = list(_NAMES)
    widths = {name: max(len(name), *(len(row[name].text) for row in rows)) for name in names[1:]}
    wanted = min(max(len(heading), *(width_of(row[_KEY].text) for row in rows)), _ENOUGH)
    for least_important in _LEFT_OUT:
        room = columns - _FRAME * len(names) - 1 - sum(widths[name] for name in names[1:])
        if room >= wanted or least_important not in names:
            break
        names.remove(least_important)
    for row in rows:
        row[_KEY] = Cell(shortened(row[_KEY].text, max(room, _FEWEST)))
    return names


def _cells(row: StatisticsRow) -> dict[str, Cell]:
    bad = (row.unanswered + row.no_responders, row.errors)
    times = (row.p50, row.p99, row.max)
    return dict(zip(_NAMES, (
        Cell(_NONE if row.key is None else visible_line(row.key)), Cell(f"{row.exchanges:,}"), Cell(_rate(row.rate)),
        *(Cell(f"{count:,}", good=False if count else None) for count in bad),
        *(Cell("" if ns is None else format_duration(float(f"{ns / 1e9:.3g}"))) for ns in times),
    ), strict=True))  # fmt: skip


def _rate(rate: float | None) -> str:
    if rate is None:
        return ""
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def lines(rows: Sequence[StatisticsRow], *, member: str = SUBJECT.member, ascii_only: bool) -> bytes:
    """An object a row, one a line, with the key as `member`; times in nanoseconds."""
    text = "".join([json.dumps(_record(row, member), ensure_ascii=ascii_only) + "\n" for row in rows])
    return bytes_for_programs(text)


def _record(row: StatisticsRow, member: str) -> dict[str, str | int | float | None]:
    record = row._asdict()
    key, rate = record.pop("key"), record.pop("rate")
    times = {f"{name}_ns": record.pop(name) for name in ("p50", "p99", "max")}
    shown = {member: None if key is None else replaced(key), "exchanges": record.pop("exchanges")}
    return {**shown, "rate": None if rate is None else _digits(rate), **record, **times}


def _digits(rate: float) -> float:
    """A rate with three decimals; a small one has three digits that say something."""
    return round(rate, 3) if rate >= 1 else float(f"{rate:.3g}")
