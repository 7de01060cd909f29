"""Sends replies, and has what became of requests logged and shown."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import perf_counter_ns

from natscli.connection.connection import Connection
from natscli.environment import Environment
from natscli.message import headers
from natscli.message.message import Message, memory_of
from natscli.output.pump import Pump, Render
from natscli.reply.ended import Ending, Renderers
from natscli.reply.responders.parts.several import Several
from natscli.reply.responders.parts.unconfirmed import Unconfirmed
from natscli.reply.responders.responder import Batch, Failure, Responder, reply_subject
from natscli.reply.statistics import Statistics
from natscli.wire.client import Client
from natscli.wire.refusal import refused_subject

TOO_LARGE = Failure(500, "the reply is larger than the server takes")
BUSY = Failure(503, "too many requests are waiting", notice="")

_NO_HEADERS = (
    "the server does not support headers (before 2.2, or no_header_support): replies go without theirs, "
    "and what fails gets no reply"
)
_NONE: Mapping[bytes, Failure] = {}
UNDELIVERED = Failure(0, "the server does not take the reply")
#: Replies that are not counted, and requests that got several, that are remembered in case the server refuses theirs.
_MOST_REMEMBERED = 1000
#: Requests, and bytes of memory of them, that wait for what the server says of their replies: no more than the pump
#: takes at once.
_MOST_UNCONFIRMED, _MOST_UNCONFIRMED_BYTES = 4000, 2 * 1024 * 1024
_NOTHING: Mapping[int, Sequence[Message]] = {}

#: Sends the replies to a batch; gives, by their subjects, why some are not what was asked for: TOO_LARGE where an error
#: went instead, UNDELIVERED where nothing did.
Deliver = Callable[[Batch, list[Message], "Failure | None"], Mapping[bytes, Failure]]


class Delivery:
    """The way out of a listener: replies to the connection, lines to the log and to `pump`.

    `deliver` is for requests that are shown, `send_uncounted` for internal ones.
    """

    def __init__(
        self, connection: Connection, environment: Environment, pump: Pump, render: Renderers
    ) -> None:
        self._client = connection.client
        self._environment = environment
        self._pump = pump
        self._render = render
        self._unfit: dict[bytes, Failure] = {}
        #: Of requests that are not done, those of which an earlier reply was not sent as it was asked for.
        self._earlier: dict[bytes, Failure] = {}
        self._why: dict[bytes, str] = {}
        self._is_sending = False
        self._late: list[tuple[Failure, str]] = []
        #: What the log says after the requests that are being answered; None between two batches.
        self._notices: list[str] | None = None
        #: What is shown after the requests that are being answered, with how many and how large they are.
        self._after: list[tuple[Render, int, int]] = []
        self._several = Several()
        self._unconfirmed = Unconfirmed(
            connection, self._show_confirmed, _MOST_UNCONFIRMED, _MOST_UNCONFIRMED_BYTES
        )
        #: Are told of a reply that does not go out as asked for, but for its headers; the first says what goes instead.
        self.responders: Sequence[Responder] = ()
        self._uncounted: Counter[bytes] = Counter()
        #: The last request that got several replies, and whether the server refused one of them, by their subject.
        self._refused: dict[bytes, tuple[int, bool]] = {}
        #: A log says what happened, and what the server refuses of it later; records say what it came to.
        self._is_log = render.received is not None
        self.deliver: Deliver = self.send if render.ended is None else self._send_and_show

    def begin(self) -> None:
        """Keep what is logged from now on for `show_received`, which is to be called next."""
        self._notices = []

    def show_received(self, requests: list[Message], first: int) -> None:
        """Show `requests`, the first of which has the number `first`, and then what was logged since `begin`."""
        notices, self._notices = self._notices, None
        if self._render.received is not None:
            render = partial(self._render.received, requests, first, time.time())
            self._pump.put(render, len(requests), self._size(requests))
            after, self._after = self._after, []
            for shown in after:
                self._pump.put(*shown)
        if notices:
            for line in notices:
                self._environment.warn(line)

    def send(self, batch: Batch, replies: list[Message], failure: Failure | None) -> Mapping[bytes, Failure]:
        """Send replies, and log `failure`; see `Deliver`."""
        if replies:
            self._is_sending = True
            self._client.send(replies, self._instead)
            self._is_sending = False
        if failure is not None:
            notice = failure.text if failure.notice is None else failure.notice
            if notice:
                first, *more = notice.splitlines()
                trace = [f"trace: {line}" for line in more]
                for number in range(batch.first, batch.first + len(batch.requests)):
                    self._warn(f"[#{number}] {first}", *trace)
        for request in batch.requests if self._earlier else ():
            if reply_subject(request) in self._earlier:
                self._unfit[reply_subject(request)] = self._earlier.pop(reply_subject(request))
        if not self._unfit:
            return _NONE
        (unfit, self._unfit), (why, self._why) = (self._unfit, {}), (self._why, {})
        for number, request in enumerate(batch.requests, batch.first):
            if reply_subject(request) in why:
                self._warn(f"[#{number}] the reply {why[reply_subject(request)]}")
        return unfit

    def send_uncounted(
        self, batch: Batch, replies: list[Message], failure: Failure | None
    ) -> Mapping[bytes, Failure]:
        """Send replies to what is not among the requests that are counted."""
        if len(self._uncounted) > _MOST_REMEMBERED:
            self._uncounted.clear()
        self._uncounted.update(reply_subject(request).lower() for request in batch.requests)
        return self.send(batch, replies, failure)

    def refused(self, text: str, statistics: Statistics) -> None:
        """Count that the server did not take a reply, as `text` of it says, and show its request so.

        A request that gets several replies is counted once.
        """
        subject = refused_subject(text)
        if subject is not None:
            if self._uncounted[subject]:
                self._uncounted[subject] -= 1
                return
            number, known = self._refused.get(subject, (-1, False))
            if number >= 0:
                self._refused[subject] = number, True
            self._unconfirmed.refuse_reply(subject)
            if known:
                return
        else:
            self._unconfirmed.refuse(text)
        statistics.undeliver(1)

    def close(self) -> None:
        """Show the last requests: the server has taken the replies to them, or nobody waits for that any more."""
        self._unconfirmed.close()

    def connected(self, statistics: Statistics) -> None:
        """Say what this server takes none of; count what waited for a connection, and was more than it takes."""
        if not self._client.takes_headers:
            self._environment.warn(_NO_HEADERS)
        late, self._late = self._late, []
        if not late:
            return
        endings = [ending for ending, _ in late]
        statistics.undeliver(endings.count(UNDELIVERED))
        if TOO_LARGE in endings:
            statistics.fail(TOO_LARGE, endings.count(TOO_LARGE))
        self._environment.warn(
            f"replies that waited for a connection, and do not fit: {len(late)}, the first {late[0][1]}"
        )

    def deliver_some(self, batch: Batch, replies: list[Message]) -> None:
        """Send some of the replies to a single request, which is not done yet."""
        if len(self._earlier) > _MOST_REMEMBERED:
            self._earlier.clear()
        self._earlier.update(self.send(batch, replies, None))
        subject = reply_subject(batch.requests[0]).lower()
        if self._refused.get(subject, (-1, False))[0] != batch.first:
            self._refused[subject] = batch.first, False
            if len(self._refused) > _MOST_REMEMBERED:
                self._refused.clear()
        if self._render.ended is not None:
            self._several.add(batch, replies)

    def _send_and_show(
        self, batch: Batch, replies: list[Message], failure: Failure | None
    ) -> Mapping[bytes, Failure]:
        """Send replies, and show the requests, which ended so."""
        unfit = self.send(batch, replies, failure)
        lost, before = self._several.take_lost(batch), self._several.take(batch)
        if lost or before:
            for index, part in enumerate(batch.single()):
                replied = replies[index : index + 1]
                earlier = [one.reply for one in before.get(part.first, ())]
                ending = unfit.get(reply_subject(part.requests[0]), failure)
                self._show(part, lost or bool(earlier or replied), ending, replied, earlier)
            return unfit
        if not unfit:
            self._show(batch, bool(replies), failure, replies)
            return unfit
        start = 0
        endings = (unfit.get(reply_subject(request), failure) for request in batch.requests)
        for ending, part in batch.runs(endings):
            end = start + len(part.requests)
            # Where the server does not take a reply, that is not what was sent.
            self._show(part, bool(replies), ending, replies[start:end] if ending is failure else [])
            start = end
        return unfit

    def _show(
        self,
        batch: Batch,
        replied: bool,
        failure: Failure | None,
        replies: list[Message],
        before: Sequence[Message] = (),
    ) -> None:
        """Show requests that ended, with `replies`, or without any: at once, or when the server has taken these."""
        duration = perf_counter_ns() - batch.arrived
        if failure is UNDELIVERED:
            outcome = Ending("undelivered", duration)
        elif failure is not None:
            name = "refused" if failure is BUSY else "error"
            outcome = Ending(name, duration, failure.code, failure.text, replies, before)
        else:
            name = "answered" if replied else "unanswered"
            outcome = Ending(name, duration, replies=replies, before=before)
        came = time.time() - duration / 1e9
        if self._is_log:
            self._put(batch, outcome, came)
        self._unconfirmed.keep(batch, replies, (outcome, came), {batch.first: before} if before else _NOTHING)

    def _show_confirmed(
        self, batch: Batch, replies: list[Message], how: tuple[Ending, float], refused: Sequence[bool]
    ) -> None:
        """Show what the server `refused`, and where that is not a correction, what it took."""
        outcome, came = how
        if not any(refused):
            if not self._is_log:
                self._put(batch, outcome, came)
            return
        start = 0
        for is_refused, part in batch.runs(refused):
            end = start + len(part.requests)
            if is_refused:
                self._put(part, Ending("undelivered", outcome.duration_ns), came)
            elif not self._is_log:
                self._put(part, outcome._replace(replies=replies[start:end]), came)
            start = end

    def _put(self, batch: Batch, outcome: Ending, came: float) -> None:
        assert self._render.ended is not None
        render = partial(self._render.ended, batch.requests, batch.first, came, outcome)
        size = self._size(batch.requests) + self._size([*outcome.replies, *outcome.before])
        if self._notices is not None and self._is_log:
            self._after.append((render, len(batch.requests), size))
        else:
            self._pump.put(render, len(batch.requests), size)

    def _size(self, requests: list[Message]) -> int:
        """The bytes of memory that `requests` take, about; 0 where the output keeps none."""
        return 0 if self._pump.direct else memory_of(requests)

    def _warn(self, *lines: str) -> None:
        """Log what went wrong with requests, after the requests."""
        if self._notices is not None:
            self._notices.extend(lines)
            return
        for line in lines:
            self._environment.warn(line)

    def _instead(self, reply: Message, why: str) -> Message | None:
        sent, ending = instead_of(self._client, reply, why, self.responders)
        if ending is None:
            return sent
        for responder in self.responders:
            responder.undelivered(reply[0])
        if self._is_sending:
            self._why[reply[0]], self._unfit[reply[0]] = why, ending
        else:
            self._late.append((ending, why))
        return sent


def instead_of(
    client: Client, reply: Message, why: str, responders: Sequence[Responder] = ()
) -> tuple[Message | None, Failure | None]:
    """What is sent instead of a reply that the server would not take, if anything, and how the request ends by that.

    A reply that only goes without its headers has no such end.
    """
    subject, _, header, payload = reply
    if header and not client.takes_headers and headers.read_service_error(header) is None:
        plain = client.fitting((subject, b"", None, payload))
        if plain is not None:
            return plain, None
    failure = Failure(500, f"the reply {why}")
    error = responders[0].instead(reply, failure) if responders else failure.instead(reply)
    sent = client.fitting(error)
    return sent, UNDELIVERED if sent is None else TOO_LARGE
