"""Requests that are pending: accepted, and not answered yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from natscli.message.message import Message, memory_of
from natscli.system.waiting import within


class Pending:
    """How many requests are pending, and their bytes; bounded, so that memory is."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self.requests = 0
        self._bytes = 0
        self._most = most
        self._most_bytes = most_bytes
        self._empty = asyncio.Event()
        self._empty.set()

    def add(self, requests: list[Message]) -> bool:
        """Accept these, if there is room for all. One may have any size if nothing else is pending."""
        size = memory_of(requests)
        fits = self.requests + len(requests) <= self._most and self._bytes + size <= self._most_bytes
        if not fits and (self.requests or len(requests) > 1):
            return False
        self.requests += len(requests)
        self._bytes += size
        self._empty.clear()
        return True

    def remove(self, requests: list[Message]) -> None:
        """These, which were accepted, are answered."""
        self.requests -= len(requests)
        self._bytes -= memory_of(requests)
        if not self.requests:
            self._empty.set()

    async def empty(self, reminder: float, remind: Callable[[float], object]) -> None:
        """Wait until nothing is pending; each `reminder` seconds, `remind` is called with the seconds waited so far."""
        began = asyncio.get_running_loop().time()
        while self.requests:
            with suppress(asyncio.TimeoutError):
                await within(reminder, self._empty.wait())
                return
            remind(asyncio.get_running_loop().time() - began)
