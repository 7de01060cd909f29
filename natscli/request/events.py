"""What happens in a run of requests, as it is shown: a request was sent, a reply came, the log has a line."""

from __future__ import annotations

from typing import NamedTuple


class Received(NamedTuple):
    """A reply as it is shown: to which request, the how manyth, after how many nanoseconds, and what it holds.

    `came` is when (seconds since 1970), as it may have to wait before it is shown.
    """

    subject: str
    request: int
    number: int
    rtt_ns: int
    header: bytes | None
    payload: bytes
    came: float


class Sent(NamedTuple):
    """A request that was sent, and when (seconds since 1970)."""

    subject: str
    request: int
    at: float


class Prerendered(NamedTuple):
    """What was rendered before, for the log and for stdout."""

    log: bytes
    data: bytes = b""


Event = Received | Sent | Prerendered
