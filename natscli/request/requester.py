"""Sends requests and gathers replies: one inbox for all, as many in flight as asked for."""

from __future__ import annotations

import asyncio
from array import array
from collections import Counter
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Protocol

from natscli.connection import Connection
from natscli.duration import format_duration
from natscli.errors import (
    InputError,
    InterruptedByUserError,
    NoReplyError,
    NoRespondersError,
    PynatsError,
    RefusedError,
    ServiceError,
)
from natscli.message import headers
from natscli.output.replies import Reply
from natscli.request.source import Question, Source
from natscli.signals import on_signals
from natscli.wire import Message


@dataclass(frozen=True)
class Expectation:
    """When a request is done. Times in seconds.

    `replies` many replies, 0 for all that come within `timeout`; the first within `first`, each later one within
    `gap` of the one before; with `until_empty`, as many as come until an empty one.
    """

    replies: int
    timeout: float
    first: float
    gap: float
    until_empty: bool = False


class Display(Protocol):
    """Who wants to know what happens to the requests."""

    def sending(self, question: Question) -> None:
        """A request is about to be written."""

    def reply(self, reply: Reply) -> None:
        """A reply came."""

    def failed(self, question: Question, error: PynatsError) -> None:
        """A request ended without what it asked for."""

    @property
    def behind(self) -> bool:
        """Whether no more should be sent until what came is shown."""


class _Pending:
    """A request in flight."""

    __slots__ = ("deadline", "error", "question", "replies", "sent_ns", "timer")

    def __init__(self, question: Question, sent_ns: int) -> None:
        self.question = question
        self.sent_ns = sent_ns
        self.replies = 0
        self.error: PynatsError | None = None
        self.deadline = 0.0
        self.timer: asyncio.TimerHandle | None = None


@dataclass
class Tally:
    """What became of the requests. `rtts` in nanoseconds, of each request's first reply."""

    sent: int = 0
    answered: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    rtts: array[int] = field(default_factory=lambda: array("q"))
    first_failure: PynatsError | None = None


class Requester:
    """Sends what a source gives and gathers the replies, until all is done."""

    def __init__(
        self,
        connection: Connection,
        source: Source,
        expectation: Expectation,
        display: Display,
        concurrency: int,
    ) -> None:
        self._connection = connection
        self._client = connection.client
        self._source = source
        self._expect = expectation
        self._display = display
        self._concurrency = concurrency
        self._loop = asyncio.get_running_loop()
        self._pending: dict[bytes, _Pending] = {}
        self._prefix = b""
        self._next_token = 0
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._waiting = False
        self.tally = Tally()

    async def run(self) -> None:
        """Send everything and wait for what was asked for; failures are in `tally`.

        Raises:
            PynatsError: the connection was lost, or an interrupt (status 130).
        """
        inbox = self._client.new_inbox()
        self._prefix = f"{inbox}.".encode()
        await self._client.subscribe_batches(f"{inbox}.*", "", self._on_batch)
        self._connection.on_refusal = self._on_refusal
        on_signals(self._interrupted, "SIGINT")
        self.fill()
        await asyncio.wait((self._done, self._connection.lost), return_when=asyncio.FIRST_COMPLETED)
        if self._done.done():
            self._done.result()
            return
        lost = self._connection.lost.result()
        for pending in list(self._pending.values()):
            self._fail(pending, lost)
        self.tally.first_failure = self.tally.first_failure or lost

    def fill(self) -> None:
        """Send as many requests as may be in flight; called whenever that may have changed."""
        outgoing: list[Message] = []
        while len(self._pending) < self._concurrency and not self._done.done():
            if self._display.behind:
                self._wait_for_display()
                break
            try:
                question = self._source.take()
            except InputError as error:
                self._done.set_exception(error)
                break
            if question is None:
                break
            pending = self._begin(question)
            if pending is not None:
                outgoing.append(pending)
        if outgoing:
            now = perf_counter_ns()
            for _, reply, _, _ in outgoing:
                self._pending[reply[len(self._prefix) :]].sent_ns = now
            self.tally.sent += len(outgoing)
            self._client.send(outgoing)
        if not self._pending and self._source.exhausted and not self._done.done():
            self._done.set_result(None)

    def _begin(self, question: Question) -> Message | None:
        size = len(question.payload) + (len(question.header) if question.header else 0)
        pending = _Pending(question, 0)
        if size > self._client.max_payload:
            self._count_failure(
                pending,
                InputError(f"the request has {size} bytes, the server takes {self._client.max_payload}"),
            )
            return None
        self._display.sending(question)
        token = b"%d" % self._next_token
        self._next_token += 1
        self._pending[token] = pending
        pending.deadline = self._loop.time() + self._expect.first
        pending.timer = self._loop.call_at(pending.deadline, self._timed_out, token)
        return (
            question.subject.encode("utf-8", "surrogateescape"),
            self._prefix + token,
            question.header,
            question.payload,
        )

    def _on_batch(self, batch: list[Message], arrived: int) -> None:
        cut = len(self._prefix)
        for subject, _, header, payload in batch:
            pending = self._pending.get(subject[cut:])
            if pending is not None:
                self._on_reply(subject[cut:], pending, header, payload, arrived)
        self.fill()

    def _on_reply(
        self, token: bytes, pending: _Pending, header: bytes | None, payload: bytes, arrived: int
    ) -> None:
        expect = self._expect
        if header is not None and not payload and headers.status(header) == "503":
            self._end(token, pending, NoRespondersError("no responders", where=pending.question.subject))
            return
        if expect.until_empty and not payload:
            self._end(token, pending, pending.error)
            return
        pending.replies += 1
        rtt = arrived - pending.sent_ns
        if pending.replies == 1:
            self.tally.rtts.append(rtt)
        question = pending.question
        self._display.reply(Reply(question.subject, question.number, pending.replies, rtt, header, payload))
        if header is not None and pending.error is None:
            pending.error = _service_error(header, question.subject)
        if pending.replies == expect.replies and not expect.until_empty:
            self._end(token, pending, pending.error)
        elif expect.replies or expect.until_empty:
            self._extend(token, pending, self._loop.time() + expect.gap)
        elif pending.replies == 1:
            self._extend(token, pending, pending.deadline - expect.first + expect.timeout)

    def _extend(self, token: bytes, pending: _Pending, deadline: float) -> None:
        if pending.timer is not None:
            pending.timer.cancel()
        pending.deadline = deadline
        pending.timer = self._loop.call_at(deadline, self._timed_out, token)

    def _timed_out(self, token: bytes) -> None:
        pending, expect = self._pending[token], self._expect
        error = pending.error
        if expect.until_empty:
            error = error or NoReplyError(
                f"{pending.replies} replies, and no empty one to end them", where=pending.question.subject
            )
        elif not pending.replies:
            within = format_duration(expect.first)
            error = NoReplyError(f"timeout: no reply within {within}", where=pending.question.subject)
        elif pending.replies < expect.replies:
            error = NoReplyError(
                f"timeout: {pending.replies} of {expect.replies} replies, none more within "
                f"{format_duration(expect.gap)}",
                where=pending.question.subject,
            )
        self._end(token, pending, error)
        self.fill()

    def _end(self, token: bytes, pending: _Pending, error: PynatsError | None) -> None:
        del self._pending[token]
        if pending.timer is not None:
            pending.timer.cancel()
        if error is None:
            self.tally.answered += 1
        else:
            self._count_failure(pending, error)

    def _count_failure(self, pending: _Pending, error: PynatsError) -> None:
        self.tally.failed[error.status.name.lower()] += 1
        self.tally.first_failure = self.tally.first_failure or error
        self._display.failed(pending.question, error)

    def _fail(self, pending: _Pending, error: PynatsError) -> None:
        for token in [token for token, other in self._pending.items() if other is pending]:
            self._end(token, pending, error)

    def _on_refusal(self, error: PynatsError) -> None:
        # The server names the subject it refused: `Permissions Violation for Publish to "x"`.
        refused = [
            p for p in self._pending.values() if f'"{p.question.subject}"'.lower() in error.what.lower()
        ]
        for pending in refused or list(self._pending.values()):
            self._fail(pending, RefusedError(error.what, where=error.where))
        self.fill()

    def _wait_for_display(self) -> None:
        if not self._waiting:
            self._waiting = True
            self._loop.call_later(0.01, self._display_ready)

    def _display_ready(self) -> None:
        self._waiting = False
        self.fill()

    def _interrupted(self) -> None:
        if not self._done.done():
            self._done.set_exception(InterruptedByUserError("interrupted"))


def _service_error(header: bytes, subject: str) -> PynatsError | None:
    """What the service says went wrong (ADR-32), if it does."""
    if b"ats-" not in header:
        return None
    pairs = {name.lower(): value for name, value in headers.decode(header)}
    text, code = pairs.get(headers.SERVICE_ERROR.lower()), pairs.get(headers.SERVICE_ERROR_CODE.lower())
    if text is None and code is None:
        return None
    shown = f"the service answered with error {code or ''}".rstrip() + (f": {text}" if text else "")
    return ServiceError(shown, where=subject)
