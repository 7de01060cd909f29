"""The base of responders that answer one request at a time, in threads."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial

from natscli.message.message import Message
from natscli.reply.responders.parts.workers import Workers
from natscli.reply.responders.responder import Batch, Done, Failure, Host, Responder

#: A reply, and what went wrong.
Answered = tuple[Message, "Failure | None"]


class Threaded(Responder):
    """Calls `answer` in at most `concurrency` threads."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._workers: Workers[Answered] | None = None

    async def start(self, host: Host) -> None:
        self._host = host
        self._workers = Workers(self._concurrency)

    @abstractmethod
    def answer(self, request: Message, number: int, limit: int) -> Answered:
        """The reply, of `limit` bytes at most, and what went wrong; called in a thread, must not raise."""

    def respond(self, batch: Batch, done: Done) -> None:
        assert self._workers is not None
        limit = self._host.max_payload
        for one in batch.single():
            job = partial(self.answer, one.requests[0], one.first, limit)
            self._workers.submit(job, partial(_finish, one, done))

    def kill(self) -> None:
        if self._workers is not None:
            self._workers.stop()


def _finish(batch: Batch, done: Done, answer: Answered) -> None:
    reply, failure = answer
    done(batch, [reply], failure)
