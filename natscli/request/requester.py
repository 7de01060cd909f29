"""Sends requests and gathers replies: one inbox for all, as many in flight as asked for."""

from __future__ import annotations

import asyncio
import os
import time
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Protocol

from natscli.connection.connect import Connection
from natscli.duration import format_duration
from natscli.errors import ErrorReplyError, InputError, NoReplyError, NoRespondersError, PynatsError
from natscli.message import headers
from natscli.message.recipe import Outgoing as Question
from natscli.message.source import Source
from natscli.message.subjects import check_publish_subject
from natscli.output.replies import Reply
from natscli.request.options import Expectation
from natscli.wire.protocol import Message

#: Questions taken before others get their turn: refused ones wait for no reply, and Ctrl-C must not wait for them.
_MOST_AT_ONCE = 256


class Display(Protocol):
    """Who wants to know what happens to the requests. Nothing in it may wait."""

    broken: asyncio.Future[PynatsError]
    """Done when nothing can be shown any more."""

    def sending(self, question: Question) -> None:
        """A request is about to be written."""

    def reply(self, reply: Reply) -> None:
        """A reply came."""

    def failed(self, questions: Sequence[Question], error: PynatsError) -> None:
        """Requests ended without what they asked for; no requests, when the whole run did."""

    @property
    def behind(self) -> bool:
        """Whether no more should be sent until what came is shown."""


class _Pending:
    """A request in flight."""

    __slots__ = ("deadline", "error", "question", "replies", "sent_ns", "token")

    def __init__(self, question: Question, token: bytes) -> None:
        self.question = question
        self.token = token
        self.deadline = 0.0
        self.sent_ns = 0
        self.replies = 0
        self.error: PynatsError | None = None


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
        self._checked_subject = ""
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._waiting = False
        self._tokens = _tokens()
        self._timer: asyncio.TimerHandle | None = None
        self.tally = Tally()

    async def run(self) -> None:
        """Send everything and wait for what was asked for; what failed was displayed, and is in `tally`."""
        inbox = self._client.new_inbox()
        self._prefix = f"{inbox}.".encode()
        self._connection.on_refusal = self._on_refusal
        await self._client.subscribe_batches(f"{inbox}.*", "", self._on_batch)
        for end in (self._connection.lost, self._display.broken):
            end.add_done_callback(lambda end: self._stop(end.result()))
        self._source.start(self._fill)
        self._fill()
        await self._done

    def _fill(self) -> None:
        """Send as many requests as may be in flight; called whenever that may have changed."""
        sent: list[_Pending] = []
        for _ in range(_MOST_AT_ONCE):
            if len(self._pending) >= self._concurrency or self._done.done():
                break
            if self._display.behind:
                self._fill_in(0.01)
                break
            try:
                question = self._source.take()
            except InputError as error:
                self._stop(error)
                break
            if question is None:
                break
            try:
                self._check(question)
            except InputError as error:
                self._fail([question], error)
            else:
                sent.append(self._begin(question))
        else:
            self._fill_in(0)
        if sent:
            messages = [self._message(pending) for pending in sent]
            now = perf_counter_ns()
            for pending in sent:
                pending.sent_ns = now
            self._client.send(messages)
            self.tally.sent += len(sent)
        if not self._pending and self._source.exhausted and not self._done.done():
            self._done.set_result(None)

    def _check(self, question: Question) -> None:
        """Raises InputError for a request that the server would not take."""
        if question.subject != self._checked_subject:
            check_publish_subject(question.subject)
            self._checked_subject = question.subject
        size = len(question.payload) + len(question.header or b"")
        if size > self._client.max_payload:
            raise InputError(f"the request has {size} bytes, the server takes {self._client.max_payload}")

    def _begin(self, question: Question) -> _Pending:
        self._display.sending(question)
        pending = _Pending(question, next(self._tokens))
        self._pending[pending.token] = pending
        self._give(pending, self._expect.first)
        return pending

    def _give(self, pending: _Pending, seconds: float) -> None:
        """Let it wait so long. One timer serves all: a timer for each would cost more than the rest of a request."""
        pending.deadline = self._loop.time() + seconds
        if self._timer is None or pending.deadline < self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(pending.deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = self._loop.time()
        for pending in [p for p in self._pending.values() if p.deadline <= now]:
            self._timed_out(pending)
        self._fill()
        if self._pending:
            next_one = min(self._pending.values(), key=lambda pending: pending.deadline)
            self._give(next_one, next_one.deadline - self._loop.time())

    def _message(self, pending: _Pending) -> Message:
        question = pending.question
        return (question.subject.encode(), self._prefix + pending.token, question.header, question.payload)

    def _on_batch(self, batch: list[Message], arrived: int) -> None:
        cut = len(self._prefix)
        for subject, _, header, payload in batch:
            pending = self._pending.get(subject[cut:])
            if pending is not None:
                self._on_reply(pending, header, payload, arrived)
        self._fill()

    def _on_reply(self, pending: _Pending, header: bytes | None, payload: bytes, arrived: int) -> None:
        expect, question = self._expect, pending.question
        if header is not None:
            if not payload and headers.status(header) == "503":
                self._end(pending, NoRespondersError("no responders", where=question.subject))
                return
            pending.error = pending.error or _service_error(header, question.subject)
        last = expect.until_empty and not payload
        if not last or header is not None:
            pending.replies += 1
            rtt = arrived - pending.sent_ns
            if pending.replies == 1:
                self.tally.rtts.append(rtt)
            self._display.reply(
                Reply(question.subject, question.number, pending.replies, rtt, header, payload, time.time())
            )
        if last or (pending.replies == expect.replies and not expect.until_empty):
            self._end(pending, pending.error)
        elif expect.replies or expect.until_empty:
            self._give(pending, expect.gap)

    def _timed_out(self, pending: _Pending) -> None:
        expect = self._expect
        came, error = pending.replies, pending.error
        if not came:
            error = NoReplyError(
                f"timeout: no reply within {format_duration(expect.first)}", where=pending.question.subject
            )
        elif error is None and (came < expect.replies or expect.until_empty):
            wanted = (
                f"{came} replies and no empty one"
                if expect.until_empty
                else f"{came} of {expect.replies} replies"
            )
            error = NoReplyError(
                f"timeout: {wanted}, none more within {format_duration(expect.gap)}",
                where=pending.question.subject,
            )
        self._end(pending, error)

    def _end(self, pending: _Pending, error: PynatsError | None) -> None:
        self._forget(pending)
        if error is None:
            self.tally.answered += 1
        else:
            self._fail([pending.question], error)

    def _fail(self, questions: list[Question], error: PynatsError) -> None:
        if questions:
            self.tally.failed[error.status.name.lower()] += len(questions)
        self.tally.first_failure = self.tally.first_failure or error
        self._display.failed(questions, error)

    def _forget(self, pending: _Pending) -> None:
        del self._pending[pending.token]

    def _fail_pending(self, those: list[_Pending], error: PynatsError) -> None:
        for pending in those:
            self._forget(pending)
        self._fail([pending.question for pending in those], error)

    def _stop(self, error: PynatsError) -> None:
        """End the whole run."""
        if not self._done.done():
            self._fail_pending(list(self._pending.values()), error)
            self._done.set_result(None)

    def _on_refusal(self, error: PynatsError) -> None:
        # `Permissions Violation for Publish to "x"`, or `... for Subscription to "the inbox"`: no reply will come.
        said = error.what
        if "violation for subscription" in said.lower():
            self._stop(error)
            return
        quoted = {p: f'"{p.question.subject}"' for p in self._pending.values()}
        if said == said.lower():  # with a nats-py that `wire` does not know, subjects come in lower case
            quoted = {p: subject.lower() for p, subject in quoted.items()}
        refused = [p for p, subject in quoted.items() if subject in said]
        if refused:
            self._fail_pending(refused, error)
            self._fill()

    def _fill_in(self, seconds: float) -> None:
        if not self._waiting:
            self._waiting = True
            self._loop.call_later(seconds, self._fill_again)

    def _fill_again(self) -> None:
        self._waiting = False
        self._fill()


def _tokens() -> Iterator[bytes]:
    """Last tokens of inboxes, not to be guessed: who got one request must not be able to answer another."""
    while True:
        random = os.urandom(8 * 64).hex().encode()
        yield from (random[start : start + 16] for start in range(0, len(random), 16))


def _service_error(header: bytes, subject: str) -> PynatsError | None:
    """What the service says went wrong (ADR-32), if it does."""
    problem = headers.read_service_error(header)
    if problem is None:
        return None
    code, text = problem
    shown = f"the service answered with error {code}".rstrip() + (f": {text}" if text else "")
    return ErrorReplyError(shown, where=subject)
