"""A log whose lines something else writes."""

from __future__ import annotations

import asyncio

from natscli.reply.responders.parts.limited_log import LimitedLog


def test_lines_of_one_second_are_bounded_and_the_rest_counted() -> None:
    shown: list[str] = []
    made: list[int] = []

    def line(number: int) -> str:
        made.append(number)
        return f"line {number}"

    async def flood() -> None:
        log = LimitedLog(shown.append, "more lines")
        for number in range(1000):
            log.add(lambda number=number: line(number))  # type: ignore[misc]
        while len(shown) < 101:
            await asyncio.sleep(0.02)
        log.add(lambda: "the next second")
        log.flush()

    asyncio.run(asyncio.wait_for(flood(), 30))
    assert made == list(range(100))
    assert shown[99:] == ["line 99", "more lines not shown: 900", "the next second"]
