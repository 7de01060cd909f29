"""What happens in a run of requests, as it is shown: a request was sent, a reply came, the log has a line."""

from __future__ import annotations

from typing import NamedTuple


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
