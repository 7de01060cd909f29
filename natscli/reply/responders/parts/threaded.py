"""The base of responders that answer one request at a time, in threads."""

from __future__ import annotations

from abc import abstractmethod

from natscli.message.message import Message
from natscli.reply.responders.parts.workers import Workers
from natscli.reply.responders.responder import Batch, Done, Failure, Host, Responder

#: A reply, and what went wrong.
Answered = tuple[Message, "Failure | None"]
#: A single request, what to call with its reply, and the bytes that the reply may have.
_Job = tuple[Batch, Done, int]


class Threaded(Responder):
    """Calls `answer` in at most `concurrency` threads."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._workers: Workers[_Job, Answered] | None = None

    async def start(self, host: Host) -> None:
        self._host = host
        self._workers = Workers(self._concurrency, self._answer, _finish)

    @abstractmethod
    def answer(self, request: Message, number: int, limit: int) -> Answered:
        """The reply, of `limit` bytes at most, and what went wrong; called in a thread, must not raise."""

    def respond(self, batch: Batch, done: Done) -> None:
        assert self._workers is not None
        limit = self._host.max_payload
        self._workers.submit((one, done, limit) for one in batch.single())

    def _answer(self, job: _Job) -> Answered:
        batch, _, limit = job
        return self.answer(batch.requests[0], batch.first, limit)

    def kill(self) -> None:
        if self._workers is not None:
            self._workers.stop()


def _finish(job: _Job, answer: Answered) -> None:
    (batch, done, _), (reply, failure) = job, answer
    done(batch, [reply], failure)
