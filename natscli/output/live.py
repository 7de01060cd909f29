"""What is drawn at the end of a terminal again and again, below the lines of the log."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import BinaryIO

#: Draws for a terminal of so many columns.
Draw = Callable[[int], str]


class Live:
    """The last lines of `terminal`. All methods are called in the thread that writes to it."""

    def __init__(self, terminal: BinaryIO) -> None:
        self._terminal = terminal
        self._text = b""
        self._drawn = 0
        self._changed = False

    def update(self, draw: Draw) -> None:
        """Draw this from now on; `wrap` gives it."""
        self._text = draw(self._columns()).encode("utf-8", "replace")
        self._changed = True

    def wrap(self, log: bytes) -> bytes:
        """`log` above what is drawn; nothing, if neither is new."""
        if not log and not self._changed:
            return b""
        erase = b"\x1b[%dF\x1b[J" % self._drawn if self._drawn else b""
        self._drawn, self._changed = self._text.count(b"\n"), False
        return erase + log + self._text

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._terminal.fileno()).columns or 80
        except (OSError, ValueError):
            return 80
