"""Threads for work that blocks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")


class Workers(Generic[T]):
    """At most so many threads, which run jobs in order and hand the results to the event loop.

    Unlike those of `concurrent.futures` they are daemons: a job that hangs cannot hold up the end of the program.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._started = 0
        self._stopped = False
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[tuple[Callable[[], T], Callable[[T], object]]] = SimpleQueue()

    def submit(self, job: Callable[[], T], done: Callable[[T], object]) -> None:
        """Run `job`, which must not raise, in a thread, and then `done` with its result in the event loop."""
        self._jobs.put((job, done))
        if self._started < self._most:
            self._started += 1
            threading.Thread(target=self._run, name=f"worker-{self._started}", daemon=True).start()

    def stop(self) -> None:
        """Begin no more jobs and hand on no more results."""
        self._stopped = True

    def _run(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: the program is about to end
            while not self._stopped:
                job, done = self._jobs.get()
                self._loop.call_soon_threadsafe(self._hand_on, done, job())

    def _hand_on(self, done: Callable[[T], object], result: T) -> None:
        if not self._stopped:
            done(result)
