"""Sends the requests of cases and has their replies compared: as many in flight as may be, each with its own end.

The law of this file: an exchange is in flight (`waiting`) until it has as many replies as were recorded, or its time is
over; then it is compared, and kept for `gap` seconds in which no further reply may come, and until it is compared. What
is kept that long is bounded in bytes: when it is too much, no more are sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from time import perf_counter_ns
from typing import TYPE_CHECKING

from natscli.connection.connection import Connection
from natscli.message import headers
from natscli.message.exchange import Answer
from natscli.message.in_flight import InFlight, random_tokens
from natscli.message.message import Message, memory
from natscli.message.records.compare import Comparison, Difference
from natscli.message.status import no_responders
from natscli.message.subjects import is_pull
from natscli.text import exact, for_programs
from natscli.verify.cases import Case
from natscli.verify.comparing import LARGE, Comparing
from natscli.verify.verified import VerifiedCase

if TYPE_CHECKING:
    from natscli.connection.own_inboxes import OwnInboxes

#: Requests that are sent with one write, and bytes of exchanges that are kept for further replies.
_MOST_AT_ONCE, _MOST_KEPT = 256, 16 * 1024 * 1024
#: Seconds from one look at what is over to the next.
_TICK = 0.02
_NO_RESPONDERS = headers.LINE + b" 503"


@dataclass(frozen=True)
class Sending:
    """How requests are sent: `concurrency` in flight, `rate` a second at most if it is not 0, each with `timeout`
    seconds for a reply, and `gap` in which no further one may come. `fail_fast` ends at the first that differs.
    """

    concurrency: int
    rate: float
    timeout: float
    gap: float
    fail_fast: bool


class _Asked:
    """A case in flight, or kept."""

    __slots__ = (
        "answers", "case", "comparing", "differences", "end_ns", "ended", "known", "no_responders", "over", "own",
        "size", "start_ns", "wanted",
    )  # fmt: skip

    def __init__(self, case: Case) -> None:
        self.case = case
        self.wanted = len(case.exchange.answers)
        self.answers: list[Answer] = []
        self.differences: list[Difference] = []
        self.ended = False
        #: That nobody is there, in words; empty where somebody is.
        self.no_responders = ""
        #: Whether it is being compared, and whether no further reply is waited for.
        self.comparing = self.over = False
        #: How many replies it was compared with, the status that nobody is there included.
        self.known = 0
        self.start_ns = self.end_ns = self.size = 0
        #: The token of its own inbox, if it has one.
        self.own = b""


class Verifier:
    """Verifies `cases`, and calls `show` with the results as they come. `sent` counts the requests."""

    def __init__(
        self,
        connection: Connection,
        cases: Iterator[Case],
        comparison: Comparison,
        sending: Sending,
        show: Callable[[list[VerifiedCase]], None],
        refused: Callable[[Case, str], None],
        behind: Callable[[], bool],
    ) -> None:
        """No more is sent while `behind`, which says whether what came is still to be shown.

        `refused` is called with a case that the server would not take, and why.
        """
        self.started = self.ended = 0
        self._connection = connection
        self._client = connection.client
        self._cases, self._all_sent = filter(self._is_fit, cases), False
        self._differences = comparison.differences
        self._comparing = Comparing(comparison, self.stop)
        self._sending = sending
        self._show = show
        self._refused = refused
        self._behind = behind
        self._pause = min(_TICK, max(1 / sending.rate, 0.001)) if sending.rate else _TICK
        self._loop = asyncio.get_running_loop()
        self._asked: InFlight[bytes, _Asked] = InFlight(random_tokens())
        self._waiting = self._kept_size = self.sent = 0
        self._prefix = b""
        self._own: OwnInboxes | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._done: asyncio.Future[None] = self._loop.create_future()

    async def run(self) -> None:
        """Send all, and wait until all is compared.

        Raises:
            PynatsError: refused, or the connection was lost.
            Exception: what comparing or showing raises, such as an OSError of a temporary file.
        """
        inbox = self._client.new_inbox()
        self._prefix = f"{inbox}.".encode()
        self._connection.on_refusal = self.stop
        self._connection.lost.add_done_callback(lambda lost: self.stop(lost.result()))
        await self._client.subscribe_batches(f"{inbox}.*", "", self._on_batch)
        self.started = perf_counter_ns()
        self._tick()
        try:
            await self._done
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._conclude([asked for asked in self._asked if asked.ended])

    def stop(self, error: Exception | None) -> None:
        """End now; with an error, `run` raises it."""
        if not self._done.done():
            if error is None:
                self._done.set_result(None)
            else:
                self._done.set_exception(error)

    def _tick(self) -> None:
        """Take out what is over, send what is due."""
        self._timer = self._loop.call_later(self._pause, self._tick)
        over = self._asked.expire(self._loop.time())
        try:
            if over:
                self._end([asked for asked in over if not asked.ended])
                self._conclude(over)
            self._fill()
        except Exception as error:  # nobody else would hear of it
            self.stop(error)

    def _fill(self) -> None:
        """Send as many as may be."""
        free = min(self._sending.concurrency - self._waiting, _MOST_AT_ONCE)
        if self._done.done() or self._all_sent or free <= 0 or self._kept_size > _MOST_KEPT or self._behind():
            self._finish_if_done()
            return
        if self._sending.rate:
            due = int((perf_counter_ns() - self.started) / 1e9 * self._sending.rate) + 1
            free = min(free, due - self.sent)
        batch = self._take(free)
        if batch:
            self._send(batch)
        self._finish_if_done()

    def _take(self, most: int) -> list[_Asked]:
        batch = list(map(_Asked, islice(self._cases, max(most, 0))))
        self._all_sent = len(batch) < most
        return batch

    def _is_fit(self, case: Case) -> bool:
        """Whether the server takes the request: one that is too large would end the connection."""
        why = self._client.unfit(case.exchange.header, case.exchange.payload)
        if why:
            self._refused(case, f"the request {why}")
        return not why

    def _send(self, batch: list[_Asked]) -> None:
        keys = self._asked.add(batch, self._loop.time(), self._sending.timeout)
        prefix = self._prefix
        messages: list[Message] = [
            (asked.case.subject, prefix + key, asked.case.exchange.header, asked.case.exchange.payload)
            for asked, key in zip(batch, keys, strict=True)
        ]
        now = perf_counter_ns()
        for asked in batch:
            asked.start_ns = now
        self._waiting += len(batch)
        self.sent += len(batch)
        together = zip(messages, batch, keys, strict=True)
        self._client.send([m for m, asked, key in together if not self._sent_alone(m, asked, key)])

    def _sent_alone(self, message: Message, asked: _Asked, key: bytes) -> bool:
        """Send a request whose replies only a subscription of its own tells apart; False for any other."""
        if not is_pull(exact(message[0])):
            return False
        from natscli.connection.own_inboxes import OwnInboxes

        self._own = self._own or OwnInboxes(self._client, self._on_own)
        asked.own = key
        self._own.send(key, message)
        return True

    def _on_own(self, token: bytes, batch: list[Message], arrived: int) -> None:
        """Take the replies to a request with an inbox of its own, as if they had come to that of all."""
        subject = self._prefix + token
        self._on_batch([(subject, *message[1:]) for message in batch], arrived)

    def _on_batch(self, batch: list[Message], arrived: int) -> None:
        cut, find = len(self._prefix), self._asked.get
        now = self._loop.time()
        complete: dict[bytes, _Asked] = {}
        for subject, _, header, payload in batch:
            key = subject[cut:]
            asked = find(key)
            if asked is None:
                continue
            if header is not None and not payload and header.startswith(_NO_RESPONDERS) and not asked.answers:
                asked.no_responders = no_responders(header, for_programs(asked.case.subject))
            else:
                asked.answers.append(Answer(arrived - asked.start_ns, header, payload))
            if asked.ended:
                continue
            if asked.no_responders or len(asked.answers) >= asked.wanted:
                asked.ended = True
                complete[key] = asked
            else:
                self._asked.extend(key, now, self._sending.timeout)
        self._asked.extend_all(list(complete), now, self._sending.gap)
        self._end(list(complete.values()))
        self._fill()

    def _end(self, those: list[_Asked]) -> None:
        """They have what was recorded, or their time is over."""
        self._waiting -= len(those)
        self.ended = perf_counter_ns() if those else self.ended
        for asked in those:
            exchange = asked.case.exchange
            size = memory(exchange.header, exchange.payload)
            for answer in asked.answers:
                size += memory(answer.header, answer.payload)
            asked.ended, asked.end_ns, asked.size = True, self.ended, size
            self._kept_size += size
            self._compare(asked)

    def _compare(self, asked: _Asked) -> None:
        """Find out what differs; a case of which that fails is never shown, and ends it all."""
        exchange, answers, no_responders = asked.case.exchange, asked.answers, asked.no_responders
        asked.known = len(answers) + bool(no_responders)
        asked.comparing = True
        recorded = exchange.answers
        if asked.size > LARGE or (recorded and len(recorded[0].payload) > LARGE):
            self._comparing.compare(exchange, answers, no_responders, partial(self._on_compared, asked))
            return
        try:
            asked.differences = self._differences(exchange, answers, no_responders=no_responders)
        except Exception as error:
            self.stop(error)
            return
        asked.comparing = False
        if asked.differences and self._sending.fail_fast:
            self.stop(None)

    def _on_compared(self, asked: _Asked, differences: list[Difference]) -> None:
        """A large one is compared."""
        asked.comparing, asked.differences = False, differences
        if self._done.done():
            return
        if differences and self._sending.fail_fast:
            self.stop(None)
        if asked.over:
            self._conclude([asked])
            self._fill()

    def _conclude(self, over: list[_Asked]) -> None:
        """No more replies to them are waited for: show those that are compared with all."""
        ready = []
        for asked in over:
            if not asked.comparing and asked.known != len(asked.answers) + bool(asked.no_responders):
                self._compare(asked)
            if asked.comparing:
                asked.over = True
            else:
                ready.append(self._result(asked))
        if ready:
            self._show(ready)

    def _result(self, asked: _Asked) -> VerifiedCase:
        self._kept_size -= asked.size
        if self._own is not None and asked.own:
            self._own.close(asked.own)
        at = asked.start_ns + asked.answers[-1].rtt_ns if asked.answers else asked.end_ns
        return VerifiedCase(asked.case, asked.answers, asked.differences, bool(asked.no_responders), at)

    def _finish_if_done(self) -> None:
        if self._all_sent and not self._asked and not self._comparing.pending:
            self.stop(None)
