"""Requests that are sent again: after a pause, on the next connection, or until there are responders."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator

from natscli.errors import ConnectionFailedError, NoRespondersError, PynatsError
from natscli.request.load import Load, pause
from natscli.request.ongoing import Ongoing


class Again:
    """The requests that wait to be sent again; `wake` is called when one can be.

    `waiting` is how many do. While `searching`, one request finds out whether there are responders; `given_up` is
    whether there were none in time.
    """

    def __init__(self, load: Load, wake: Callable[[], None]) -> None:
        self.waiting = 0
        self.searching = load.wait_for_responders > 0
        self.given_up = False
        self._loop = asyncio.get_running_loop()
        self._retries = load.retries
        self._wake = wake
        self._searches = 0
        self._searcher: Ongoing | None = None
        self._deadline = self._loop.time() + load.wait_for_responders
        self._pausing: set[Ongoing] = set()
        self._ready: deque[Ongoing] = deque()

    def __iter__(self) -> Iterator[Ongoing]:
        yield from self._pausing
        yield from self._ready

    def take(self, most: int) -> list[Ongoing]:
        """Up to so many that can be sent now."""
        count = min(most, len(self._ready))
        self.waiting -= count
        return [self._ready.popleft() for _ in range(count)]

    def clear(self) -> list[Ongoing]:
        """All of them, which are not sent again."""
        rest = list(self)
        self._pausing.clear()
        self._ready.clear()
        self.waiting = 0
        return rest

    def offer(self, ongoing: Ongoing, error: PynatsError) -> bool:
        """Whether a request that failed with `error`, without any reply, will be sent again."""
        if self.searching and isinstance(error, NoRespondersError):
            return self._search(ongoing)
        attempts = ongoing.attempts - (self._searches if ongoing is self._searcher else 0)
        if not self._retries.apply(error, attempts):
            return False
        if isinstance(error, ConnectionFailedError):
            self._ready.append(ongoing)
            self.waiting += 1
        else:
            self._after(pause(attempts), ongoing)
        return True

    def _search(self, ongoing: Ongoing) -> bool:
        left = self._deadline - self._loop.time()
        if left <= 0:
            self.given_up = True
            return False
        self._searches += 1
        self._searcher = ongoing
        self._after(min(pause(self._searches), left), ongoing)
        return True

    def _after(self, seconds: float, ongoing: Ongoing) -> None:
        self._pausing.add(ongoing)
        self.waiting += 1
        self._loop.call_later(seconds, self._make_ready, ongoing)

    def _make_ready(self, ongoing: Ongoing) -> None:
        if ongoing in self._pausing:
            self._pausing.remove(ongoing)
            self._ready.append(ongoing)
            self._wake()
