"""What a listener calls when its statistics may be shown."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from natscli.output.pump import Pump


class Reporter:
    """What a listener calls to show statistics; this one shows none."""

    interval = 0.0
    #: What the pump that writes the log wraps it with, and the turns it takes; see `Pump`.
    wrap: Callable[[bytes], bytes] | None = None
    turn: AbstractContextManager[object] | None = None

    def begin(self, pump: Pump) -> None:
        """All is subscribed to."""

    def tick(self) -> None:
        """Called every `interval` seconds, unless that is 0."""

    def write(self) -> None:
        """A signal asks for the statistics."""

    def end(self) -> None:
        """All is over; called before the output is closed."""

    def summarize(self) -> None:
        """Called after it."""
