"""Passes requests on to another subject, and its replies back, both byte for byte: a proxy."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count, repeat
from time import perf_counter_ns

from natscli.alarm import Alarm
from natscli.connection.failures import NOT_PERMITTED
from natscli.connection.own_inboxes import OwnInboxes
from natscli.duration import format_duration
from natscli.environment import Environment
from natscli.errors import InputError
from natscli.message import headers, subjects
from natscli.message.exchange import Outcome
from natscli.message.in_flight import random_tokens
from natscli.message.message import Message
from natscli.message.status import ReplyProblem, asked_subject, gives_stored, read_problem
from natscli.message.templates import SubjectTemplate, compile_destination
from natscli.reply.options import ReplyOptions
from natscli.reply.responders.parts.finished import Finished, Job
from natscli.reply.responders.parts.outstanding import Outstanding
from natscli.reply.responders.proxy.denials import Denials
from natscli.reply.responders.proxy.losses import Losses
from natscli.reply.responders.responder import Batch, Done, Failure, Host, OwnFailure, Responder, reported
from natscli.text import for_programs
from natscli.wire.refusal import refused_subject

_WHERE = "--upstream"
#: Bytes of a payload from which on that of a candidate is not compared by value: it takes time from requesters.
_LARGEST_COMPARED = 256 * 1024


class Upstream(Responder):
    """Asks another subject and waits for `replies` to each request; `concurrency` at once, 0 for any number.

    `destination` is where to. Other than one reply, 0 for any number, each is passed on when it comes; the last is an
    empty one, an error, or that after which none came for `gap` seconds. Of stored messages only a status is the last.
    """

    def __init__(
        self, destination: SubjectTemplate, concurrency: int = 0, replies: int = 1, gap: float = 0.0
    ) -> None:
        self._destination = destination
        self._replies, self._gap = replies, gap
        #: How many replies have come to requests that are not done yet, by their numbers.
        self._came: dict[int, int] = {}
        self._said = False
        self._concurrency = concurrency
        self._outstanding = Outstanding(random_tokens(), concurrency)
        self._denials = Denials(self._in_flight, self._outstanding.__contains__)
        self._pulls = subjects.is_pull(destination.pattern)
        self._stored = gives_stored(destination.pattern)

    async def start(self, host: Host) -> None:
        self._loop = asyncio.get_running_loop()
        self._host = host
        self._finished = Finished(self._denials.answered)
        self._alarm = Alarm(self._time_out)
        self._client = host.connection.client
        self._timeout = host.connection.timeout
        inbox = self._client.new_inbox()
        self._inbox = f"{inbox}.".encode()
        await self._client.subscribe_batches(f"{inbox}.*", "", self._on_replies)
        self._own = OwnInboxes(self._client, self._on_own, self._unfit)
        self._losses = Losses(self._client)

    def respond(self, batch: Batch, done: Done) -> None:
        now = self._loop.time()
        self._losses.look(batch.arrived - 1)
        jobs = map(Job, batch.requests, count(batch.first), repeat(batch.arrived), repeat(done))
        self._outstanding.add(jobs, now, self._timeout)
        self._alarm.set(now + self._timeout)
        self._send()

    def kill(self) -> None:
        if hasattr(self, "_alarm"):
            self._alarm.cancel()

    def asked_instead(self, subject: bytes) -> bytes:
        return self._destination.of(subject) or subject

    def answered_elsewhere(self, requests: list[Message]) -> None:
        self._denials.answered(requests)

    def _send(self) -> None:
        """Pass on what waits, as much as may be at once."""
        messages: list[Message] = []
        while given := self._outstanding.give():
            token, job = given
            subject, _, block, payload = job.request
            instead = self._destination.of(subject)
            if instead is None:
                self._outstanding.end(token)
                self._fail(job, OwnFailure(400, self._destination.why_not(subject)))
                continue
            message = instead, self._inbox + token, block, payload
            if self._pulls:  # see OwnInboxes
                self._denials.sent([(token, instead)])
                self._own.send(token, message)
            else:
                messages.append(message)
        if messages:
            start = len(self._inbox)
            self._denials.sent((message[1][start:], message[0]) for message in messages)
            self._client.send(messages, lambda message, why: self._unfit(message[1][start:], why))

    def _in_flight(self) -> Iterator[tuple[bytes, bytes]]:
        """The tokens and subjects of what was passed on, and is not answered."""
        for token, job in self._outstanding.given().items():
            yield token, self.asked_instead(job.request[0])

    def _unfit(self, token: bytes, why: str, code: int = 500) -> None:
        """The server would not take a request: with another subject, or after the limits became others."""
        job = self._end(token)
        if job is not None:
            self._fail(job, OwnFailure(code, f"the request for [{self._subject_of(job)}] {why}"))

    def refused(self, text: str) -> bool:
        name = refused_subject(text)
        meant = None if name is None else self._denials.meant(name)
        for token in meant or ():
            self._unfit(token, f"is not permitted: {text.removeprefix(NOT_PERMITTED)}", 403)
        if meant:
            self._send()
        return meant is not None

    def _on_replies(self, messages: list[Message], arrived: int) -> None:  # noqa: ARG002
        for subject, _, block, payload in messages:
            self._take(subject[len(self._inbox) :], block, payload)
        self._finished.flush()
        self._send()

    def _take(self, token: bytes, block: bytes | None, payload: bytes) -> None:
        """Pass a reply on."""
        problem = read_problem(block, payload, self._destination.pattern)
        if self._replies != 1 and problem is None and not self._is_end(block, payload):
            job = self._outstanding.extend(token, self._loop.time(), self._gap)
            if job is not None and self._came.get(job.number, 0) + 1 != self._replies:
                self._came[job.number] = self._came.get(job.number, 0) + 1
                reply = (job.request[1], b"", block, payload)
                self._denials.answered([job.request])
                job.done(Batch([job.request], job.number, job.arrived), [reply], None, more=True)
                self._alarm.set(self._outstanding.next_end)
                return
        job = self._end(token)
        if job is not None:
            self._answer(job, block, payload, problem)
        elif not self._said:
            self._said = True
            more = "" if self._replies != 1 else "; --replies 0 passes several on"
            self._host.environment.log(f"Replies that are late, or not the first, are not passed on{more}")

    def _is_end(self, block: bytes | None, payload: bytes) -> bool:
        """Whether a reply that is no error says that it is the last."""
        return headers.status(block) != "" if self._stored else not payload

    def _end(self, token: bytes) -> Job | None:
        """Take no more replies to the request of `token`; it, if it is not done."""
        job = self._outstanding.end(token)
        if job is not None:
            self._came.pop(job.number, None)
        if self._pulls:
            self._own.close(token)
        return job

    def _on_own(self, token: bytes, messages: list[Message], arrived: int) -> None:  # noqa: ARG002
        """Take the replies to a request with an inbox of its own."""
        for _, _, block, payload in messages:
            self._take(token, block, payload)
        self._finished.flush()
        self._send()

    def _time_out(self) -> None:
        self._losses.look(perf_counter_ns())
        asked = self._outstanding.given() if self._concurrency else None
        for token, job in self._outstanding.expire(self._loop.time()):
            if self._pulls:
                self._own.close(token)
            if self._came.pop(job.number, 0):
                job.done(Batch([job.request], job.number, job.arrived), [], None)
                continue
            waited = format_duration(self._timeout)
            text = f"no reply on [{self._subject_of(job)}] within {waited}"
            known = (asked is None or token in asked) and not self._losses.since(job.arrived)
            self._fail(job, OwnFailure(504, text, outcome=Outcome.UNANSWERED if known else None))
        self._alarm.set(self._outstanding.next_end)
        self._finished.flush()
        self._send()

    def _answer(self, job: Job, block: bytes | None, payload: bytes, problem: ReplyProblem | None) -> None:
        if headers.status(block) == "503" and not payload:  # the server says so, not a service
            subject = self._subject_of(job)
            asked = asked_subject(block, subject)
            other = "" if asked == subject else f" ([{subject}])"
            self._fail(
                job, OwnFailure(503, f"no responders on [{asked}]{other}", outcome=Outcome.NO_RESPONDERS)
            )
        else:
            failure = None if problem is None else reported(problem.code, problem.text)
            self._finished.add(job, (job.request[1], b"", block, payload), failure)

    def _fail(self, job: Job, failure: Failure) -> None:
        self._finished.add(job, failure.reply(job.request), failure)

    def _subject_of(self, job: Job) -> str:
        return for_programs(self.asked_instead(job.request[0]))


def build(options: ReplyOptions, environment: Environment) -> Responder:  # noqa: ARG001
    """Pass requests on to --upstream; ask --candidate the same.

    Raises:
        InputError: no request can be sent there, or they would come back.
    """
    destination = _destination(options.upstream or "", _WHERE, options)
    upstream = Upstream(destination, options.concurrency or 0, options.replies, options.reply_timeout)
    if options.candidate is None:
        return upstream
    from natscli.message.records.compare import Comparison, Match
    from natscli.message.records.values import Ignored
    from natscli.reply.responders.proxy.candidate import Compared

    ignored = Ignored(options.ignore) if options.ignore else None
    comparison = Comparison(
        Match(options.match or Match.JSON),
        ignored,
        frozenset(name.lower() for name in options.ignore_header),
        largest_json=_LARGEST_COMPARED,
    )
    subject = _destination(options.candidate, "--candidate", options)
    return Compared(upstream, subject, comparison, options.record)


def _destination(text: str, where: str, options: ReplyOptions) -> SubjectTemplate:
    """Where requests are passed on to.

    Raises:
        InputError: no request can be sent there, or they would come back.
    """
    destination = compile_destination(text, where, enabled=options.templates)
    listened = options.subject or ""
    if subjects.overlap(destination.pattern, listened):
        raise InputError(
            f"{text!r} is among the subjects that are listened on: each request would come back", where=where
        )
    tokens = listened.split(".")
    if tokens[-1] != ">" and destination.highest >= len(tokens):
        raise InputError(
            f"a subject like {listened!r} has no token {{{{{destination.highest}}}}}", where=where
        )
    return destination
