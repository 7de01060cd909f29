"""What cannot be seen because the connection was cut: how often, for how long, how many messages."""

from __future__ import annotations

from collections.abc import Iterator

from natscli.duration import format_duration


class Gaps:
    """Adds up disconnections. Times in seconds of one clock.

    `missed` counts the messages that a server had for a connection when it closed it, beyond those that were received;
    `reasons` has why it did, in its words.
    """

    def __init__(self) -> None:
        self.times = 0
        self.seconds = 0.0
        self.missed = 0
        self.reasons: list[str] = []
        self._began: float | None = None

    def begin(self, now: float) -> None:
        """The connection was lost."""
        if self._began is None:
            self.times += 1
            self._began = now

    def end(self, now: float) -> None:
        """There is a connection again, or it is over; without a gap that began, nothing."""
        if self._began is not None:
            self.seconds += now - self._began
            self._began = None

    def told(self, reason: str, had: int, received: int) -> None:
        """The server says why it has closed the connection, and how many messages it `had`."""
        self.missed += max(had - received, 0)
        if reason and reason not in self.reasons:
            self.reasons.append(reason)

    def summary(self) -> Iterator[str]:
        """What was not seen, as a line; nothing without a gap."""
        if not self.times:
            return
        parts = [f"what came in {format_duration(float(f'{self.seconds:.3g}'))} without a connection"]
        if self.missed:
            parts.append(f"{self.missed:,} messages that the server had for it")
        reasons = f" ({', '.join(self.reasons)})" if self.reasons else ""
        yield f"Not seen: {', and '.join(parts)}; disconnections: {self.times}{reasons}"
