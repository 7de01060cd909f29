"""Requests that are sent again: after a pause, on the next connection, or until there are responders.

The law of this file: it has no clock. Times are seconds of one clock that the caller reads (`loop.time()`).
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from itertools import count

from natscli.errors import ConnectionFailedError, NoRespondersError, PynatsError
from natscli.message.recipe import Outgoing
from natscli.request.load import RETRY, Load


class Ongoing:
    """A request in flight, or to be sent again. `start_ns` is what its latency counts from, 0 before it is sent.

    `stream` is the one that took it while responders were waited for.
    """

    token: bytes
    __slots__ = ("attempts", "counted", "error", "replies", "request", "start_ns", "stream", "token")

    def __init__(self, request: Outgoing, counted: bool, start_ns: int) -> None:
        self.request = request
        self.counted = counted
        self.start_ns = start_ns
        self.attempts = 0
        self.replies = 0
        self.error: PynatsError | None = None
        self.stream = ""


class Again:
    """The requests that wait to be sent again. Ask `next_ready` when to call `take` for the next of them.

    While `searching`, one request finds out whether there are responders, until `deadline`; `given_up` is whether
    there were none by then.
    """

    def __init__(self, load: Load, now: float) -> None:
        self.searching = load.wait_for_responders > 0
        self.given_up = False
        #: Called when the search is over.
        self.on_found: Callable[[], None] = lambda: None
        self._deadline = now + load.wait_for_responders
        self._retries = load.retries
        self._searches = 0
        self._searcher: Ongoing | None = None
        self._ready: deque[Ongoing] = deque()
        self._pausing: list[tuple[float, int, Ongoing]] = []
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._ready) + len(self._pausing)

    def __iter__(self) -> Iterator[Ongoing]:
        yield from self._ready
        yield from (ongoing for _, _, ongoing in self._pausing)

    @property
    def next_ready(self) -> float | None:
        """When the next pause is over; None if no request pauses."""
        return self._pausing[0][0] if self._pausing else None

    def take(self, most: int, now: float) -> list[Ongoing]:
        """Up to `most` requests that can be sent now, which do not wait any more."""
        while self._pausing and self._pausing[0][0] <= now:
            self._ready.append(heapq.heappop(self._pausing)[2])
        return [self._ready.popleft() for _ in range(min(most, len(self._ready)))]

    def clear(self) -> list[Ongoing]:
        """Take all out, which are not sent again."""
        rest = list(self)
        self._ready.clear()
        self._pausing.clear()
        return rest

    def search_left(self, now: float) -> float:
        """Seconds until the search is over."""
        return max(self._deadline - now, 0.0)

    def found(self) -> None:
        """End the search: there are responders."""
        if self.searching:
            self.searching = False
            self.on_found()

    def offer(self, ongoing: Ongoing, error: PynatsError, now: float) -> bool:
        """Whether a request that failed with `error`, without any reply, will be sent again."""
        if self.searching and isinstance(error, (NoRespondersError, ConnectionFailedError)):
            return self._search(ongoing, now)
        attempts = ongoing.attempts - (self._searches if ongoing is self._searcher else 0)
        if not self._retries.apply(error, attempts):
            return False
        if isinstance(error, ConnectionFailedError):
            self._ready.append(ongoing)
        else:
            self._pause(ongoing, now + RETRY.pause(attempts))
        return True

    def _search(self, ongoing: Ongoing, now: float) -> bool:
        if now >= self._deadline:
            self.given_up = True
            return False
        self._searches += 1
        self._searcher = ongoing
        self._pause(ongoing, min(now + RETRY.pause(self._searches), self._deadline))
        return True

    def _pause(self, ongoing: Ongoing, until: float) -> None:
        heapq.heappush(self._pausing, (until, next(self._numbers), ongoing))
