"""Gathers single replies, so that those that are ready together are sent with one write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from natscli.message.message import Message
from natscli.reply.responders.responder import Done, Failure, batch


class Job(NamedTuple):
    """A request that is answered by itself: its number, when it arrived, what to call with the reply, and its place."""

    request: Message
    number: int
    arrived: int
    done: Done
    place: int = 0


class Finished:
    """Calls `done` for consecutive requests together, at the end of a turn of the event loop.

    `told` is called with all requests before.
    """

    def __init__(self, told: Callable[[Sequence[Message]], object] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._told = told
        self._ended: list[tuple[tuple[Message, int, int, Done, int], Message, Failure | None]] = []

    def add(
        self, job: tuple[Message, int, int, Done, int], reply: Message, failure: Failure | None = None
    ) -> None:
        """`job` is answered, perhaps with an error; it may be a plain tuple, which is made in a third of the time."""
        if not self._ended:
            self._loop.call_soon(self.flush)
        self._ended.append((job, reply, failure))

    def flush(self) -> None:
        """Send what has been gathered."""
        if not self._ended:
            return
        ended, self._ended = self._ended, []
        jobs, replies, failures = zip(*ended, strict=True)
        requests, numbers, arrived, dones, places = zip(*jobs, strict=True)
        if self._told is not None:
            self._told(requests)
        start, last = 0, len(ended)
        while start < last:
            end = last if not start and _is_run(numbers, dones, failures) else start + 1
            while (
                end < last
                and numbers[end] == numbers[end - 1] + 1
                and dones[end] is dones[start]
                and failures[end] == failures[start]
            ):
                end += 1
            those = batch(list(requests[start:end]), numbers[start], arrived[start], places[start:end])
            dones[start](those, list(replies[start:end]), failures[start])
            start = end


def _is_run(numbers: tuple[int, ...], dones: tuple[Done, ...], failures: tuple[Failure | None, ...]) -> bool:
    """Whether all requests follow each other and ended in the same way, as mostly: C code can see it."""
    count = len(numbers)
    in_order = numbers == tuple(range(numbers[0], numbers[0] + count))
    return in_order and failures.count(None) == count and dones.count(dones[0]) == count
