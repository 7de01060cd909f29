"""Threads that run what blocks."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from natscli.reply.responders.parts.workers import Workers

#: What is called in a thread, and what with its result.
Call = tuple[Callable[[], Any], Callable[[Any], object]]


class Calls(Workers[Call, Any]):
    """Workers whose jobs are functions."""

    def __init__(self, most: int, *, eager: bool = True) -> None:
        super().__init__(most, lambda job: job[0](), lambda job, result: job[1](result), eager=eager)

    def call(self, work: Callable[[], Any], done: Callable[[Any], object]) -> None:
        self.submit([(work, done)])


def test_so_many_jobs_run_at_once_and_no_more() -> None:
    async def check() -> None:
        workers = Calls(3)
        together = threading.Barrier(3)
        running, most, results = set[int](), [0], list[int]()
        all_done = asyncio.Event()

        def job() -> int:
            running.add(threading.get_ident())
            most[0] = max(most[0], len(running))
            together.wait(30)
            running.discard(threading.get_ident())
            return together.wait(30)

        def done(result: int) -> None:
            results.append(result)
            if len(results) == 9:
                all_done.set()

        for _ in range(9):
            workers.call(job, done)
        await asyncio.wait_for(all_done.wait(), 30)
        assert most == [3]

    asyncio.run(check())


def test_results_arrive_in_the_event_loop_in_order() -> None:
    async def check() -> None:
        workers = Calls(1)
        results: list[tuple[int, bool]] = []
        all_done = asyncio.Event()

        def done(number: int) -> None:
            results.append((number, threading.current_thread() is threading.main_thread()))
            if len(results) == 100:
                all_done.set()

        for number in range(100):
            workers.call(lambda number=number: number, done)  # type: ignore[misc]
        await asyncio.wait_for(all_done.wait(), 30)
        assert results == [(number, True) for number in range(100)]

    asyncio.run(check())


def test_a_job_that_hangs_does_not_hold_up_the_end_of_the_program() -> None:
    code = """if True:
        import asyncio, time
        from natscli.reply.responders.parts.workers import Workers
        async def main():
            workers = Workers(2, time.sleep, print)
            workers.submit([1000, 0.2])
        asyncio.run(main())
        time.sleep(0.3)  # the second job ends when the loop is closed
        """
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=20, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")


def test_jobs_that_end_at_once_are_done_by_one_thread() -> None:
    async def check() -> None:
        workers = Calls(50, eager=False)
        threads: set[int] = set()
        all_done = asyncio.Event()

        def done(thread: int) -> None:
            threads.add(thread)

        for _ in range(20):
            workers.call(threading.get_ident, done)
            await asyncio.sleep(0.005)
        workers.call(threading.get_ident, lambda thread: all_done.set())
        await asyncio.wait_for(all_done.wait(), 30)
        assert len(threads) == 1

    asyncio.run(check())


def test_more_threads_are_woken_while_jobs_wait() -> None:
    async def check() -> None:
        workers = Calls(50, eager=False)
        together = threading.Barrier(50)
        results: list[int] = []
        all_done = asyncio.Event()

        def done(result: int) -> None:
            results.append(result)
            if len(results) == 100:
                all_done.set()

        for _ in range(100):
            workers.call(lambda: together.wait(30), done)
        await asyncio.wait_for(all_done.wait(), 30)
        assert sorted(results) == sorted(2 * list(range(50)))

    asyncio.run(check())


def test_a_job_that_comes_as_a_thread_runs_out_of_jobs_does_not_wait_for_the_others() -> None:
    async def check() -> None:
        workers = Calls(2)
        release, results, all_done = threading.Event(), list[int](), asyncio.Event()
        workers.call(lambda: int(release.wait(60)), results.append)

        def done(number: int) -> None:
            if number == 2000:
                all_done.set()
            else:
                workers.call(lambda: number + 1, done)

        workers.call(lambda: 0, done)
        try:
            await asyncio.wait_for(all_done.wait(), 30)
            assert results == []  # the other thread was busy all the time
        finally:
            release.set()

    asyncio.run(check())


def test_jobs_do_not_see_the_context_variables_of_each_other() -> None:
    async def check() -> None:
        name: ContextVar[str] = ContextVar("name", default="")
        name.set("outside")
        workers = Calls(2, eager=False)
        seen: list[str] = []
        all_done = asyncio.Event()

        def job() -> str:
            before = name.get()
            name.set("another")
            return before

        def done(before: str) -> None:
            seen.append(before)
            if len(seen) == 100:
                all_done.set()

        workers.submit([(job, done)] * 100)
        await asyncio.wait_for(all_done.wait(), 30)
        assert seen == ["outside"] * 100

    asyncio.run(check())
