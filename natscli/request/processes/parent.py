"""A run of requests from several processes, where one core is not enough: each has its share, the sums are shown.

Every process connects for itself, says so through a pipe, and waits for the answer: all are connected. Then it sends
what it counted, some of it while it runs, all of it at the end. One that finds the pipe closed has lost its parent, and
ends.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import connection, get_context
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING

from natscli.environment import Environment
from natscli.errors import ExitStatus, PynatsError, explain
from natscli.message.recipe import Recipe
from natscli.request.options import RequestOptions
from natscli.request.processes.child import Assignment, Interim, work
from natscli.request.run import conclude, display_of, status, write
from natscli.request.statistics import Statistics
from natscli.settings import Settings

if TYPE_CHECKING:
    from natscli.request.conditions.thresholds import Verdict

#: Seconds that interrupted processes may take to end by themselves, and when they are asked to.
_END, _TERMINATE = 0.3, 5.0


async def run_all(
    options: RequestOptions,
    settings: Settings,
    recipe: Recipe,
    environment: Environment,
    verdict: Verdict | None = None,
) -> ExitStatus:
    """Run the processes, show the sums; the status of the first failure.

    Raises:
        PynatsError: a process could not connect, or was killed.
        asyncio.CancelledError: a signal; the summary of what was done so far was shown.
    """
    parts = options.processes or 1
    body = (
        recipe.body.format if options.body is None else None
    )  # read from a file or stdin, which is at its end
    display = display_of(options, environment)
    how = environment.trace, environment.log_json
    team = Team([Assignment(i, parts, options, settings, body, *how) for i in range(parts)])
    try:
        with display.open(team.total):
            try:
                await team.run()
                failures = conclude(display, team.total(), verdict)
                await display.finish(team.total())
                _say_first_failure(team.total(), environment)
            except asyncio.CancelledError:
                await team.stop()
                raise
            finally:
                team.kill()
    finally:
        write(options, team.total(), environment, settings.server.value, sys.exc_info()[1] or team.error)
    if team.error is not None:
        raise team.error
    return status(team.total(), verdict, failures)


def _say_first_failure(total: Statistics, environment: Environment) -> None:
    """What has failed first, where no summary has an example of it."""
    if environment.quiet and total.first_failure is not None:
        environment.error(explain(total.first_failure))


class Team:
    """The processes, what each has reported last, and the first `error` that ended one early."""

    def __init__(self, parts: Sequence[Assignment]) -> None:
        self.error: PynatsError | None = None
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._reports: list[Statistics] = [Statistics() for _ in parts]
        self._running = len(parts)
        self._connected: set[int] = set()
        self._answered = False
        context = get_context("spawn")
        self._processes: list[SpawnProcess] = []
        self._tell: list[Callable[[bool], None]] = []
        for part in parts:
            ours, theirs = context.Pipe()
            process = context.Process(target=work, args=(part, theirs), daemon=True)
            process.start()
            theirs.close()
            self._processes.append(process)
            self._tell.append(ours.send)
            threading.Thread(target=self._listen, args=(part.index, ours), daemon=True).start()

    async def run(self) -> None:
        """Wait until all have ended."""
        await asyncio.shield(self._ended)

    async def stop(self) -> None:
        """End those that a Ctrl-C at the terminal has not ended, and wait for what they counted."""
        self._answer(False)
        for seconds in (_END, _TERMINATE):
            await asyncio.wait((self._ended,), timeout=seconds)
            for process in self._processes if not self._ended.done() else ():
                process.terminate()

    def kill(self) -> None:
        """Leave none behind."""
        for process in self._processes:
            process.kill()

    def total(self) -> Statistics:
        """The sums of what all have reported."""
        total = Statistics()
        for statistics in self._reports:
            total.add(statistics)
        return total

    def _listen(self, index: int, pipe: connection.Connection) -> None:
        """In a thread: pass on what a process reports, until it ends."""
        last = False
        while not last:
            try:
                report: Interim = pipe.recv()
            except (EOFError, OSError):
                report = Interim(self._reports[index], True, self._death(index))
            last = report.last
            with suppress(RuntimeError):  # the loop is closed when the run was interrupted
                self._loop.call_soon_threadsafe(self._reported, index, report)

    def _death(self, index: int) -> PynatsError:
        process = self._processes[index]
        process.join(1)
        code = process.exitcode
        how = (
            f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with status {code}"
        )
        return PynatsError(f"process {index + 1} {how}; its last requests are not counted")

    def _reported(self, index: int, report: Interim) -> None:
        self._reports[index] = report.statistics
        self.error = self.error or report.error
        self._connected.add(index)
        if report.last or len(self._connected) == len(self._reports):
            self._answer(not report.last)
        self._running -= report.last
        if not self._running and not self._ended.done():
            self._ended.set_result(None)

    def _answer(self, go: bool) -> None:
        """Tell all, once, whether to send: when all are connected, or when the run ends before."""
        if not self._answered:
            self._answered = True
            for tell in self._tell:
                with suppress(OSError):  # it was killed
                    tell(go)
