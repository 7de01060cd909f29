"""How fast to send: at once, at a rate, or with a pause after each message."""

from __future__ import annotations

from math import inf

#: What a rate makes up for after it was held up, in seconds of it: more would be a burst.
_CATCH_UP = 0.1


class Pace:
    """One message each `interval` seconds, 0 for as fast as it goes; one that was late may be made up for, up to
    `catch_up` seconds of them. Times are those of a clock that begins with 0.
    """

    def __init__(self, interval: float = 0.0, catch_up: float = 0.0) -> None:
        self._interval = interval
        self._catch_up = catch_up
        self.due = 0.0

    @classmethod
    def rate(cls, a_second: float) -> Pace:
        """The pace of `a_second` messages a second."""
        return cls(1 / a_second, _CATCH_UP)

    def allowed(self, now: float) -> float:
        """How many may be sent now; none before `due`."""
        if not self._interval:
            return inf
        self.due = max(self.due, now - self._catch_up)
        return int((now - self.due) / self._interval) + 1 if now >= self.due else 0

    def sent(self, count: int) -> None:
        """Take note that `count` messages were sent."""
        self.due += count * self._interval
