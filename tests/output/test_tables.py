"""Tables on a terminal."""

from __future__ import annotations

import re

import pytest

from natscli.output.tables import Screen, show_table


def drawn(
    title: str, headers: tuple[str, ...], *rows: tuple[str, ...], color: bool = False, columns: int = 80
) -> tuple[list[str], str]:
    """The lines of a table, and the text in its columns put together again."""
    shown = show_table(title, headers, rows, Screen(terminal=True, color=color, columns=columns))
    cells = [line.split("│")[1:-1] for line in shown.splitlines() if line.startswith("│")]
    texts = ["".join(cell.strip() for cell in column) for column in zip(*cells, strict=True)]
    return shown.splitlines(), " ".join(texts)


def test_nothing_in_a_table_is_markup() -> None:
    odd = "[red]a[/] :smile: [eu]"
    lines, text = drawn(odd, (odd, "Server"), (odd, odd))
    assert lines[0].rstrip() == odd
    assert text.count(odd) == 3


def test_the_title_is_bold_and_on_the_left() -> None:
    assert drawn("Contexts", (), ("a", "b" * 30), color=True)[0][0].startswith("\x1b[1mContexts")


@pytest.mark.parametrize("width", [20, 30, 40, 80])
@pytest.mark.parametrize("headers", [(), ("Name", "Description", "Server")], ids=["info", "ls"])
def test_nothing_is_dropped_on_a_narrow_terminal(headers: tuple[str, ...], width: int) -> None:
    row = ("n" * 30, "describes", "nats://server")
    lines, text = drawn("T", headers, row, ("Server URLs", "nats://h:4222", "default"), columns=width)
    assert max(map(len, lines)) <= width
    for value in row:
        assert value in text


def test_a_short_name_is_kept_in_one_piece() -> None:
    lines, _ = drawn(
        "T", ("Name", "Server"), ("production-eu-west-1", "nats://a.very.long.name." * 3), columns=40
    )
    assert any(re.match("│ production-eu-west-1 │", line) for line in lines)


def test_a_cell_of_any_length_does_not_widen_the_other_rows_of_plain_text() -> None:
    rows = [("x" * 300_000, "1"), *[("short", "2")] * 1000]
    shown = show_table("T", ("Name", "Number"), rows, Screen(terminal=False, color=False))
    assert len(shown) < 600_000
    assert "x" * 300_000 + "  1\n" in shown
    assert "short" + " " * 97 + "2\n" in shown
