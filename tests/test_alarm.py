"""One timer that many things share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from natscli.alarm import Alarm


def assert_rings(plan: Callable[[Alarm, float], None], expected: list[int]) -> None:
    """An alarm that `plan` sets rings at these times, in twentieths of a second; one try of five is enough."""

    async def run() -> list[float]:
        loop = asyncio.get_running_loop()
        start, rang = loop.time(), []
        alarm = Alarm(lambda: rang.append(loop.time() - start))
        plan(alarm, start)
        await asyncio.sleep(0.15)
        return rang

    seen: list[list[int]] = []
    while expected not in seen and len(seen) < 5:
        seen.append([int(time * 20) for time in asyncio.run(run())])
    assert expected in seen, seen


def test_it_rings_once_at_the_earliest_time() -> None:
    def plan(alarm: Alarm, now: float) -> None:
        for seconds in (0.1, 0.05, 0.12):
            alarm.set(now + seconds)
        alarm.set(None)

    assert_rings(plan, [1])


def test_it_does_not_ring_when_it_is_cancelled_and_can_be_set_again() -> None:
    def plan(alarm: Alarm, now: float) -> None:
        alarm.set(now + 0.01)
        alarm.cancel()
        alarm.cancel()
        alarm.set(now + 0.1)

    assert_rings(plan, [2])
