"""Asks a second service what the first has answered, and says where it differs (`--candidate`).

The law of this file: the requester has its reply before the candidate is asked, and what the candidate does, or does
not do, changes nothing for it. So it is asked a moment later, a few requests at a time, for other requests come first.
What waits for the candidate is bounded; what is more is not asked, and counted.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterator
from functools import partial
from itertools import repeat
from time import perf_counter_ns
from typing import NamedTuple

from natscli.alarm import Alarm
from natscli.connection.own_inboxes import OwnInboxes
from natscli.duration import format_duration
from natscli.message import headers
from natscli.message.exchange import Answer, Exchange, Outcome
from natscli.message.in_flight import InFlight, random_tokens
from natscli.message.message import Message, memory_of
from natscli.message.records.compare import Comparison
from natscli.message.records.file import Recording
from natscli.message.status import no_responders
from natscli.message.subjects import is_pull
from natscli.message.templates import SubjectTemplate
from natscli.reply.responders.proxy.denials import Denials
from natscli.reply.responders.proxy.losses import Losses
from natscli.reply.responders.responder import Batch, Done, Failure, Host, OwnFailure, Responder, Wrapper
from natscli.text import for_programs
from natscli.wire.refusal import refused_subject

#: Requests that wait for the candidate, at most; lines of the log about differences, at most in a second.
_MOST_WAITING, _MOST_LINES = 4096, 20
#: Seconds that the end waits for the candidate.
_PATIENCE = 1.0
#: Seconds in which a second reply is noticed; bytes of what waits for that, at most: what is more does not.
_GAP, _MOST_BYTES = 0.3, 32 * 1024 * 1024
#: Seconds from a reply to asking the candidate, and requests that it is asked at once.
_DELAY, _AT_ONCE = 0.02, 32


class _Due(NamedTuple):
    """A request that the candidate is to be asked, its number, and with what it was answered.

    `outcome` is what the first service did, if that was no reply.
    """

    request: Message
    number: int
    reply: Message
    outcome: Outcome | None


class _Asked(NamedTuple):
    """What the candidate was asked: where, when (seconds since 1970, and nanoseconds of `perf_counter_ns`).

    `answers` are its replies so far.
    """

    due: _Due
    subject: bytes
    came: float
    sent: int
    answers: list[Answer]

    @property
    def exchange(self) -> Exchange:
        """The exchange with the first service."""
        (asked, _, header, payload), _, reply, outcome = self.due
        answers, ended = ((Answer(0, *reply[2:]),), Outcome.ANSWERED) if outcome is None else ((), outcome)
        return Exchange(0, self.came, asked, b"", header, payload, answers, ended)

    @property
    def kept(self) -> Exchange:
        """The exchange with the candidate."""
        asked, _, header, payload = self.due.request
        return Exchange(
            0, self.came, self.subject, b"", header, payload, tuple(self.answers), Outcome.ANSWERED, via=asked
        )  # fmt: skip

    @property
    def is_same(self) -> bool:
        """Whether one reply came, and it has the same bytes."""
        if len(self.answers) != 1 or self.due.outcome is not None:
            return False
        return self.answers[0][1:3] == self.due.reply[2:]

    @property
    def memory(self) -> int:
        """Bytes, about, of it and its first reply."""
        return memory_of([self.due.request, self.due.reply]) + len(self.answers[0].payload)


class Compared(Wrapper):
    """Answers as `inner` does, and asks the candidate at `destination` the same afterwards.

    `counts` are of what became of that: `same`, `differed`, `late` without a reply, `unfit` with too few tokens, and
    `skipped` because too many waited, the server did not take the request, or the connection was lost. A reply is
    compared after a while, for a second one differs.
    """

    def __init__(
        self, inner: Responder, destination: SubjectTemplate, comparison: Comparison, record: str | None
    ) -> None:
        super().__init__(inner)
        self.counts: Counter[str] = Counter()
        self._destination = destination
        self._pulls = is_pull(destination.pattern)
        self._comparison = comparison
        self._record = record
        self._recording: Recording | None = None
        self._due: deque[_Due] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._asked: InFlight[bytes, _Asked] = InFlight(random_tokens())
        #: Of those, how many have a reply, and wait for a second one; and the bytes that they take.
        self._replied = self._bytes = 0
        self._denials = Denials(self._in_flight, self._waits)
        self._lines = 0
        self._second = 0.0
        self._said = False

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
        self._losses = Losses(self._client)

    def respond(self, batch: Batch, done: Done) -> None:
        self.inner.respond(batch, partial(self._done, done))

    def answered_elsewhere(self, requests: list[Message]) -> None:
        super().answered_elsewhere(requests)
        self._denials.answered(requests)

    def refused(self, text: str) -> bool:
        name = refused_subject(text)
        if name is None:
            return self.inner.refused(text)
        meant = self._denials.meant(name, guess=False)
        if meant is None:
            if self.inner.refused(text):
                return True
            meant = self._denials.meant(name)
        for key in meant or ():
            self._unfit(key, text)
        if meant and not self._said:
            self._said = True
            self._environment.warn(f"the candidate is not asked: {text}")
        return meant is not None

    def _in_flight(self) -> Iterator[tuple[bytes, bytes]]:
        """The keys and subjects of what the candidate was asked, and has not answered."""
        return ((key, asked.subject) for key, asked in self._asked.items() if not asked.answers)

    def _waits(self, key: bytes) -> bool:
        asked = self._asked.get(key)
        return asked is not None and not asked.answers

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
        for asked in self._asked.clear():
            if asked.answers:
                self._settle(asked)
            else:
                self.counts["late"] += 1
        self.counts["late"] += len(self._due)
        names = {
            "same": "the same",
            "differed": "differed",
            "late": "without a reply",
            "skipped": "not asked",
            "unfit": "whose subject has too few tokens",
        }
        said = ", ".join(f"{self.counts[name]:,} {text}" for name, text in names.items() if self.counts[name])
        self._environment.notice(f"Candidate: {said or 'nothing to compare'}")
        if self._recording is not None:
            await self._recording.finish()

    def _done(
        self, done: Done, batch: Batch, replies: list[Message], failure: Failure | None, *, more: bool = False
    ) -> None:
        self._denials.answered(batch.requests)
        done(batch, replies, failure, more=more)
        outcome = None
        if isinstance(failure, OwnFailure):
            outcome = failure.outcome
            if outcome is None:
                self.counts["skipped"] += len(replies)
                return
        due = list(map(_Due, batch.requests, batch.numbers, replies, repeat(outcome)))
        if self._destination.highest > 0:
            due = self._askable(due)
        room = max(_MOST_WAITING - (len(self._asked) - self._replied) - len(self._due), 0)
        if len(due) > room:
            self.counts["skipped"] += len(due) - room
        self._due.extend(due[:room])
        if self._timer is None and self._due:
            self._timer = self._loop.call_later(_DELAY, self._ask)

    def _askable(self, due: list[_Due]) -> list[_Due]:
        """Those whose subject has the tokens that the candidate's is made of."""
        takes = self._destination.takes
        kept = [one for one in due if takes(one.request[0])]
        if len(kept) < len(due):
            if not self.counts["unfit"]:
                subject = next(one.request[0] for one in due if not takes(one.request[0]))
                self._environment.warn(f"candidate not asked: {self._destination.why_not(subject)}")
            self.counts["unfit"] += len(due) - len(kept)
        return kept

    def _ask(self) -> None:
        """Ask the candidate some of what is due."""
        due = [self._due.popleft() for _ in range(min(len(self._due), _AT_ONCE))]
        self._timer = self._loop.call_later(0, self._ask) if self._due else None
        came, sent = time.time(), perf_counter_ns()
        self._losses.look(sent - 1)
        entries = [_Asked(one, self._destination.of(one.request[0]) or b"", came, sent, []) for one in due]
        keys = self._asked.add(entries, self._loop.time(), self._timeout)
        self._denials.sent((key, asked.subject) for key, asked in zip(keys, entries, strict=True))
        messages = [
            (asked.subject, self._inbox + key, *asked.due.request[2:])
            for asked, key in zip(entries, keys, strict=True)
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

    def _on_replies(self, messages: list[Message], arrived: int) -> None:
        for subject, _, header, payload in messages:
            key = subject[len(self._inbox) :]
            asked = self._asked.get(key)
            if asked is None:  # it is late, or one more than is looked at
                continue
            if header is not None and header.startswith(headers.LINE + b" 503") and not payload:
                self._asked.remove(key)
                words = no_responders(header, for_programs(asked.subject))
                self._silent(asked, Outcome.NO_RESPONDERS, words)
                continue
            asked.answers.append(Answer(max(arrived - asked.sent, 0), header, payload))
            if len(asked.answers) > 1:
                self._forget(asked)
            elif self._keep(key, asked):
                continue
            self._asked.remove(key)
            self._settle(asked)
        self._alarm.set(self._asked.next_end)

    def _keep(self, key: bytes, asked: _Asked) -> bool:
        """Wait for a second reply, if there is room for that."""
        size = asked.memory
        if self._replied >= _MOST_WAITING or self._bytes + size > _MOST_BYTES:
            return False
        self._replied += 1
        self._bytes += size
        self._asked.extend(key, self._loop.time(), _GAP)
        return True

    def _forget(self, asked: _Asked) -> None:
        """Take back what `_keep` has counted."""
        self._replied -= 1
        self._bytes -= asked.memory

    def _settle(self, asked: _Asked) -> None:
        """Compare what came."""
        if asked.is_same:
            self.counts["same"] += 1
            return
        found = self._comparison.differences(asked.exchange, asked.answers)
        if not found:
            self.counts["same"] += 1
            return
        if self._recording is not None:
            self._recording.add([asked.kept])
        self._differs("differed", asked, "; ".join(f"{d.kind}: {d.text}" for d in found))

    def _silent(self, asked: _Asked, outcome: Outcome, text: str) -> None:
        """The candidate did not reply, as perhaps the first service."""
        if asked.due.outcome is outcome:
            self.counts["same"] += 1
        else:
            self._differs("late", asked, text)

    def _on_own(self, token: bytes, messages: list[Message], arrived: int) -> None:
        """Take the first reply to a request with an inbox of its own, as if it had come to that of all."""
        self._on_replies([(self._inbox + token, *messages[0][1:])], arrived)
        self._own.close(token)

    def _expire(self) -> None:
        self._losses.look(perf_counter_ns())
        for asked in self._asked.expire(self._loop.time()):
            if asked.answers:
                self._forget(asked)
                self._settle(asked)
            elif self._losses.since(asked.sent):
                self.counts["skipped"] += 1
            else:
                self._silent(asked, Outcome.UNANSWERED, f"no reply within {format_duration(self._timeout)}")
        self._alarm.set(self._asked.next_end)

    def _differs(self, count: str, asked: _Asked, text: str) -> None:
        self.counts[count] += 1
        if self._loop.time() - self._second > 1:
            self._second, self._lines = self._loop.time(), 0
        self._lines += 1
        if self._lines <= _MOST_LINES:
            subject = for_programs(asked.subject)
            self._environment.log(f"[#{asked.due.number}] candidate [{subject}] differs: {text}")
