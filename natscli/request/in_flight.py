"""Requests in flight: found by the token that ends their reply subject, and given up when their time is over."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator

from natscli.errors import PynatsError
from natscli.message.recipe import Outgoing


class Pending:
    """A request in flight, or to be sent again. `start_ns` is what its latency counts from, 0 before it is sent."""

    token: bytes
    deadline: float
    __slots__ = ("attempts", "counted", "deadline", "error", "replies", "request", "start_ns", "token")

    def __init__(self, request: Outgoing, counted: bool, start_ns: int) -> None:
        self.request = request
        self.counted = counted
        self.start_ns = start_ns
        self.attempts = 0
        self.replies = 0
        self.error: PynatsError | None = None


class InFlight:
    """The requests in flight. `on_timeout` is called with those whose time is over.

    One timer serves all: a timer for each would cost more than the rest of a request. With `in_order` all have the same
    time from when they are added, and the first added is the first whose time is over.
    """

    def __init__(self, on_timeout: Callable[[list[Pending]], None], *, in_order: bool) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_timeout = on_timeout
        self._in_order = in_order
        self._by_token: dict[bytes, Pending] = {}
        self._tokens = _tokens()
        self._timer: asyncio.TimerHandle | None = None
        self.find = self._by_token.get

    def __len__(self) -> int:
        return len(self._by_token)

    def __iter__(self) -> Iterator[Pending]:
        return iter(list(self._by_token.values()))

    def add(self, batch: list[Pending], seconds: float) -> None:
        """Put them in flight, each with a token of its own, for so long."""
        by_token, tokens = self._by_token, self._tokens
        deadline = self._loop.time() + seconds
        for pending in batch:
            token = pending.token = next(tokens)
            pending.deadline = deadline
            pending.attempts += 1
            by_token[token] = pending
        if self._timer is None or deadline < self._timer.when():
            self._wake_at(deadline)

    def extend(self, pending: Pending, seconds: float) -> None:
        """Give it so long from now."""
        pending.deadline = self._loop.time() + seconds
        if self._timer is None or pending.deadline < self._timer.when():
            self._wake_at(pending.deadline)

    def remove(self, pending: Pending) -> None:
        """It has ended."""
        del self._by_token[pending.token]

    def _wake_at(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._expire)

    def _expire(self) -> None:
        self._timer = None
        now = self._loop.time()
        over = []
        for pending in self._by_token.values():
            if pending.deadline <= now:
                over.append(pending)
            elif self._in_order:
                break
        if over:
            self._on_timeout(over)
        if self._by_token and self._timer is None:
            rest = self._by_token.values()
            next_one = next(iter(rest)) if self._in_order else min(rest, key=lambda p: p.deadline)
            self._wake_at(next_one.deadline)


def _tokens() -> Iterator[bytes]:
    """Last tokens of inboxes, not to be guessed: who got one request must not be able to answer another."""
    while True:
        random = os.urandom(8 * 64).hex().encode()
        yield from (random[start : start + 16] for start in range(0, len(random), 16))
