"""`--timings`: the phases of a run, from the start of connecting to the last reply, and whose time that was."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import perf_counter_ns
from typing import NamedTuple

from natscli.connection.connection import Connection
from natscli.errors import PynatsError
from natscli.message.recipe import Outgoing
from natscli.request.events import Observer, Received
from natscli.wire.nats_py import errors as nats_errors

#: How long (seconds) to wait for the PONG after the run.
_PONG_TIMEOUT = 2.0


class Phases(NamedTuple):
    """Nanoseconds of each phase by its name, in order; they follow each other without a gap.

    `ping` is the RTT to the server, and `service` what is left of the time to the first reply without it: the
    responder's, and the network's between it and the server; each 0 if it is not known.
    """

    lengths: Mapping[str, int]
    ping: int
    service: int


class Timed:
    """Observes for `observer`, and takes the time of what it shows, and of a PING beside the first request."""

    def __init__(self, observer: Observer, connection: Connection) -> None:
        self.broken = observer.broken
        self._observer = observer
        self._connection = connection
        self._sent = self._first = self._last = 0
        self._rtt = self._ping = 0
        self._beside: asyncio.Task[None] | None = None

    def catch_up(self, in_flight: int) -> None:
        """See `events.Observer`."""
        self._observer.catch_up(in_flight)

    def is_behind(self) -> bool:
        """See `events.Observer`."""
        return self._observer.is_behind()

    def sending(self, requests: Sequence[Outgoing]) -> None:
        """See `events.Observer`."""
        if not self._sent:
            self._sent = perf_counter_ns()
            # It starts when the request is written, so the PING is right behind it.
            self._beside = asyncio.get_running_loop().create_task(self._measure())
        self._observer.sending(requests)

    def replies(self, replies: Sequence[Received]) -> None:
        """See `events.Observer`."""
        self._last = perf_counter_ns()
        if not self._first:
            self._first, self._rtt = self._last, replies[0].rtt_ns
        self._observer.replies(replies)

    def failed(self, requests: Sequence[Outgoing], error: PynatsError) -> None:
        """See `events.Observer`."""
        self._observer.failed(requests, error)

    async def finish(self) -> Phases:
        """The phases; sends a second PING, and takes the shorter time."""
        if self._beside is not None:
            await self._measure()
            self._beside.cancel()
        marks = {**self._connection.steps, "sent": self._sent, "first": self._first, "last": self._last}
        service = max(self._rtt - self._ping, 0) if self._rtt and self._ping else 0
        return Phases(lengths({name: at for name, at in marks.items() if at}), self._ping, service)

    async def _measure(self) -> None:
        start = perf_counter_ns()
        with suppress(asyncio.TimeoutError, OSError, nats_errors.Error):
            await self._connection.client.flush(timeout=_PONG_TIMEOUT)
            took = perf_counter_ns() - start
            self._ping = min(self._ping, took) if self._ping else took


def lengths(marks: Mapping[str, int]) -> dict[str, int]:
    """The length of each phase that ended; `marks` are when its ends were reached (see `Connection.steps`)."""
    found: dict[str, int] = {}
    tls = marks.get("tls_done", 0) - marks.get("tls_started", 0)
    last = marks["began"]
    for mark, name in (
        ("started", "other servers"),
        ("resolved", "resolve"),
        ("connected", "connect"),
        ("ready", "greeting"),
        ("sent", "subscribe"),
        ("first", "first reply"),
        ("last", "last reply"),
    ):
        if mark not in marks:
            continue
        length, last = marks[mark] - last, marks[mark]
        if mark == "ready" and "connected" not in marks:  # over WebSockets, these are not known apart
            name = "connect"
        if mark == "ready" and tls > 0:
            found["TLS"], length = tls, length - tls
        if length or mark != "last":
            found[name] = length
    return found
