"""Lines of a log that another program writes: the first of each second are shown, the others are counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

#: Lines in one second.
_MOST = 100


class LimitedLog:
    """Shows lines with `show`; in its place those that are too many of one second become one line with their number."""

    def __init__(self, show: Callable[[str], None], what: str) -> None:
        """`what` names the lines in the plural: `lines of stderr`."""
        self._show = show
        self._what = what
        self._lines = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, line: Callable[[], str]) -> None:
        """One more line, which is only made if it is shown."""
        self._lines += 1
        if self._lines <= _MOST:
            self._show(line())
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(1.0, self.flush)

    def flush(self) -> None:
        """Say the number of lines that were not shown, and begin a new second."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._lines > _MOST:
            self._show(f"{self._what} not shown: {self._lines - _MOST}")
        self._lines = 0
