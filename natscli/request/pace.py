"""When the next request may be sent: at once, or when it is due; until the duration is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from natscli.request.load import Load


class Pace:
    """Says when requests are due, and wakes the requester when the next one is. Times of `perf_counter_ns`.

    Of the request that was last found to be due, `due_ns` is when that was, 0 in a closed loop, and `is_late` is
    whether it was held back, as many as allowed being in flight. `over` is whether no more are sent.
    """

    def __init__(self, load: Load, wake: Callable[[], None]) -> None:
        self.over = self.is_late = False
        self.due_ns = 0
        self._schedule = load.schedule
        self._duration = round(load.duration * 1e9)
        self._first_counted = load.warmup + 1
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._start = self._end = self._index = self._held_back = 0

    @property
    def is_open(self) -> bool:
        """Whether it is an open loop: latency counts from when a request was due."""
        return self._schedule is not None

    def is_due(self, now: int) -> bool:
        """Whether the next request is due; if not, `wake` is called when it is."""
        due = now
        if self._schedule is not None:
            self._start = self._start or now
            due = self._start + self._schedule.due(self._index)
        if self.over or (self._end and due >= self._end):
            self.over = True
            return False
        if due > now:
            self.wake_in((due - now) / 1e9)
            return False
        if self._schedule is not None:
            self.due_ns, self.is_late = due, due <= self._held_back
        return True

    def took(self, number: int, now: int) -> None:
        """Request `number`, from 1, was taken to be sent."""
        self._index += bool(self._start)
        if number >= self._first_counted and self._duration and not self._end:
            self._end = (self.due_ns or now) + self._duration
            self._loop.call_later((self._end - now) / 1e9, self._finish)

    def held_back(self, now: int) -> None:
        """As many as allowed were in flight until now."""
        self._held_back = now

    def wake_in(self, seconds: float) -> None:
        """Call `wake` after so long; a call that is planned already, and comes sooner, is enough."""
        when = self._loop.time() + seconds
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._wake()

    def _finish(self) -> None:
        self.over = True
        self._wake()
