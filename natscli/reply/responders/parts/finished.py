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
        self._jobs: list[Job] = []
        self._replies: list[Message] = []
        self._next = -1
        self._failure: Failure | None = None

    def add(self, job: Job, reply: Message, failure: Failure | None = None) -> None:
        """`job` is answered, perhaps with an error."""
        if not self._jobs:
            self._loop.call_soon(self.flush)
        elif job.number != self._next or job.done is not self._jobs[0].done or failure != self._failure:
            self.flush()
        self._next = job.number + 1
        self._failure = failure
        self._jobs.append(job)
        self._replies.append(reply)

    def flush(self) -> None:
        """Send what has been gathered."""
        if self._jobs:
            jobs, replies = self._jobs, self._replies
            self._jobs, self._replies = [], []
            _, first, arrived, done = jobs[0]
            done(Batch([job.request for job in jobs], first, arrived), replies, self._failure)
