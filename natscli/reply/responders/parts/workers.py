"""Threads for work that blocks."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from contextvars import Context, copy_context
from queue import SimpleQueue
from typing import Generic, TypeVar

J = TypeVar("J")
R = TypeVar("R")

#: Seconds in which the threads that are awake must have begun all waiting jobs, or more of them are woken.
_WATCH_INTERVAL = 0.002


class Workers(Generic[J, R]):
    """Threads, `most` of them at most, that begin jobs in order and bring the results to the event loop.

    With `eager` a thread is woken for each job, which is best for jobs that take long. Without, one thread does what is
    done at once, and while jobs wait for it the number of threads is doubled. Jobs never see each other's context
    variables.
    Unlike those of `concurrent.futures` they are daemons: a job that hangs cannot hold up the end of the program.
    """

    def __init__(
        self, most: int, work: Callable[[J], R], done: Callable[[J, R], object], *, eager: bool = True
    ) -> None:
        """Run `work(job)`, which must not raise, in a thread, and then `done(job, result)` in the event loop."""
        self._most = most
        self._work, self._done = work, done
        self._eager = eager
        self._started = 0
        self._awake = 0  # as far as the event loop knows
        self._begun = 0
        self._watching = self._delivering = self._stopped = False
        self._loop = asyncio.get_running_loop()
        self._context: Context | None = None
        self._jobs: deque[J] = deque()
        self._results: deque[tuple[J, R] | None] = deque()  # None is of a thread that goes to sleep
        self._tokens: SimpleQueue[None] = SimpleQueue()

    def submit(self, jobs: Iterable[J]) -> None:
        """Begin these, after those that wait already."""
        self._context = self._context or copy_context()
        new = list(jobs)
        self._jobs.extend(new)
        if self._eager:
            self._wake(len(new))
            return
        some_are_left = bool(self._awake) or len(new) > 1
        if not self._awake:
            self._wake(1)
        if some_are_left and not self._watching:
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
        assert self._context is not None
        with suppress(RuntimeError):  # the loop is closed: the program is about to end
            while True:
                self._tokens.get()
                while self._jobs and not self._stopped:
                    self._context.copy().run(self._work_on)
                self._deliver_later(None)

    def _work_on(self) -> None:
        """Do jobs until there are none, or one has changed a context variable, which the next must not see."""
        jobs, work, fresh = self._jobs, self._work, copy_context()
        while jobs and not self._stopped:
            try:
                job = jobs.popleft()
            except IndexError:  # another thread has taken it
                return
            self._begun += 1
            self._deliver_later((job, work(job)))
            if copy_context() != fresh:
                return

    def _deliver_later(self, result: tuple[J, R] | None) -> None:
        self._results.append(result)
        if not self._delivering:
            self._delivering = True
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._delivering = False
        results, done = self._results, self._done
        while results and not self._stopped:
            result = results.popleft()
            if result is None:
                self._asleep()
            else:
                done(*result)

    def _asleep(self) -> None:
        self._awake -= 1
        if self._jobs and (self._eager or not self._awake):
            self._wake(1)
