"""Sends requests and gathers replies: one inbox for all, as many in flight as the load allows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from time import perf_counter_ns
from typing import TYPE_CHECKING

from natscli.alarm import Alarm
from natscli.connection.connection import Connection
from natscli.errors import InputError, PynatsError
from natscli.message.headers import says_end
from natscli.message.in_flight import InFlight, random_tokens
from natscli.message.message import Message
from natscli.message.recipe import Outgoing
from natscli.message.source import Source
from natscli.request.again import Again, Ongoing
from natscli.request.events import Observer, Received, is_last, plain_answers, says_more
from natscli.request.load import ONE_AT_ONCE, Load
from natscli.request.options import Expectation
from natscli.request.pace import Pace
from natscli.request.sender import Sender
from natscli.request.statistics import Statistics

if TYPE_CHECKING:
    from natscli.request.conditions.judge import Judge, Queried
    from natscli.request.next_connection import NextConnection

#: Requests taken before others get their turn: refused ones wait for no reply, and Ctrl-C must not wait for them.
_MOST_AT_ONCE = 256
#: Nanoseconds until an observer that was behind is asked again whether it still is.
_LOOK = 1_000_000


class Requester:
    """Sends what a source gives and gathers the replies, until all is done. `statistics` counts."""

    def __init__(
        self,
        connection: Connection,
        source: Source,
        expectation: Expectation,
        observer: Observer,
        load: Load = ONE_AT_ONCE,
        statistics: Statistics | None = None,
        judge: Judge | Queried | None = None,
    ) -> None:
        """`judge` says which replies are not as expected."""
        self.statistics = statistics or Statistics()
        #: Called with what ends several replies and is none of them.
        self.on_empty_end: Callable[[Received], object] = lambda reply: None
        self._connection = connection
        self._client = connection.client
        self._source = source
        self._expect = expectation
        self._load = load
        self._observer = observer
        self._judge = judge
        self._loop = asyncio.get_running_loop()
        self._in_flight: InFlight[bytes, Ongoing] = InFlight(random_tokens())
        self._next_end = Alarm(self._expire)
        self._again = Again(load, self._loop.time())
        self._pace = Pace(load)
        self._next_fill = Alarm(self._fill)
        self._only_one = expectation.replies == 1 and not (expectation.until_empty or judge)
        self._paced = load.schedule is not None or load.duration > 0
        self._sender = Sender(connection.client, self.statistics, self._on_own)
        self._next_connection: NextConnection | None = None
        self._done: asyncio.Future[None] = self._loop.create_future()

    async def run(self) -> None:
        """Send everything and wait for what was asked for; what failed was displayed, and is in `statistics`."""
        inbox = self._client.new_inbox()
        self._sender.prefix = f"{inbox}.".encode()
        self._connection.on_refusal = self._on_refusal
        if self._load.reconnects:
            self._expect_another()
        await self._client.subscribe_batches(f"{inbox}.*", "", self._on_batch)
        for end in (self._connection.lost, self._observer.broken):
            end.add_done_callback(lambda end: self._stop(end.result()))
        self._source.start(self._fill)
        self._fill()
        await self._done

    # -- sending -------------------------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Send the requests that are due, within the concurrency; called whenever that may have changed."""
        if self._done.done() or (self._next_connection and self._next_connection.is_awaited):
            return
        waiting = len(self._again)
        free = self._load.concurrency - len(self._in_flight) - waiting
        again = self._again.take(_MOST_AT_ONCE, self._loop.time()) if waiting else []
        batch = self._sender.fitting(again, self._fail) if again else []
        now = perf_counter_ns()
        if free > 0:
            batch += self._begin(free, now)
        if batch:
            since, seconds = self._loop.time(), self._expect.first
            tokens = self._in_flight.add(batch, since, seconds)
            self._next_end.set(since + seconds)
            self._sender.send(batch, tokens, due=self._pace.is_open)
        if waiting:
            self._next_fill.set(self._again.next_ready)
        if self._paced:
            self._wake_at(self._pace.next_wake(now))
        self._finish_if_done(now)

    def _wake_at(self, at: int | None) -> None:
        """Fill again at `at`, of `perf_counter_ns`."""
        if at is not None:
            self._next_fill.set(self._loop.time() + (at - perf_counter_ns()) / 1e9)

    def _begin(self, most: int, now: int) -> list[Ongoing]:
        """Up to `most` requests that are due, and that the server would take."""
        self._observer.catch_up(len(self._in_flight))
        if self._observer.is_behind():
            self._pace.held_back(now)
            self._wake_at(now + _LOOK)
            return []
        batch: list[Ongoing] = []
        left = _MOST_AT_ONCE
        while left and len(batch) < most and not (self._again.searching and batch):
            requests = self._take(min(most - len(batch), left), now)
            if not requests:
                return batch
            left -= len(requests)
            batch += self._passing(requests)
            if self._done.done():  # --fail-fast
                return batch
        if not left:
            self._wake_at(now)
        return batch

    def _finish_if_done(self, now: int) -> None:
        over = self._source.exhausted or (self._paced and self._pace.is_over(now))
        if over and not (self._in_flight or self._again or self._done.done()):
            self._done.set_result(None)

    def _take(self, most: int, now: int) -> list[Outgoing]:
        """The next requests, `most` at most, if there are some and they are due."""
        if self._again.searching:
            if self._in_flight or self._again:
                return []
        elif self._paced and not self._pace.is_due(now):
            return []
        one = self._again.searching or self._pace.is_open
        try:
            requests = self._source.take(1 if one else most)
        except InputError as error:
            self._stop(error)
            return []
        if requests and self._paced:
            self._pace.took(requests[-1].number, now)
        return requests

    def _passing(self, requests: list[Outgoing]) -> list[Ongoing]:
        """Those of `requests` that the server would take, about to be sent; the others have failed."""
        passing: list[Ongoing] = []
        warmup, due = self._load.warmup, self._pace.due_ns
        while requests and not self._done.done():
            count, error = self._sender.check(requests)
            taken = requests if error is None else requests[:count]
            passing += [Ongoing(request, request.number > warmup, due) for request in taken]
            counted = [request for request in taken if request.number > warmup] if warmup else taken
            if counted:
                self._observer.sending(counted)
                self.statistics.late += self._pace.is_late * len(counted)
            if error is None:
                break
            self._fail([Ongoing(requests[count], True, 0)], error)
            requests = requests[count + 1 :]
        return passing

    # -- replies -------------------------------------------------------------------------------------------------

    def _on_batch(self, batch: list[Message], arrived: int) -> None:
        self._note_if_full(arrived)
        cut, came = len(self._sender.prefix), time.time()
        if len(batch) == 1 or not self._take_together(batch, cut, arrived, came):
            for subject, _, header, payload in batch:
                ongoing = self._in_flight.get(subject[cut:])
                if ongoing is not None:
                    self._on_reply(ongoing, header, payload, arrived, came)
                elif not says_end(header, payload):
                    self.statistics.more += 1
        self._fill()

    def _take_together(self, batch: list[Message], cut: int, arrived: int, came: float) -> bool:
        """Take the replies of one read, if each is all that its request waits for; whether they are taken."""
        if not self._only_one or self._again.searching:
            return False
        tokens = [message[0][cut:] for message in batch]
        answers = plain_answers(list(map(self._in_flight.get, tokens)), batch, arrived, came)
        if answers:
            self._in_flight.remove_all(tokens)
            self.statistics.answer(answers, arrived)
            self._observer.replies(answers)
        return bool(answers)

    def _on_own(self, token: bytes, batch: list[Message], arrived: int) -> None:
        """Take what came to the inbox of one request: a message of a stream keeps its subject."""
        came = time.time()
        for subject, reply_to, header, payload in batch:
            ongoing = self._in_flight.get(token)
            if ongoing is not None:
                own = () if self._sender.is_inbox(token, subject) else (subject, reply_to)
                self._on_reply(ongoing, header, payload, arrived, came, *own)
            else:
                self.statistics.more += 1
        self._fill()

    def _note_if_full(self, now: int) -> None:
        if self._pace.is_open and len(self._in_flight) + len(self._again) >= self._load.concurrency:
            self._pace.held_back(now)

    def _on_reply(
        self, ongoing: Ongoing, header: bytes | None, payload: bytes, arrived: int, came: float,
        subject: bytes = b"", reply_to: bytes = b"", packet: bytes = b"",
    ) -> None:  # fmt: skip
        """Take a reply; `subject` and `reply_to` are those of a message of a stream, `packet` see `Received`."""
        expect = self._expect
        if says_more(header, packet or payload) and self._is_no_reply(ongoing, header, packet or payload):
            return
        self._again.found()
        request, end = ongoing.request, expect.several and says_end(header, payload)
        last = end or (expect.until_empty and is_last(request.subject, header, payload, subject))
        is_reply = not last or (header is not None and not end)
        if ongoing.counted:
            rtt, number = arrived - ongoing.start_ns, ongoing.replies + 1
            received = Received(
                request.subject, request.number, number, rtt, header, payload, came, subject, reply_to, packet
            )
            if not is_reply:
                self.on_empty_end(received)
            else:
                self.statistics.take(received)
                if self._judge is not None and (failure := self._judge(received)):
                    ongoing.error = ongoing.error or failure
                self._observer.replies([received])
        ongoing.replies += is_reply
        if last or (ongoing.replies in (expect.replies, expect.most) and not expect.until_empty):
            self._remove(ongoing)
            self._end(ongoing, ongoing.error, arrived)
        elif expect.replies or expect.until_empty:
            self._extend(ongoing, expect.gap)

    def _is_no_reply(self, ongoing: Ongoing, header: bytes | None, payload: bytes) -> bool:
        """Take what a reply says of itself; whether it comes from no responder: there is none, or only a stream."""
        from natscli.request import outcome

        subject = ongoing.request.subject
        if outcome.is_no_responders(header, payload):
            self._remove(ongoing)
            self._end(ongoing, outcome.no_responders(header, subject), perf_counter_ns())
            return True
        ongoing.error = outcome.failure(ongoing, self._expect, self._judge, header, payload)
        taken = outcome.acknowledged(payload, subject)
        if taken is None:
            return False
        self.statistics.acknowledged += ongoing.counted
        if self._again.searching:
            ongoing.stream = taken.stream
            self._extend(ongoing, min(self._expect.first, self._again.search_left(self._loop.time())))
        return self._again.searching

    def _extend(self, ongoing: Ongoing, seconds: float) -> None:
        now = self._loop.time()
        self._in_flight.extend(ongoing.token, now, seconds)
        self._next_end.set(now + seconds)

    def _remove(self, ongoing: Ongoing) -> None:
        self._in_flight.remove(ongoing.token)
        if self._sender.has_own:
            self._sender.forget(ongoing)

    def _expire(self) -> None:
        """End the requests whose time is over."""
        now = perf_counter_ns()
        self._note_if_full(now)
        over = self._in_flight.expire(self._loop.time())
        self._next_end.set(self._in_flight.next_end)
        if not over:
            return
        from natscli.request import outcome

        for ongoing in over:
            self._sender.forget(ongoing)
            if self._again.searching and ongoing.stream:
                self._end(ongoing, outcome.only_a_stream(ongoing.stream, ongoing.request.subject), now)
                continue
            self._again.found()
            self._end(ongoing, outcome.timeout(ongoing, self._expect), now)
        self._fill()

    # -- ends ----------------------------------------------------------------------------------------------------

    def _end(self, ongoing: Ongoing, error: PynatsError | None, now: int) -> None:
        """A request is in flight no more: it is answered, will be sent again, or has failed."""
        if error is None:
            if ongoing.counted:
                self.statistics.answered += 1
                self.statistics.ended = now
        elif ongoing.replies or not self._again.offer(ongoing, error, self._loop.time()):
            given_up = self._again.given_up
            self._fail([] if given_up and not ongoing.counted else [ongoing], error)
            if given_up and not self._done.done():
                self._done.set_result(None)

    def _fail(self, those: list[Ongoing], error: PynatsError) -> None:
        """Count and show the failure of `those`; of none, that of the whole run."""
        counted = [ongoing for ongoing in those if ongoing.counted]
        if not counted and those:
            return
        self.statistics.fail(error, len(counted), unsent=sum(not ongoing.start_ns for ongoing in counted))
        self.statistics.ended = perf_counter_ns()
        self._observer.failed([ongoing.request for ongoing in counted], error)
        if self._load.fail_fast and not self._done.done():
            self._done.set_result(None)

    def _stop(self, error: PynatsError) -> None:
        """End the whole run."""
        if not self._done.done():
            self.statistics.stopped, rest = error, [*self._in_flight.clear(), *self._again.clear()]
            self._fail([ongoing for ongoing in rest if ongoing.counted], error)
            if not self._done.done():
                self._done.set_result(None)

    def _on_refusal(self, error: PynatsError) -> None:
        # `Permissions Violation for Publish to "x"`, or `... for Subscription to "the inbox"`: no reply will come.
        text = error.what
        if "violation for subscription" in text.lower():
            self._stop(error)
            return
        from natscli.request import outcome

        refused = outcome.refused(text, self._in_flight)
        if refused:
            for ongoing in refused:
                self._remove(ongoing)
            self._fail(refused, error)
            self._fill()

    def _expect_another(self) -> None:
        """Go on with the next connection when this one is lost."""
        from natscli.request.next_connection import NextConnection

        self._next_connection = NextConnection(
            self._connection, self._load, self._again, self._expect.first, self._lose, self._fill, self._stop
        )

    def _lose(self, lost: PynatsError) -> None:
        """What is in flight is lost with the connection; it may be sent again on the next one."""
        now = perf_counter_ns()
        for ongoing in self._in_flight.clear():
            self._sender.forget(ongoing)
            self._end(ongoing, lost, now)
        self._finish_if_done(now)
