"""Shows what happens to requests in rounds, so that drawing and receiving take turns.

A reply that waits in the socket while another is drawn seems to come late. So under load, what happens is collected
for a tenth of a second, then no more requests are sent until it is rendered. With less to show, all is shown at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial

from natscli.message.message import AROUND, memory
from natscli.output.pump import Pump
from natscli.request.events import Event, Prerendered, Received
from natscli.request.show.lines import RenderEvents

#: Seconds from one round to the next, and how long the replies to what was sent before may take to come.
_ROUND = 0.1
_GRACE = 0.005
#: Seconds from one round to the next where requests are sent at a rate: a pause would delay them, so all is shown as it
#: comes, little at a time. To regular files it is written between requests, so even less at a time.
_STEADY, _DIRECT = 0.005, 0.001
#: So few events are rendered without a pause, which they would not fill.
_FEW = 64
#: Events and bytes (about) of one round, and of one part of it: between parts, an interrupt ends it.
_MOST_EVENTS, _MOST_BYTES = 20_000, 4 * 1024 * 1024
_PART_EVENTS, _PART_BYTES = 2_000, 256 * 1024


class Rounds:
    """Collects events, and has `pump` show them, in order, with `render`."""

    def __init__(self, pump: Pump, render: RenderEvents, *, steady: bool = False) -> None:
        self._pump = pump
        self._steady = steady
        self._render = render
        self._loop = asyncio.get_running_loop()
        self._events: list[Event] = []
        self._bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._last = 0.0
        self._due = self._pausing = False

    @property
    def is_behind(self) -> bool:
        """Whether no more requests should be sent now."""
        return self._due or self._pausing or self._pump.behind

    def catch_up(self, in_flight: int) -> None:
        """End a round that is full, and show what is due if no reply could come meanwhile: none are `in_flight`."""
        full = len(self._events) > _MOST_EVENTS or self._bytes > _MOST_BYTES
        if full and not self._due and self._timer is not None:
            self._timer.cancel()
            self._on_time()
        if self._due and not in_flight:
            self.flush()
        self._pausing = self._pausing and self._pump.rendering

    def add(self, events: Sequence[Event]) -> None:
        """Show `events`, soon."""
        self._events += events
        self._bytes += sum(map(_size, events))
        if self._timer is None:
            pause = _DIRECT if self._pump.direct else _STEADY if self._steady else _ROUND
            self._timer = self._loop.call_at(self._last + pause, self._on_time)

    def flush(self) -> None:
        """Show all that was collected."""
        if self._timer is not None:
            self._timer.cancel()
        self._pausing, self._due = self._due, False
        self._timer, self._last = None, self._loop.time()
        events, self._events = self._events, []
        size, self._bytes = self._bytes, 0
        few = len(events) <= _FEW and not (self._pump.direct or self._steady)
        if few or len(events) > _PART_EVENTS or size > _PART_BYTES:
            # A few, one by one: the log is written before the payload of each, not before those of all.
            for part, part_size in _parts(events, 1 if few else _PART_EVENTS):
                self._put(part, part_size)
        else:
            self._put(events, size)

    def _put(self, events: list[Event], size: int) -> None:
        if events:
            self._pump.put(partial(self._render, events), len(events), size)

    def discard(self) -> None:
        """Show no more of what was collected; what is added later is shown."""
        self.flush()
        self._pump.discard()

    def _on_time(self) -> None:
        if self._due or self._steady or self._pump.direct or len(self._events) <= _FEW:
            self.flush()
        else:
            self._due = True
            self._timer = self._loop.call_later(_GRACE, self._on_time)


def _parts(events: list[Event], most: int) -> Iterator[tuple[list[Event], int]]:
    part: list[Event] = []
    size = 0
    for event in events:
        part.append(event)
        size += _size(event)
        if size > _PART_BYTES or len(part) >= most:
            yield part, size
            part, size = [], 0
    if part:
        yield part, size


def _size(event: Event) -> int:
    """About the bytes of memory that an event takes."""
    if isinstance(event, Received):
        return (
            len(event.payload) + len(event.header or b"") + AROUND
        )  # `memory`, without a call for each reply
    return memory(event.log, event.data) if isinstance(event, Prerendered) else memory(None, b"")
