"""Tables: aligned text in a pipe, drawn with rich on a terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from natscli.environment import Environment
from natscli.system.terminal import columns
from natscli.text import visible_line

_GOOD, _BAD = "green", "red"
#: Columns up to which a cell of plain text is padded: one that is very long does not make all rows so.
_WIDEST = 100


class Cell(NamedTuple):
    """A text in a table, and whether it is good or bad news (None: neither)."""

    text: str
    good: bool | None = None


class Screen(NamedTuple):
    """What the output goes to: a terminal of some `columns` is drawn on, anything else gets plain text."""

    terminal: bool
    color: bool
    columns: int = 80

    @classmethod
    def of(cls, environment: Environment) -> Screen:
        """What stdout is."""
        stdout, color = environment.stdout, environment.colored(environment.stdout)
        return cls(color or stdout.isatty(), color, columns(stdout, environment.environ))


def show_table(
    title: str,
    headers: Sequence[str],
    rows: Sequence[Sequence[Cell | str]],
    screen: Screen,
    *,
    unbroken: Collection[str] = (),
) -> str:
    """A table; control characters are shown as escapes. Without `headers` it is a list of properties.

    On a terminal the columns with `unbroken` headers are not wrapped.
    """
    cells = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    cells = [[Cell(visible_line(cell.text), cell.good) for cell in row] for row in cells]
    title = visible_line(title)
    if not screen.terminal:
        return _aligned(title, headers, cells)
    return _drawn(title, headers, cells, screen, unbroken)


def _aligned(title: str, headers: Sequence[str], rows: list[list[Cell]]) -> str:
    texts = [[cell.text for cell in row] for row in rows]
    if headers:
        texts.insert(0, [header.upper() for header in headers])
    widths = [min(max(map(len, column)), _WIDEST) for column in zip(*texts, strict=True)]
    lines = ["  ".join(t.ljust(w) for t, w in zip(row, widths, strict=True)).rstrip() for row in texts]
    return "".join(f"{line}\n" for line in ([] if headers else [title, ""]) + lines)


def _drawn(
    title: str, headers: Sequence[str], rows: list[list[Cell]], screen: Screen, unbroken: Collection[str]
) -> str:
    import io

    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    file = io.StringIO()
    console = Console(
        file=file, force_terminal=True, color_system="standard" if screen.color else None, highlight=False,
        width=screen.columns,
    )  # fmt: skip
    # Text, because a plain str would be read as markup.
    table = Table(title=Text(title, "bold"), title_justify="left", box=box.ROUNDED, show_header=bool(headers))
    texts = [[Text(c.text, "" if c.good is None else _GOOD if c.good else _BAD) for c in row] for row in rows]
    # Names stay in one piece, unless that takes the room of the other columns.
    short = max(row[0].cell_len for row in texts) <= console.width // 2
    for number, header in enumerate(headers or [""] * len(texts[0])):
        first = number == 0
        whole = header in unbroken or (first and short and not unbroken)
        table.add_column(Text(header), style="bold cyan" if first else "", overflow="fold", no_wrap=whole)
    for row in texts:
        table.add_row(*row)
    console.print(table)
    return file.getvalue()
