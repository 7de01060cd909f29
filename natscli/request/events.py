"""What happens in a run of requests, and who is told: a request was sent, a reply came, the log has a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from natscli.errors import PynatsError
from natscli.message.recipe import Outgoing

if TYPE_CHECKING:
    import asyncio


class Received(NamedTuple):
    """A reply as it is shown: reply `number`, from 1, to the request of that number, `rtt_ns` nanoseconds after it.

    `came` is when it arrived (seconds since 1970): it may wait before it is shown. A message of a JetStream consumer
    has a `message_subject` of its own, and a `reply_to` for its acknowledgement.
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


class Sent(NamedTuple):
    """A request that was sent `at` a time (seconds since 1970)."""

    subject: str
    request: int
    at: float


class Prerendered(NamedTuple):
    """Bytes that need no rendering, for the log and for stdout."""

    log: bytes
    data: bytes = b""


Event = Received | Sent | Prerendered


class Observer(Protocol):
    """Is told what happens to the requests. Nothing in it may wait."""

    broken: asyncio.Future[PynatsError]
    """Done when nothing can be shown any more."""

    def sending(self, request: Outgoing) -> None:
        """A request is about to be written."""

    def reply(self, reply: Received) -> None:
        """A reply came."""

    def failed(self, requests: Sequence[Outgoing], error: PynatsError) -> None:
        """Requests ended without what they asked for; no requests, when the whole run did."""

    def catch_up(self, in_flight: int) -> None:
        """Show now what no more replies are waited for with; `in_flight` requests may still be answered."""

    def is_behind(self) -> bool:
        """Whether no more requests should be sent until what came is shown."""
