"""A progress bar on one line of the terminal that stderr is: drawn with rich, written in its place among the log."""

from __future__ import annotations

import io
from typing import BinaryIO

from rich.console import Console
from rich.progress_bar import ProgressBar

from natscli.duration import format_duration
from natscli.system.terminal import terminal_size

#: The line is emptied, and the cursor is at its beginning.
_CLEAR = "\r\x1b[2K"
_NARROW = 10


class Progress:
    """Bars for a run of `count` requests, or of `duration` seconds, or what comes first of both; 0 for no such end."""

    def __init__(self, stream: BinaryIO, *, count: int, duration: float, colored: bool) -> None:
        self._stream = stream
        self._count = count
        self._duration = duration
        self._console = Console(
            file=io.StringIO(), force_terminal=True, color_system="standard" if colored else None,
            highlight=False, legacy_windows=False, _environ={},
        )  # fmt: skip
        self._before = (0.0, 0)

    def frame(self, done: int, failed: int, seconds: float) -> bytes:
        """The line in place of the one before: after `seconds`, `done` requests have ended, `failed` of them badly."""
        before, done_before = self._before
        rate = (done - done_before) / (seconds - before) if seconds > before else 0.0
        self._before = seconds, done
        part = max(
            done / self._count if self._count else 0.0, seconds / self._duration if self._duration else 0.0
        )
        part = min(part, 1.0)
        left = format_duration(round(seconds * (1 - part) / part)) if part else "?"
        text = f" {part:>4.0%}  {done:,} done, {failed:,} failed, {rate:,.0f}/s, {left} left"
        width = terminal_size(self._stream).columns - len(text) - 1
        bar = self._drawn(part, width) if width >= _NARROW else ""
        return f"{_CLEAR}{bar}{text if bar else text.lstrip()}".encode()

    def _drawn(self, part: float, width: int) -> str:
        with self._console.capture() as capture:
            self._console.print(ProgressBar(total=1.0, completed=part, width=width), end="")
        return capture.get()
