"""Coroutines for many requests, without a task for each."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from contextvars import copy_context
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Coroutines(Generic[T]):
    """Awaits `work(jobs)`, which takes one job after the other, `most` of them at once.

    One task does job after job as long as they end without waiting for anything, which takes a tenth of a task for
    each. Once a job waits, another task goes on with the next. Jobs never see each other's context variables.
    """

    def __init__(self, most: int, work: Callable[[deque[T]], Coroutine[Any, Any, None]]) -> None:
        """`work` returns when there are no more jobs, or when one has changed a context variable.

        It must not raise, unless it is cancelled.
        """
        self._most = most
        self._work = work
        self._loop = asyncio.get_running_loop()
        self._jobs: deque[T] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle: list[asyncio.Future[None]] = []
        self._scheduled = False

    def submit(self, jobs: Iterable[T]) -> None:
        """Begin these, after those that wait already."""
        self._jobs.extend(jobs)
        if not self._scheduled:
            self._next_task()

    def stop(self) -> None:
        """Cancel all, and begin no more."""
        self._most = 0
        self._jobs.clear()
        self._idle.clear()
        for task in self._tasks:
            task.cancel()

    def _next_task(self) -> None:
        """Let a task go on with the jobs; called again after its step, because what is left then is for another."""
        self._scheduled = False
        if not self._jobs:
            return
        if self._idle:
            self._idle.pop().set_result(None)
        elif len(self._tasks) < self._most:
            task = self._loop.create_task(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._ended)
        else:
            return
        self._scheduled = True
        self._loop.call_soon(self._next_task)

    async def _run(self) -> None:
        work, jobs, fresh = self._work, self._jobs, copy_context()
        while True:
            await work(jobs)
            if copy_context() != fresh:
                return
            idle = self._loop.create_future()
            self._idle.append(idle)
            await idle

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._jobs and not self._scheduled:
            self._next_task()
