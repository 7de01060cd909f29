"""Which server to try next, and when: pure, with time as an argument.

A connection counts as good when it has lasted `SETTLED` seconds. Until one has, every connection that ended and every
try that failed makes the pause before the next try of that server longer: a server that takes a connection and closes
it at once is met with pauses, as one that takes none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import sample
from typing import Generic, TypeVar

from natscli.backoff import Backoff, jitter

#: Seconds that a connection has to last.
SETTLED = 5.0
#: The pauses where nothing can be reached, which costs nobody anything, and where something answers.
UNREACHED, REACHED = Backoff(0.1, 1.6), Backoff(0.1, 5.0)
#: Servers not tried before that are tried without a pause: a cluster may tell new ones at each connection. Then there
#: is a short one, and one that grows with the number of connections that have ended, whichever server they were to.
_AT_ONCE = 8

S = TypeVar("S")


class NextServer(Generic[S]):
    """Chooses among servers, of any kind that can be compared and hashed. `jitter` gives a factor for each pause."""

    def __init__(self, jitter: Callable[[], float] = jitter) -> None:
        self._jitter = jitter
        self._failures: dict[S, int] = {}
        self._reached: set[S] = set()
        self._tries = self._ended = 0
        self._made: tuple[S, float] | None = None

    def made(self, server: S, now: float) -> None:
        """A connection was made."""
        self._made = server, now

    def lost(self, now: float) -> None:
        """It ended. One that has lasted makes all servers good again."""
        if self._made is None:
            return
        server, began = self._made
        if now - began >= SETTLED:
            self._failures.clear()
            self._reached.clear()
            self._tries = self._ended = 0
        else:
            self.failed(server, reached=True)

    def failed(self, server: S, *, reached: bool) -> None:
        """A try failed; `reached` is whether something answered."""
        self._failures[server] = self._failures.get(server, 0) + 1
        self._ended += reached
        (self._reached.add if reached else self._reached.discard)(server)

    def choose(self, servers: Sequence[S]) -> tuple[S, float]:
        """The server to try next, and the pause (seconds) before.

        It is the one that failed least; among several any, the one that was lost last.
        """
        self._tries += 1
        last = self._made[0] if self._made else None
        server = min(sample(servers, len(servers)), key=lambda s: (self._failures.get(s, 0), s == last))
        failures = self._failures.get(server, 0)
        if not failures:
            pause = REACHED.pause(max(self._ended - _AT_ONCE, 1))
            return server, 0.0 if self._tries <= _AT_ONCE else pause * self._jitter()
        backoff = REACHED if server in self._reached else UNREACHED
        return server, backoff.pause(failures) * self._jitter()
