"""One timer that many things share."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

from natscli.alarm import Alarm


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop that waits for nothing: its time is that of the next timer."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Skipping(self))

    def time(self) -> float:
        return self._now

    def skip(self, seconds: float) -> None:
        """Let these seconds be over."""
        self._now += seconds


class _Skipping(selectors.DefaultSelector):
    def __init__(self, loop: SkippingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        self._loop.skip(timeout or 0.0)
        return super().select(0)


def rings(plan: Callable[[Alarm], None]) -> list[float]:
    """When an alarm rang that `plan` sets, in seconds."""

    async def run() -> list[float]:
        loop, rang = asyncio.get_running_loop(), list[float]()
        plan(Alarm(lambda: rang.append(loop.time())))
        await asyncio.sleep(10)
        return rang

    loop = SkippingLoop()
    try:
        return loop.run_until_complete(run())
    finally:
        loop.close()


def test_it_rings_once_at_the_earliest_time() -> None:
    def plan(alarm: Alarm) -> None:
        for seconds in (2.0, 1.0, 3.0):
            alarm.set(seconds)
        alarm.set(None)

    assert rings(plan) == [1.0]


def test_it_does_not_ring_when_it_is_cancelled_and_can_be_set_again() -> None:
    def plan(alarm: Alarm) -> None:
        alarm.set(1.0)
        alarm.cancel()
        alarm.cancel()
        alarm.set(2.0)

    assert rings(plan) == [2.0]
