"""How `pynats watch --stats` shows exchanges by subject: a table, drawn again and again on a terminal, or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from natscli.duration import format_duration
from natscli.output.tables import Cell, Screen, show_table

_HEADERS = ("Subject", "Total", "Rate/s", "Unanswered", "Errors", "p50", "p99", "max")


class Row(NamedTuple):
    """The statistics of one subject. Times in nanoseconds, None without replies; `rate` is exchanges a second."""

    subject: str
    exchanges: int
    rate: float
    unanswered: int
    no_responders: int
    errors: int
    p50: int | None
    p99: int | None
    max: int | None


def table(rows: Sequence[Row], title: str, screen: Screen) -> str:
    """A table with a line a subject; the title alone without any."""
    if not rows:
        return f"{title}\n"
    return show_table(title, _HEADERS, [_cells(row) for row in rows], screen)


def _cells(row: Row) -> list[Cell | str]:
    bad = (row.unanswered + row.no_responders, row.errors)
    times = ["" if ns is None else format_duration(ns / 1e9) for ns in (row.p50, row.p99, row.max)]
    shown = [Cell(str(count), good=False if count else None) for count in bad]
    return [row.subject, str(row.exchanges), f"{row.rate:.4g}", *shown, *times]


def lines(rows: Sequence[Row], *, ascii_only: bool) -> bytes:
    """An object a subject, one a line; times in nanoseconds."""
    text = "".join([json.dumps(_record(row), ensure_ascii=ascii_only) + "\n" for row in rows])
    return text.encode("utf-8", "backslashreplace")


def _record(row: Row) -> dict[str, str | int | float | None]:
    record = row._asdict()
    times = {f"{name}_ns": record.pop(name) for name in ("p50", "p99", "max")}
    return {**record, "rate": round(row.rate, 1), **times}


class Live:
    """Makes the bytes that draw a table in the place of the one before, no taller than the terminal."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._height = 0

    def frame(self, rows: Sequence[Row], title: str, height: int) -> bytes:
        """What to write to the terminal, which has `height` lines."""
        shown = rows[:height]
        text = table(shown, title, self._screen)
        while len(shown) > 1 and (excess := text.count("\n") - height + 1) > 0:
            shown = shown[: max(len(shown) - excess, 1)]
            text = table(shown, title, self._screen)
        back = f"\x1b[{self._height}F\x1b[J" if self._height else ""
        self._height = text.count("\n")
        return f"{back}{text}".encode("utf-8", "backslashreplace")

    def interrupted(self) -> None:
        """Something else was written: the next table is drawn below it."""
        self._height = 0
