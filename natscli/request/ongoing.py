"""A request that has not ended."""

from __future__ import annotations

from natscli.errors import PynatsError
from natscli.message.recipe import Outgoing


class Ongoing:
    """A request in flight, or to be sent again. `start_ns` is what its latency counts from, 0 before it is sent."""

    token: bytes
    __slots__ = ("attempts", "counted", "error", "replies", "request", "start_ns", "token")

    def __init__(self, request: Outgoing, counted: bool, start_ns: int) -> None:
        self.request = request
        self.counted = counted
        self.start_ns = start_ns
        self.attempts = 0
        self.replies = 0
        self.error: PynatsError | None = None
