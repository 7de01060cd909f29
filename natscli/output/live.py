"""What is drawn at the end of a terminal again and again, below the lines of the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import BinaryIO, TypeVar

from natscli.environment import Environment
from natscli.output.streams import same_target
from natscli.system.terminal import terminal_size
from natscli.text import bytes_for_people

#: Draws for a terminal with the given number of columns.
Draw = Callable[[int], str]
T = TypeVar("T")


class Live:
    """The last lines of `terminal`. All methods are called in the thread that writes to it."""

    def __init__(self, terminal: BinaryIO) -> None:
        self._terminal = terminal
        self._text = b""
        self._drawn = 0
        self._changed = False

    @classmethod
    def on_stdout(cls, environment: Environment) -> Live | None:
        """What is drawn on stdout with `frame`; None if stdout cannot be drawn on."""
        return cls(environment.stdout) if environment.draws_on(environment.stdout) else None

    def wrapping(self, environment: Environment) -> Callable[[bytes], bytes] | None:
        """What a pump has to wrap the log with, if that goes to the same terminal."""
        return self.wrap if same_target(self._terminal, environment.stderr) else None

    def update(self, draw: Draw) -> None:
        """Draw this from now on; `wrap` gives it."""
        self._text = bytes_for_people(draw(terminal_size(self._terminal).columns))
        self._changed = True

    def frame(self, draw: Draw) -> bytes:
        """What draws this, in the place of what was drawn before."""
        self.update(draw)
        return self.wrap(b"")

    def fitting(self, table: Callable[[Sequence[T]], str], rows: Sequence[T]) -> str:
        """The `table` of as many of the first `rows` as the terminal has lines for, of one at least."""
        lines = terminal_size(self._terminal).lines
        shown = rows[:lines]
        text = table(shown)
        while len(shown) > 1 and (excess := text.count("\n") - lines + 1) > 0:
            shown = shown[: max(len(shown) - excess, 1)]
            text = table(shown)
        return text

    def wrap(self, log: bytes) -> bytes:
        """`log` above what is drawn; nothing, if neither is new."""
        if not log and not self._changed:
            return b""
        erase = b"\x1b[%dF\x1b[J" % self._drawn if self._drawn else b""
        self._drawn, self._changed = self._text.count(b"\n"), False
        return erase + log + self._text
