"""What a command says of itself, beside click: its help is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from natscli.cli.pages import Section


class Explained:
    """A command whose help has `examples` (command lines, each with what it does) and ends with `notes`."""

    examples: Mapping[str, str]
    notes: str
    #: How many examples `-h` shows.
    short_examples = 2
    #: Whether `-h` names the exit statuses.
    names_exits = False

    def appendix(self) -> tuple[Section, ...]:
        """More tables for the end of `--help`."""
        return ()


class Listed:
    """A group whose commands are in a `table` (name: module and line of help) and may have `aliases`."""

    table: dict[str, tuple[str, str]]
    aliases: dict[str, str]
