"""What happens in a run of requests, and who is told: a request was sent, a reply came, the log has a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from natscli.errors import PynatsError
from natscli.message.message import Message
from natscli.message.recipe import Outgoing
from natscli.message.subjects import is_direct_get

if TYPE_CHECKING:
    import asyncio

    from natscli.request.again import Ongoing


#: How payloads of JetStream begin that may say that a request has failed, or that a stream has taken it.
_JETSTREAM = (b'{"stream":', b'{"error":', b'{"type":"io.nats.jetstream.api.')
#: What is in a packet of NestJS that may say that a request has failed, and the bytes that one has at most.
_PACKET, _LARGEST_PACKET = b'"isDisposed"', 64 * 1024


class Received(NamedTuple):
    """A reply as it is shown: reply `number`, from 1, to the request of that number, `rtt_ns` nanoseconds after it.

    `came` is when it arrived (seconds since 1970): it may wait before it is shown. A message of a JetStream consumer
    has a `message_subject` of its own, and a `reply_to` for its acknowledgement. `packet` is the payload as it came, if
    `payload` was made of that.
    """

    subject: str
    request: int
    number: int
    rtt_ns: int
    header: bytes | None
    payload: bytes
    came: float
    message_subject: bytes = b""
    reply_to: bytes = b""
    packet: bytes = b""

    @property
    def said(self) -> bytes:
        """The payload that says what the reply is: not the value in a packet, which may look like anything."""
        return self.packet or self.payload


class Sent:
    """A request that was sent `at` a time (seconds since 1970)."""

    __slots__ = ("at", "request", "subject")

    def __init__(self, subject: str, request: int, at: float) -> None:
        self.subject = subject
        self.request = request
        self.at = at


class Prerendered:
    """Bytes that need no rendering, for the log and for stdout."""

    __slots__ = ("data", "log")

    def __init__(self, log: bytes, data: bytes = b"") -> None:
        self.log = log
        self.data = data


Event = Received | Sent | Prerendered


class Observer(Protocol):
    """Is told what happens to the requests. Nothing in it may wait."""

    broken: asyncio.Future[PynatsError]
    """Done when nothing can be shown any more."""

    def sending(self, requests: Sequence[Outgoing]) -> None:
        """Requests are about to be written."""

    def replies(self, replies: Sequence[Received]) -> None:
        """Replies came."""

    def failed(self, requests: Sequence[Outgoing], error: PynatsError) -> None:
        """Requests ended without what they asked for; no requests, when the whole run did."""

    def catch_up(self, in_flight: int) -> None:
        """Show now what no more replies are waited for with; `in_flight` requests may still be answered."""

    def is_behind(self) -> bool:
        """Whether no more requests should be sent until what came is shown."""


def says_more(header: bytes | None, payload: bytes) -> bool:
    """Whether a reply may be more than an answer: a status line, a service error, what a stream or a packet says.

    It is, whenever `message.status` finds a problem or an acknowledgement.
    """
    if header is not None and (header[8:9] == b" " or b"nats-service-error" in header.lower()):
        return True
    if payload[:1] != b"{":
        return False
    return payload.startswith(_JETSTREAM) or (len(payload) <= _LARGEST_PACKET and _PACKET in payload)


def is_last(subject: str, header: bytes | None, payload: bytes, message_subject: bytes) -> bool:
    """Whether a reply to a request on `subject` is empty, and so the last; what a stream has stored may be empty."""
    if payload or message_subject:
        return False
    return header is None or header[8:9] == b" " or not is_direct_get(subject)


def plain_answers(
    asked: Sequence[Ongoing | None], batch: Sequence[Message], arrived: int, came: float
) -> list[Received]:
    """The replies of one read, each `asked` for by one of these requests, if all are plain answers; else none.

    They arrived at `arrived` of `perf_counter_ns`, which is `came` seconds since 1970.
    """
    answers: list[Received] = []
    if len(set(asked)) < len(asked):  # two of them answer one request
        return answers
    for ongoing, (_, _, header, payload) in zip(asked, batch, strict=True):
        if (
            ongoing is None
            or not ongoing.counted
            or ongoing.replies
            or ongoing.error is not None
            or ((header is not None or payload[:1] == b"{") and says_more(header, payload))
        ):
            return []
        request, rtt = ongoing.request, arrived - ongoing.start_ns
        # Not `Received(...)`, which calls a function in Python.
        answer = tuple.__new__(
            Received, (request.subject, request.number, 1, rtt, header, payload, came, b"", b"", b"")
        )
        answers.append(answer)
    return answers
