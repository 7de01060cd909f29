"""Compares large replies with recorded ones in a thread, so that others are read meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from natscli.message.exchange import Answer, Exchange
from natscli.message.records.compare import Comparison, Difference

#: Bytes whose comparison may take a twentieth of a second.
LARGE = 128 * 1024

Done = Callable[[list[Difference]], None]


class Comparing:
    """Compares in one thread, as `comparison` says. `pending` is how many comparisons are not done yet.

    `failed` is called with what goes wrong in one, which is never done then, or in what is called with its outcome.
    """

    def __init__(self, comparison: Comparison, failed: Callable[[Exception], None]) -> None:
        self.pending = 0
        self._comparison = comparison
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[tuple[Exchange, Sequence[Answer], str, Done]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def compare(self, exchange: Exchange, answers: Sequence[Answer], no_responders: str, done: Done) -> None:
        """Find out what differs, and call `done` with it."""
        self.pending += 1
        self._jobs.put((exchange, tuple(answers), no_responders, done))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="comparing", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            exchange, answers, no_responders, done = self._jobs.get()
            found: list[Difference] | Exception
            try:
                found = self._comparison.differences(exchange, answers, no_responders=no_responders)
            except Exception as error:
                found = error
            try:
                self._loop.call_soon_threadsafe(self._done, done, found)
            except RuntimeError:  # the loop is closed: the program is about to end
                return

    def _done(self, done: Done, found: list[Difference] | Exception) -> None:
        if isinstance(found, Exception):
            self._failed(found)
            return
        self.pending -= 1
        try:
            done(found)
        except Exception as error:
            self._failed(error)
