"""How `pynats watch --stats` shows exchanges by subject: a table, drawn again and again on a terminal, or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from natscli.duration import format_duration
from natscli.output.columns import shortened, width_of
from natscli.output.tables import Cell, Screen, show_table
from natscli.text import bytes_for_programs, replaced, visible_line
from natscli.watch.statistics import StatisticsRow

_HEADERS = ("Subject", "Total", "Rate/s", "Unanswered", "Errors", "p50", "p99", "max")
#: What is left out, in this order, until there is enough room for subjects (columns); they have at least the fewest.
_LEFT_OUT = ("max", "p50", "Rate/s", "")
_ENOUGH, _FEWEST = 18, 8
#: Columns that the frame takes beside each column of the table.
_FRAME = 3


def table(rows: Sequence[StatisticsRow], title: str, screen: Screen, columns: int | None = None) -> str:
    """A table with a line a subject, which a terminal of so many columns does not wrap; the title alone without any."""
    if not rows:
        return f"{title}\n"
    cells = [_cells(row) for row in rows]
    names: Sequence[str] = _HEADERS
    if columns is not None:
        names, screen = _fit(cells, columns), screen._replace(columns=columns)
    shown = [[row[name] for name in names] for row in cells]
    return show_table(title, names, shown, screen, unbroken=names)


def _fit(rows: list[dict[str, Cell]], columns: int) -> Sequence[str]:
    """The columns that leave room for subjects, which are cropped to what there is."""
    names = list(_HEADERS)
    widths = {name: max(len(name), *(len(row[name].text) for row in rows)) for name in names[1:]}
    wanted = min(max(width_of(row["Subject"].text) for row in rows), _ENOUGH)
    for least_important in _LEFT_OUT:
        room = columns - _FRAME * len(names) - 1 - sum(widths[name] for name in names[1:])
        if room >= wanted or least_important not in names:
            break
        names.remove(least_important)
    for row in rows:
        row["Subject"] = Cell(shortened(row["Subject"].text, max(room, _FEWEST)))
    return names


def _cells(row: StatisticsRow) -> dict[str, Cell]:
    bad = (row.unanswered + row.no_responders, row.errors)
    times = (row.p50, row.p99, row.max)
    return dict(zip(_HEADERS, (
        Cell(visible_line(row.subject)), Cell(f"{row.exchanges:,}"), Cell(_rate(row.rate)),
        *(Cell(f"{count:,}", good=False if count else None) for count in bad),
        *(Cell("" if ns is None else format_duration(float(f"{ns / 1e9:.3g}"))) for ns in times),
    ), strict=True))  # fmt: skip


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def lines(rows: Sequence[StatisticsRow], *, ascii_only: bool) -> bytes:
    """An object a subject, one a line; times in nanoseconds."""
    text = "".join([json.dumps(_record(row), ensure_ascii=ascii_only) + "\n" for row in rows])
    return bytes_for_programs(text)


def _record(row: StatisticsRow) -> dict[str, str | int | float | None]:
    record = row._asdict()
    times = {f"{name}_ns": record.pop(name) for name in ("p50", "p99", "max")}
    return {**record, "subject": replaced(row.subject), "rate": round(row.rate, 1), **times}
