"""Whether a run is asked to end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class EndRequest(asyncio.Event):
    """It is set when the run is to end, by `ask` for a signal."""

    def __init__(self) -> None:
        super().__init__()
        self._starting: asyncio.Task[object] | None = None

    @contextmanager
    def starting(self) -> Iterator[None]:
        """In the block nothing is listened to yet: what it waits for is cancelled when a signal comes."""
        self._starting = asyncio.current_task()
        try:
            yield
        finally:
            self._starting = None

    def ask(self) -> None:
        """A signal came."""
        self.set()
        if self._starting is not None:
            self._starting.cancel()
