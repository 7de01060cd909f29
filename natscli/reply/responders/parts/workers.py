"""Threads for work that blocks."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")

#: Seconds in which the threads that are awake must have begun all waiting jobs, or more of them are woken.
_WATCH_INTERVAL = 0.002


class Workers(Generic[T]):
    """Threads, `most` of them at most, that begin jobs in order and bring the results to the event loop.

    With `eager` a thread is woken for each job, which is best for jobs that take long. Without, one thread does what is
    done at once, and while jobs wait for it the number of threads is doubled.
    Unlike those of `concurrent.futures` they are daemons: a job that hangs cannot hold up the end of the program.
    """

    def __init__(self, most: int, *, eager: bool = True) -> None:
        self._most = most
        self._eager = eager
        self._started = 0
        self._awake = 0  # as far as the event loop knows
        self._begun = 0
        self._watching = self._delivering = self._stopped = False
        self._loop = asyncio.get_running_loop()
        self._jobs: deque[tuple[Callable[[], T], Callable[[T], object]]] = deque()
        self._results: deque[Callable[[], object]] = deque()
        self._tokens: SimpleQueue[None] = SimpleQueue()

    def submit(self, job: Callable[[], T], done: Callable[[T], object]) -> None:
        """Run `job`, which must not raise, in a thread, and then `done` with its result in the event loop."""
        self._jobs.append((job, done))
        if self._eager or not self._awake:
            self._wake(1)
        elif not self._watching:
            self._watching = True
            self._watch_later()

    def stop(self) -> None:
        """Begin no more jobs and drop the results of those that run."""
        self._stopped = True

    def _wake(self, threads: int) -> None:
        for _ in range(min(threads, self._most - self._awake)):
            self._awake += 1
            if self._started < self._awake:
                self._started += 1
                threading.Thread(target=self._run, name=f"worker-{self._started}", daemon=True).start()
            self._tokens.put(None)

    def _watch_later(self) -> None:
        self._loop.call_later(_WATCH_INTERVAL, self._watch, self._begun + len(self._jobs))

    def _watch(self, expected: int) -> None:
        self._watching = bool(self._jobs)
        if self._watching:
            if self._begun < expected:
                self._wake(max(1, self._awake))
            self._watch_later()

    def _run(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: the program is about to end
            while True:
                self._tokens.get()
                while self._jobs and not self._stopped:
                    with suppress(IndexError):  # another thread has taken it
                        job, done = self._jobs.popleft()
                        self._begun += 1
                        self._deliver_later(partial(done, job()))
                self._deliver_later(self._asleep)

    def _deliver_later(self, result: Callable[[], object]) -> None:
        self._results.append(result)
        if not self._delivering:
            self._delivering = True
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._delivering = False
        while self._results and not self._stopped:
            self._results.popleft()()

    def _asleep(self) -> None:
        self._awake -= 1
        if self._jobs and (self._eager or not self._awake):
            self._wake(1)
