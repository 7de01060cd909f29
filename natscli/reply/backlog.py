"""Requests in hand: accepted, and waiting for a command or a delay to be answered."""

from __future__ import annotations

import asyncio


class Backlog:
    """How many requests are in hand, and their bytes; bounded, so that memory is."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self.requests = 0
        self._bytes = 0
        self._most = most
        self._most_bytes = most_bytes
        self._empty = asyncio.Event()
        self._empty.set()

    def accept(self, size: int) -> bool:
        """Take a request of `size` bytes in hand, if there is room. One alone may have any size."""
        if self.requests and (self.requests >= self._most or self._bytes + size > self._most_bytes):
            return False
        self.requests += 1
        self._bytes += size
        self._empty.clear()
        return True

    def done(self, size: int) -> None:
        """A request that was accepted is answered."""
        self.requests -= 1
        self._bytes -= size
        if not self.requests:
            self._empty.set()

    async def empty(self) -> None:
        """Wait until all are answered."""
        await self._empty.wait()
