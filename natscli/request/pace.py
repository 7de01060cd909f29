"""When the next request may be sent: at once, or when it is due; until the duration is over.

The law of this file: it has no clock. Times are nanoseconds of one clock that the caller reads (`perf_counter_ns`).
"""

from __future__ import annotations

from natscli.request.load import Load


class Pace:
    """Says when requests are due.

    Of the request that was last found to be due, `due_ns` is when that was, 0 in a closed loop, and `is_late` is
    whether it was held back, as many as allowed being in flight.
    """

    def __init__(self, load: Load) -> None:
        self.is_late = False
        self.due_ns = 0
        self._schedule = load.schedule
        self._duration = round(load.duration * 1e9)
        self._first_counted = load.warmup + 1
        self._start = self._end = self._index = self._held_back = self._next_due = 0
        self._over = False

    @property
    def is_open(self) -> bool:
        """Whether it is an open loop: latency counts from when a request was due."""
        return self._schedule is not None

    def is_due(self, now: int) -> bool:
        """Whether the next request is due. The first is due at once, and begins the run."""
        due = now
        if self._schedule is not None:
            self._start = self._start or now
            due = self._start + self._schedule.due(self._index)
        if self._end and due >= self._end:
            self._over = True
        self._next_due = due
        if self._over or due > now:
            return False
        if self._schedule is not None:
            self.due_ns, self.is_late = due, due <= self._held_back
        return True

    def took(self, number: int, now: int) -> None:
        """Note that request `number`, from 1, was taken to be sent."""
        self._index += bool(self._start)
        if number >= self._first_counted and self._duration and not self._end:
            self._end = (self.due_ns or now) + self._duration

    def held_back(self, now: int) -> None:
        """Note that no more requests could be sent until `now`."""
        self._held_back = now

    def is_over(self, now: int) -> bool:
        """Whether no more requests are sent: the duration is over, or the next one is due after that."""
        return self._over or bool(self._end and now >= self._end)

    def next_wake(self, now: int) -> int | None:
        """When to ask again: when the next request that was not due yet is, or when the duration is over."""
        return min((time for time in (self._next_due, self._end) if time > now), default=None)
