"""Gathers single replies, so that those that are ready together are sent with one write."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from natscli.message.message import Message
from natscli.reply.responders.responder import Batch, Done, Failure


class Job(NamedTuple):
    """A request that is answered by itself: its number, when it arrived, and what to call with the reply."""

    request: Message
    number: int
    arrived: int
    done: Done


class Finished:
    """Calls `done` for consecutive requests together, at the end of a turn of the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended: list[tuple[tuple[Message, int, int, Done], Message, Failure | None]] = []

    def add(
        self, job: tuple[Message, int, int, Done], reply: Message, failure: Failure | None = None
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
        requests, numbers, arrived, dones = zip(*jobs, strict=True)
        start, last = 0, len(ended)
        for end in range(1, last + 1):
            if (
                end == last
                or numbers[end] != numbers[end - 1] + 1
                or dones[end] is not dones[start]
                or failures[end] != failures[start]
            ):
                batch = Batch(list(requests[start:end]), numbers[start], arrived[start])
                dones[start](batch, list(replies[start:end]), failures[start])
                start = end
