"""Drawing and receiving take turns."""

from __future__ import annotations

import asyncio
import io
import os
import threading
import time
from collections.abc import Sequence

from natscli.environment import Environment
from natscli.output.pump import Pump, Rendered
from natscli.request.events import Event, Prerendered
from natscli.request.show import rounds as rounds_module
from natscli.request.show.rounds import Rounds
from tests.program import until


class Screen:
    """A pipe that is read at once, and the numbers of events that were rendered together."""

    def __init__(self, slow: float = 0.0) -> None:
        self.rendered: list[int] = []
        self._slow = slow
        reader, writer = os.pipe()
        self._out = os.fdopen(writer, "wb")
        self._reader = os.fdopen(reader, "rb")
        self.pump = Pump(
            Environment(io.BytesIO(), self._out, self._out, {}), lossy=False, on_failure=lambda error: None
        )
        self.rounds = Rounds(self.pump, self._render)
        self.shown = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _render(self, events: Sequence[Event]) -> Rendered:
        self.rendered.append(len(events))
        time.sleep(self._slow)
        return b"", b"".join([event.data for event in events if isinstance(event, Prerendered)])

    def _read(self) -> None:
        while chunk := os.read(self._reader.fileno(), 65536):
            self.shown += chunk

    def is_behind(self, in_flight: int) -> bool:
        """As a requester asks it."""
        self.rounds.catch_up(in_flight)
        return self.rounds.is_behind

    def close(self) -> bytes:
        self.rounds.flush()
        self.pump.close()
        self._out.close()
        self._thread.join()
        self._reader.close()
        return self.shown


def line(number: int) -> Prerendered:
    return Prerendered(b"", b"%d\n" % number)


async def until_shown(screen: Screen, count: int) -> None:
    deadline = time.monotonic() + 30
    while sum(screen.rendered) < count:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)


def test_a_first_event_is_shown_without_a_pause() -> None:
    async def run() -> None:
        screen = Screen()
        screen.rounds.add([line(1)])
        await asyncio.sleep(0)
        assert not screen.is_behind(1)
        await until_shown(screen, 1)
        assert screen.close() == b"1\n"

    asyncio.run(run())


def test_many_are_rendered_together_while_no_more_is_to_be_sent() -> None:
    async def run() -> None:
        screen = Screen(slow=0.05)
        screen.rounds.add([line(0)])
        await until_shown(screen, 1)
        for number in range(1, 501):
            screen.rounds.add([line(number)])
        assert not screen.is_behind(1)  # it may go on until the round is over
        was_behind = []
        while sum(screen.rendered) < 501:
            was_behind.append(screen.is_behind(1))
            await asyncio.sleep(0.002)
        assert was_behind[-1:] == [True]
        assert screen.rendered == [1, 500]
        assert screen.close() == b"".join(b"%d\n" % number for number in range(501))

    asyncio.run(run())


def test_a_round_is_rendered_at_once_when_nothing_is_in_flight_that_could_have_to_wait() -> None:
    async def run() -> None:
        screen = Screen()
        screen.rounds.add([line(0)])
        await until_shown(screen, 1)
        for number in range(1, 101):
            screen.rounds.add([line(number)])
        deadline = time.monotonic() + 30
        while not screen.is_behind(1):
            assert time.monotonic() < deadline
            await asyncio.sleep(0)
        screen.rounds.catch_up(0)  # without another turn of the event loop
        while sum(screen.rendered) < 101:
            assert time.monotonic() < deadline
            time.sleep(0.002)  # in which no timer of the event loop ends
        assert screen.close().count(b"\n") == 101

    asyncio.run(run())


def test_a_round_that_is_full_is_over() -> None:
    """Nothing more is sent until a round is shown: one that is full before its time must not wait for that."""

    async def run() -> None:
        screen = Screen()
        screen.rounds.add([line(0)])
        await until_shown(screen, 1)
        for number in range(1, 25_001):
            screen.rounds.add([line(number)])
        screen.rounds.catch_up(0)  # without another turn of the event loop
        deadline = time.monotonic() + 30
        while sum(screen.rendered) < 25_001:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        while screen.is_behind(0):  # until the last part is written
            assert time.monotonic() < deadline
            time.sleep(0.002)
        assert screen.close().count(b"\n") == 25_001

    asyncio.run(run())


def test_a_few_events_do_not_stop_the_sending() -> None:
    async def run() -> None:
        screen = Screen(slow=0.02)
        for number in range(20):
            screen.rounds.add([line(number)])
            await asyncio.sleep(0.01)
            assert not screen.is_behind(1)
        assert screen.close().count(b"\n") == 20

    asyncio.run(run())


def test_a_large_round_is_rendered_in_parts_in_order() -> None:
    async def run() -> None:
        screen = Screen()
        screen.rounds.add([line(0)])
        await until_shown(screen, 1)
        count = rounds_module._PART_EVENTS * 3
        for number in range(1, count + 1):
            screen.rounds.add([line(number)])
        screen.rounds.flush()
        await until_shown(screen, count + 1)
        assert len(screen.rendered) > 3
        assert screen.close() == b"".join(b"%d\n" % number for number in range(count + 1))

    asyncio.run(run())


def test_what_is_discarded_is_not_shown() -> None:
    async def run() -> None:
        screen = Screen()
        screen.rounds.add([line(0)])
        await until_shown(screen, 1)
        until(lambda: screen.shown == b"0\n")
        screen.rounds.add([line(1)])
        screen.rounds.discard()
        screen.rounds.add([line(2)])
        assert screen.close().splitlines()[::2] == [b"0", b"2"]

    asyncio.run(run())
