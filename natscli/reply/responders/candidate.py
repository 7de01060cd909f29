"""Asks a second service what the first has answered, and says where it differs (`--candidate`).

The law of this file: the requester has its reply before the candidate is asked, and what the candidate does, or does
not do, changes nothing for it. So it is asked a moment later, a few requests at a time, for other requests come first.
What waits for the candidate is bounded; what is more is not asked, and counted.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from functools import partial
from itertools import count, repeat, starmap
from typing import NamedTuple

from natscli.alarm import Alarm
from natscli.connection.own_inboxes import OwnInboxes
from natscli.duration import format_duration
from natscli.message import headers
from natscli.message.exchange import Answer, Exchange, Outcome
from natscli.message.in_flight import InFlight, random_tokens
from natscli.message.message import Message
from natscli.message.records.compare import Comparison
from natscli.message.records.file import Recording
from natscli.message.subjects import is_pull
from natscli.message.templates import Facts, Template
from natscli.reply.responders.responder import Batch, Done, Failure, Host, OwnFailure, Responder, Wrapper
from natscli.text import for_programs

#: Requests that wait for the candidate, at most; lines of the log about differences, at most in a second.
_MOST_WAITING, _MOST_LINES = 4096, 20
#: Seconds that the end waits for the candidate.
_PATIENCE = 1.0
#: Seconds from a reply to asking the candidate, and requests that it is asked at once.
_DELAY, _AT_ONCE = 0.02, 32


class _Asked(NamedTuple):
    """A request that the candidate is asked, its number, when it was answered (seconds since 1970) and with what.

    `outcome` is what the first service did, if that was no reply.
    """

    request: Message
    number: int
    came: float
    reply: Message
    outcome: Outcome | None

    @property
    def exchange(self) -> Exchange:
        """The exchange with the first service."""
        asked, _, header, payload = self.request
        answers = (Answer(0, *self.reply[2:]),) if self.outcome is None else ()
        return Exchange(
            0, self.came, asked, b"", header, payload, answers, self.outcome or Outcome.ANSWERED
        )  # fmt: skip


class Compared(Wrapper):
    """Answers as `inner` does, and asks the candidate at `subject` the same afterwards.

    `counts` are of what became of that: `same`, `differed`, `late` without a reply, `skipped` because too many
    waited, or because the server would not take the request.
    """

    def __init__(
        self, inner: Responder, subject: Template, comparison: Comparison, record: str | None
    ) -> None:
        super().__init__(inner)
        self.counts: Counter[str] = Counter()
        self._subject = subject
        self._pulls = is_pull(for_programs(subject.format))
        self._comparison = comparison
        self._record = record
        self._recording: Recording | None = None
        self._due: deque[_Asked] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._asked: InFlight[bytes, _Asked] = InFlight(random_tokens())
        self._lines = 0
        self._second = 0.0

    async def start(self, host: Host) -> None:
        await super().start(host)
        self._loop = asyncio.get_running_loop()
        self._environment = host.environment
        self._client = host.connection.client
        self._timeout = host.connection.timeout
        self._alarm = Alarm(self._expire)
        if self._record is not None:
            self._recording = Recording(self._record, host.environment.warn)
        inbox = self._client.new_inbox()
        self._inbox = f"{inbox}.".encode()
        await self._client.subscribe_batches(f"{inbox}.*", "", self._on_replies)
        self._own = OwnInboxes(self._client, self._on_own, self._unfit)

    def respond(self, batch: Batch, done: Done) -> None:
        self.inner.respond(batch, partial(self._done, done))

    def kill(self) -> None:
        super().kill()
        if hasattr(self, "_alarm"):
            self._alarm.cancel()
        if self._timer is not None:
            self._timer.cancel()

    async def finish(self) -> None:
        """Wait a moment for the candidate, then say what became of it all."""
        await super().finish()
        deadline = self._loop.time() + _PATIENCE
        while (self._asked or self._due) and self._loop.time() < deadline:
            await asyncio.sleep(0.02)
        self.counts["late"] += len(self._asked.clear()) + len(self._due)
        names = {
            "same": "the same",
            "differed": "differed",
            "late": "without a reply",
            "skipped": "not asked",
        }
        said = ", ".join(f"{self.counts[name]:,} {text}" for name, text in names.items() if self.counts[name])
        self._environment.notice(f"Candidate: {said or 'nothing to compare'}")
        if self._recording is not None:
            await self._recording.finish()

    def _done(
        self, done: Done, batch: Batch, replies: list[Message], failure: Failure | None, *, more: bool = False
    ) -> None:
        done(batch, replies, failure, more=more)
        outcome = None
        if isinstance(failure, OwnFailure):
            outcome = failure.outcome
            if outcome is None:
                self.counts["skipped"] += len(replies)
                return
        room = max(_MOST_WAITING - len(self._asked) - len(self._due), 0)
        if len(replies) > room:
            self.counts["skipped"] += len(replies) - room
        now = time.time()
        asked = zip(
            batch.requests[:room], count(batch.first), repeat(now), replies, repeat(outcome), strict=False
        )
        self._due.extend(starmap(_Asked, asked))
        if self._timer is None and self._due:
            self._timer = self._loop.call_later(_DELAY, self._ask)

    def _ask(self) -> None:
        """Ask the candidate some of what is due."""
        entries = [self._due.popleft() for _ in range(min(len(self._due), _AT_ONCE))]
        self._timer = self._loop.call_later(0, self._ask) if self._due else None
        keys = self._asked.add(entries, self._loop.time(), self._timeout)
        messages = [
            (self._subject_of(e.request), self._inbox + key, e.request[2], e.request[3])
            for e, key in zip(entries, keys, strict=True)
        ]
        if self._pulls:  # see OwnInboxes
            for key, message in zip(keys, messages, strict=True):
                self._own.send(key, message, self._timeout)
        else:
            self._client.send(messages, lambda message, why: self._unfit(message[1][len(self._inbox) :], why))
        self._alarm.set(self._asked.next_end)

    def _unfit(self, key: bytes, why: str) -> None:  # noqa: ARG002
        """The server would not take a request."""
        self.counts["skipped"] += self._asked.remove(key) is not None

    def _subject_of(self, request: Message) -> bytes:
        """Where the candidate is asked the same."""
        return self._subject.fill(Facts(0, request[0]))

    def _on_replies(self, messages: list[Message], arrived: int) -> None:  # noqa: ARG002
        for subject, _, header, payload in messages:
            asked = self._asked.remove(subject[len(self._inbox) :])
            if asked is None:  # it is late, or not the first
                continue
            if header is not None and header.startswith(headers.LINE + b" 503") and not payload:
                self._silent(asked, Outcome.NO_RESPONDERS, "no responders")
                continue
            if asked.outcome is None and asked.reply[2:] == (header, payload):
                self.counts["same"] += 1
                continue
            answer = Answer(0, header, payload)
            found = self._comparison.differences(asked.exchange, [answer], no_responders=False)
            if found:
                self._differs(asked, answer, "; ".join(f"{d.kind}: {d.text}" for d in found))
            else:
                self.counts["same"] += 1

    def _silent(self, asked: _Asked, outcome: Outcome, text: str) -> None:
        """The candidate did not reply, as perhaps the first service."""
        if asked.outcome is outcome:
            self.counts["same"] += 1
        else:
            self._differs(asked, None, text)

    def _on_own(self, token: bytes, messages: list[Message], arrived: int) -> None:
        """Take the reply to a request with an inbox of its own, as if it had come to that of all."""
        self._on_replies([(self._inbox + token, *message[1:]) for message in messages], arrived)
        self._own.close(token)

    def _expire(self) -> None:
        for asked in self._asked.expire(self._loop.time()):
            self._silent(asked, Outcome.UNANSWERED, f"no reply within {format_duration(self._timeout)}")
        self._alarm.set(self._asked.next_end)

    def _differs(self, asked: _Asked, answer: Answer | None, text: str) -> None:
        self.counts["differed" if answer is not None else "late"] += 1
        if self._recording is not None and answer is not None:
            exchange = asked.exchange
            kept = exchange._replace(
                subject=self._subject_of(asked.request), via=exchange.subject, answers=(answer,)
            )
            self._recording.add([kept])
        if self._loop.time() - self._second > 1:
            self._second, self._lines = self._loop.time(), 0
        self._lines += 1
        if self._lines <= _MOST_LINES:
            subject = for_programs(self._subject_of(asked.request))
            self._environment.log(f"[#{asked.number}] candidate [{subject}] differs: {text}")
