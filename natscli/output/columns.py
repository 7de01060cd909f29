"""How much room a text takes on a terminal, and texts that fit into the room there is."""

from __future__ import annotations

from itertools import accumulate, takewhile

from natscli.text import visible_line

#: Joins emoji where it stands between two; rich takes it for that everywhere, so that a word with many had no width.
_JOINER = "\u200d"
#: Makes some symbols an emoji, which takes two columns; rich leaves it out when it cuts.
_SELECTOR = "\ufe0f"


def crop(text: str, columns: int) -> str:
    """`text` as one line of at most `columns` columns of a terminal; wide characters take two."""
    shown = visible_line(text[: 4 * columns])  # what takes no column is bounded too
    if shown.isascii():
        return shown[:columns]
    from rich.cells import cell_len, set_cell_size

    if _JOINER in shown or _SELECTOR in shown:
        room = accumulate(map(_most, shown))
        return "".join(takewhile(lambda _: next(room) <= columns, shown))
    return set_cell_size(shown, columns) if cell_len(shown) > columns else shown


def shortened(text: str, columns: int) -> str:
    """`crop`, with an ellipsis where something is missing."""
    shown = crop(text, columns)
    return shown if shown == visible_line(text) else f"{crop(text, columns - 1).rstrip()}…"


def width_of(text: str) -> int:
    """How many columns of a terminal `text` takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return sum(map(_most, text)) if _JOINER in text or _SELECTOR in text else cell_len(text)


def _most(character: str) -> int:
    """How many columns it takes at most, whatever is beside it."""
    from rich.cells import cell_len

    return 1 if character == _SELECTOR else cell_len(character)


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """`text` with spaces after it, or before it (`right`), so that it takes `columns` columns of a terminal."""
    space = " " * (columns - width_of(text))
    return space + text if right else text + space
