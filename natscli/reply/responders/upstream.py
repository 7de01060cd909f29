"""Passes requests on to another subject, and its replies back, both byte for byte: a proxy."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from itertools import count, islice, repeat
from typing import NamedTuple

from natscli.duration import format_duration
from natscli.environment import Environment
from natscli.errors import InputError
from natscli.message import headers, subjects
from natscli.message.message import Message
from natscli.message.templates import Facts, Template, compile_template
from natscli.reply.options import ReplyOptions
from natscli.reply.responders.parts.finished import Finished, Job
from natscli.reply.responders.responder import Batch, Done, Failure, Host, Responder, reported
from natscli.text import for_programs

_WHERE = "--upstream"
_TOKEN = re.compile(r"\{\{\s*\d+\s*\}\}")


class _Asked(NamedTuple):
    """A request that is passed on, where to, and when its time is over."""

    job: Job
    subject: bytes
    deadline: float


class Upstream(Responder):
    """Asks another subject and waits for one reply to each request; `concurrency` are in flight, 0 for any number.

    `subject` is where to, a template of the tokens of the subject that was asked.
    """

    def __init__(self, subject: Template, concurrency: int = 0) -> None:
        self._subject = subject
        self._concurrency = concurrency
        self._waiting: deque[tuple[Job, bytes]] = deque()
        # All have the same time, so the first is the next whose time is over.
        self._in_flight: dict[bytes, _Asked] = {}
        self._tokens = count()
        self._timer: asyncio.TimerHandle | None = None

    async def start(self, host: Host) -> None:
        self._loop = asyncio.get_running_loop()
        self._finished = Finished()
        self._client = host.connection.client
        self._timeout = host.connection.timeout
        inbox = self._client.new_inbox()
        self._inbox = f"{inbox}.".encode()
        await self._client.subscribe_batches(f"{inbox}.*", "", self._on_replies)

    def respond(self, batch: Batch, done: Done) -> None:
        facts = Facts(0)
        for job in map(Job, batch.requests, count(batch.first), repeat(batch.arrived), repeat(done)):
            facts.subject = job.request[0]
            self._waiting.append((job, self._subject.fill(facts)))
        self._send()

    def asked_instead(self, subject: bytes) -> bytes:
        return self._subject.fill(Facts(0, subject))

    def kill(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _send(self) -> None:
        """Pass on what waits, as much as may be in flight."""
        room = self._concurrency - len(self._in_flight) if self._concurrency else len(self._waiting)
        deadline = self._loop.time() + self._timeout
        messages: list[Message] = []
        for token in islice(self._tokens, min(room, len(self._waiting))):
            job, subject = self._waiting.popleft()
            key = b"%d" % token
            self._in_flight[key] = _Asked(job, subject, deadline)
            _, _, block, payload = job.request
            messages.append((subject, self._inbox + key, block, payload))
        if messages:
            self._client.send(messages)
            if self._timer is None:
                self._timer = self._loop.call_at(deadline, self._time_out)

    def _on_replies(self, messages: list[Message], arrived: int) -> None:  # noqa: ARG002
        for subject, _, block, payload in messages:
            asked = self._in_flight.pop(subject[len(self._inbox) :], None)
            if asked is not None:  # else it is late, or not the first
                self._answer(asked, block, payload)
        self._finished.flush()
        if self._waiting:
            self._send()

    def _time_out(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._in_flight:
            key, asked = next(iter(self._in_flight.items()))
            if asked.deadline > now:
                self._timer = self._loop.call_at(asked.deadline, self._time_out)
                break
            del self._in_flight[key]
            late = f"no reply on [{_text(asked.subject)}] within {format_duration(self._timeout)}"
            self._fail(asked.job, Failure(504, late))
        self._finished.flush()
        if self._waiting:
            self._send()

    def _answer(self, asked: _Asked, block: bytes | None, payload: bytes) -> None:
        job = asked.job
        if headers.status(block) == "503" and not payload:  # the server says so, not a service
            self._fail(job, Failure(503, f"no responders on [{_text(asked.subject)}]"))
        else:
            self._finished.add(job, (job.request[1], b"", block, payload), reported(block))

    def _fail(self, job: Job, failure: Failure) -> None:
        self._finished.add(job, failure.reply(job.request), failure)


def _text(subject: bytes) -> str:
    return for_programs(subject)


def build(options: ReplyOptions, environment: Environment) -> Upstream:  # noqa: ARG001
    """Pass requests on to --upstream.

    Raises:
        InputError: no request can be sent there, or they would come back.
    """
    text = options.upstream or ""
    known = _TOKEN if options.templates else re.compile("(?!)")
    if options.templates and "{{" in known.sub("", text):
        raise InputError(
            f"only tokens of the subject, such as {{{{1}}}}, can be filled in: {text!r}", where=_WHERE
        )
    try:
        subjects.check_publish_subject(known.sub("x", text))
    except InputError as error:
        error.where = _WHERE
        raise
    pattern = ".".join("*" if known.search(token) else token for token in text.split("."))
    if subjects.overlap(pattern, options.subject or ""):
        raise InputError(
            f"{text!r} is among the subjects that are listened on: each request would come back", where=_WHERE
        )
    template = compile_template(text, _WHERE, reply=True, enabled=options.templates)
    return Upstream(template, options.concurrency or 0)
