"""Threads that run what blocks."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

from natscli.reply.responders.parts.workers import Workers


def test_so_many_jobs_run_at_once_and_no_more() -> None:
    async def check() -> None:
        workers: Workers[int] = Workers(3)
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
            workers.submit(job, done)
        await asyncio.wait_for(all_done.wait(), 30)
        assert most == [3]

    asyncio.run(check())


def test_results_arrive_in_the_event_loop_in_order() -> None:
    async def check() -> None:
        workers: Workers[int] = Workers(1)
        results: list[tuple[int, bool]] = []
        all_done = asyncio.Event()

        def done(number: int) -> None:
            results.append((number, threading.current_thread() is threading.main_thread()))
            if len(results) == 100:
                all_done.set()

        for number in range(100):
            workers.submit(lambda number=number: number, done)  # type: ignore[misc]
        await asyncio.wait_for(all_done.wait(), 30)
        assert results == [(number, True) for number in range(100)]

    asyncio.run(check())


def test_a_job_that_hangs_does_not_hold_up_the_end_of_the_program() -> None:
    code = """if True:
        import asyncio, time
        from natscli.reply.responders.parts.workers import Workers
        async def main():
            workers = Workers(2)
            workers.submit(lambda: time.sleep(1000), print)
            workers.submit(lambda: time.sleep(0.2), print)
        asyncio.run(main())
        time.sleep(0.3)  # the second job ends when the loop is closed
        """
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=20, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")


def test_jobs_that_end_at_once_are_done_by_one_thread() -> None:
    async def check() -> None:
        workers: Workers[int] = Workers(50, eager=False)
        threads: set[int] = set()
        all_done = asyncio.Event()

        def done(thread: int) -> None:
            threads.add(thread)

        for _ in range(20):
            workers.submit(threading.get_ident, done)
            await asyncio.sleep(0.005)
        workers.submit(threading.get_ident, lambda thread: all_done.set())
        await asyncio.wait_for(all_done.wait(), 30)
        assert len(threads) == 1

    asyncio.run(check())


def test_more_threads_are_woken_while_jobs_wait() -> None:
    async def check() -> None:
        workers: Workers[int] = Workers(50, eager=False)
        together = threading.Barrier(50)
        results: list[int] = []
        all_done = asyncio.Event()

        def done(result: int) -> None:
            results.append(result)
            if len(results) == 100:
                all_done.set()

        for _ in range(100):
            workers.submit(lambda: together.wait(30), done)
        await asyncio.wait_for(all_done.wait(), 30)
        assert sorted(results) == sorted(2 * list(range(50)))

    asyncio.run(check())


def test_a_job_that_comes_as_a_thread_runs_out_of_jobs_does_not_wait_for_the_others() -> None:
    async def check() -> None:
        workers: Workers[int] = Workers(2)
        release, results, all_done = threading.Event(), list[int](), asyncio.Event()
        workers.submit(lambda: int(release.wait(60)), results.append)

        def done(number: int) -> None:
            if number == 2000:
                all_done.set()
            else:
                workers.submit(lambda: number + 1, done)

        workers.submit(lambda: 0, done)
        try:
            await asyncio.wait_for(all_done.wait(), 30)
            assert results == []  # the other thread was busy all the time
        finally:
            release.set()

    asyncio.run(check())
