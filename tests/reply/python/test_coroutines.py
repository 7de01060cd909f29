"""Coroutines for many jobs, without a task for each."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from typing import Any

from natscli.reply.python.coroutines import Coroutines


def each(
    work: Callable[[Any], Coroutine[Any, Any, None]],
) -> Callable[[deque[Any]], Coroutine[Any, Any, None]]:
    """Does one job after the other, as a handler does."""

    async def work_on(jobs: deque[Any]) -> None:
        fresh = copy_context()
        while jobs and copy_context() == fresh:
            await work(jobs.popleft())

    return work_on


def test_jobs_that_wait_for_nothing_are_done_in_order_by_one_task() -> None:
    async def check() -> None:
        done: list[tuple[int, object]] = []

        async def work(job: int) -> None:
            done.append((job, asyncio.current_task()))

        coroutines = Coroutines(10, each(work))
        for start in (0, 100):
            coroutines.submit(range(start, start + 100))
            await asyncio.sleep(0.01)
        assert [job for job, _ in done] == list(range(200))
        assert len({task for _, task in done}) == 1

    asyncio.run(check())


def test_so_many_jobs_wait_at_once_and_no_more() -> None:
    async def check() -> None:
        waiting = most = 0
        done: list[int] = []

        async def work(job: int) -> None:
            nonlocal waiting, most
            waiting += 1
            most = max(most, waiting)
            await asyncio.sleep(0.01 if job % 2 else 0)
            waiting -= 1
            done.append(job)

        coroutines = Coroutines(5, each(work))
        coroutines.submit(range(40))
        while len(done) < 40:
            await asyncio.sleep(0.001)
        assert (most, sorted(done)) == (5, list(range(40)))

    asyncio.run(check())


def test_a_timeout_within_a_job_ends_that_job_only() -> None:
    async def check() -> None:
        done: list[str] = []

        async def work(job: float) -> None:
            try:
                await asyncio.wait_for(asyncio.sleep(job), 0.05)
                done.append("in time")
            except asyncio.TimeoutError:
                done.append("late")

        coroutines = Coroutines(5, each(work))
        coroutines.submit([100, 0, 100, 0])
        while len(done) < 4:
            await asyncio.sleep(0.001)
        assert done == ["in time", "in time", "late", "late"]

    asyncio.run(check())


def test_a_job_does_not_see_the_context_variables_of_another() -> None:
    async def check() -> None:
        name: ContextVar[str] = ContextVar("name", default="")
        seen: list[str] = []

        async def work(job: int) -> None:
            seen.append(name.get())
            name.set(str(job))

        coroutines = Coroutines(5, each(work))
        coroutines.submit(range(20))
        while len(seen) < 20:
            await asyncio.sleep(0.001)
        assert seen == [""] * 20

    asyncio.run(check())


def test_stopping_cancels_what_waits_and_begins_nothing_more() -> None:
    async def check() -> None:
        begun: list[int] = []
        ended: list[int] = []

        async def work(job: int) -> None:
            begun.append(job)
            try:
                await asyncio.sleep(1000)
            finally:
                ended.append(job)

        coroutines = Coroutines(3, each(work))
        coroutines.submit(range(10))
        await asyncio.sleep(0.01)
        coroutines.stop()
        coroutines.submit(range(10))
        await asyncio.sleep(0.01)
        assert (begun, sorted(ended)) == ([0, 1, 2], [0, 1, 2])

    asyncio.run(check())
