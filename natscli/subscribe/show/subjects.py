"""How many messages came on which subject: a table that is redrawn on a terminal, aligned text or JSON elsewhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from natscli.output.columns import shortened
from natscli.output.tables import Screen, show_table
from natscli.text import format_bytes, replaced, visible_line

#: Columns of a terminal that a subject may take, in several lines; JSON has all of it.
_SUBJECT = 200


class MessageCount(NamedTuple):
    """A subject, its messages, and the bytes of their payloads."""

    subject: str
    messages: int
    size: int


class Totals(NamedTuple):
    """All there was: subjects, messages and bytes. `unnamed` messages were on more subjects than are kept apart."""

    subjects: int
    messages: int
    size: int
    unnamed: int


def subject_table(rows: Sequence[MessageCount], totals: Totals, screen: Screen) -> str:
    """The `rows`, and a last one for everything."""
    more = "+" if totals.unnamed else ""
    show = partial(shortened, columns=_SUBJECT) if screen.terminal else visible_line
    cells = [[show(row.subject), f"{row.messages:,}", format_bytes(row.size)] for row in rows]
    last = f"All {totals.subjects:,}{more} subjects" if totals.subjects != 1 else "All of 1 subject"
    cells.append([last, f"{totals.messages:,}", format_bytes(totals.size)])
    title = f"Top {len(rows)} of {totals.subjects:,}{more} subjects"
    return show_table(title, ["Subject", "Messages", "Bytes"], cells, screen)


def subject_lines(rows: Sequence[MessageCount], *, ascii_only: bool) -> str:
    """The `rows` as JSON, one object a line."""
    return "".join(
        json.dumps(
            {"subject": replaced(row.subject), "messages": row.messages, "bytes": row.size},
            ensure_ascii=ascii_only,
        )
        + "\n"
        for row in rows
    )
