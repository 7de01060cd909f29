"""Several processes that answer in the same queue group (`--processes`): started, replaced when they die, and ended."""

from __future__ import annotations

import asyncio
import json
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import IO

from natscli.backoff import Backoff
from natscli.connection.credentials import of_context, with_references
from natscli.environment import Environment
from natscli.errors import ExitStatus, PynatsError, explain
from natscli.output.pump import Pump
from natscli.reply.figures import Figures, together
from natscli.reply.options import ReplyOptions
from natscli.reply.processes.board import Board, SharedNumbers
from natscli.reply.processes.child import DRAIN, PROGRAM, STOP, Assignment
from natscli.reply.show.report import StatisticsReporter
from natscli.settings import Settings
from natscli.system.signals import Stop, on_info
from natscli.system.waiting import within

#: Seconds between two looks at the processes, and that they get to stop at once before they are killed.
_LOOK, _PATIENCE = 0.05, 2.0
#: Seconds before a process that died is replaced: doubled each time, from the first to the longest, until one has
#: listened for the last of these.
_RESTART, _SETTLED = Backoff(0.1, 5.0), 10.0


async def supervise(options: ReplyOptions, settings: Settings, environment: Environment) -> None:
    """Answer with `options.processes` processes until a signal, or until `--count` requests are answered.

    `settings` have the secrets themselves; a process that replaces another one asks for what they are then.

    Raises:
        PynatsError: one of the first processes cannot start, or one failed at the end.
        asyncio.CancelledError: stopped a second time.
    """
    await Supervisor(options, settings, environment).run()


class Process:
    """One place of several: the process that has it, and what is known of it."""

    def __init__(self, index: int, board: Board) -> None:
        self.name = f"process {index + 1}"
        self.place = board.place(index)
        self.popen: subprocess.Popen[bytes] | None = None
        self.listening_since = 0.0
        self.failures = 0
        self.due = 0.0
        self.starts = 0
        self.reason = ""

    @property
    def pid(self) -> int:
        """Its process id, of the last if it does not run."""
        return self.popen.pid if self.popen is not None else 0

    @property
    def runs(self) -> bool:
        """Whether there is one that has not ended, as far as was looked."""
        return self.popen is not None

    def order(self, command: bytes) -> None:
        """Tell it what to do."""
        view = memoryview(command)
        with suppress(OSError, ValueError):  # it has ended
            while view and self.popen is not None and self.popen.stdin is not None:
                view = view[self.popen.stdin.write(view) or 0 :]

    def failure(self) -> Failed | None:
        """Why it ended, unless that was in order."""
        assert self.popen is not None
        status = self.popen.returncode
        with suppress(ValueError):
            found = json.loads(self.place.failure.get())
            return Failed(found["message"], found["hint"], ExitStatus(found["status"]), reported=True)
        if status:
            what = f"killed by signal {-status}" if status < 0 else f"ended with exit status {status}"
            return Failed(what, "", ExitStatus.FAILURE, reported=False)
        return None

    def has_settled(self, now: float) -> bool:
        """Whether it has listened for a while."""
        return bool(self.listening_since) and now - self.listening_since > _SETTLED

    def wait(self, now: float, settled: bool) -> None:
        """Start another, after a pause."""
        self.failures = 1 if settled else self.failures + 1
        self.due = now + _RESTART.pause(self.failures)

    def forget(self) -> None:
        """Ready for another."""
        assert self.popen is not None
        if self.popen.stdin is not None:
            self.popen.stdin.close()
        self.popen, self.listening_since = None, 0.0
        self.place.clear()


class Failed(PynatsError):
    """Why a process ended; `reported` by itself, or seen from its exit status."""

    def __init__(self, what: str, hint: str, status: ExitStatus, *, reported: bool) -> None:
        super().__init__(what, hint=hint)
        self.status = status
        self.reported = reported


class Supervisor:
    """The processes of one run."""

    def __init__(self, options: ReplyOptions, settings: Settings, environment: Environment) -> None:
        self._options = options
        self._settings = settings
        self._environment = environment
        self._board = Board.create(options.processes)
        self._numbers = SharedNumbers(self._board, options.count)
        self._processes = [Process(index, self._board) for index in range(options.processes)]
        self._gone = together([], 0)
        self._stop = asyncio.Event()
        self._listened = False
        self._failure: PynatsError | None = None
        self._report = StatisticsReporter(
            environment,
            self._figures,
            options.title,
            live=options.stats,
            as_json=options.as_json,
        )
        self._pump = Pump(
            environment,
            lossy=True,
            on_failure=lambda _: None,
            wrap=self._report.wrap,
            turn=self._board.output,
        )

    async def run(self) -> None:
        """See `supervise`."""
        with self._pump.taking_log():
            stop = Stop(self._stop.set)
            try:
                await self._supervise()
            finally:
                stop.blocking = True
                self._end()
        if self._failure is not None:
            raise self._failure

    async def _supervise(self) -> None:
        for process in self._processes:
            self._start(process)
        await self._until(lambda: all(p.listening_since for p in self._processes))
        self._begin()
        await self._until(lambda: self._numbers.exhausted)
        for process in self._processes:
            process.order(DRAIN)
        while any(process.runs for process in self._processes):
            self._look()
            await asyncio.sleep(_LOOK)
        if self._stop.is_set() and not self._listened and self._failure is None:
            raise asyncio.CancelledError  # before anything was listened to, a signal interrupts

    def _begin(self) -> None:
        """All listen, or a signal came before that."""
        if not self._stop.is_set():
            pids = ", ".join(str(process.pid) for process in self._processes)
            self._environment.log(f"{len(self._processes)} processes answer: {pids}")
        if self._listened:
            self._report.begin(self._pump)
            on_info(self._report.write)

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Look after the processes until a signal, or until the condition holds."""
        due = time.monotonic()
        while not self._stop.is_set() and not condition():
            self._look()
            if self._report.interval and self._report.begun and time.monotonic() >= due:
                self._report.tick()
                due = time.monotonic() + self._report.interval
            with suppress(asyncio.TimeoutError):
                await within(_LOOK, self._stop.wait())

    def _start(self, process: Process) -> None:
        index, board = self._processes.index(process), self._board
        process.starts += 1
        job = Assignment(
            self._options, self._settings if process.starts == 1 else self._settings_now(),
            board.reference, index,
            first=index == 0 and process.starts == 1,
            color="always" if self._environment.colored(self._environment.stderr) else self._environment.color,
            trace=self._environment.trace, log_json=self._environment.log_json,
        )  # fmt: skip
        process.popen = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, f"{index + 1}/{len(self._processes)}", json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE if self._report.has_panel else None,
            bufsize=0,
            pass_fds=(board.reference,) if isinstance(board.reference, int) else (),
        )
        if process.popen.stderr is not None:
            thread = threading.Thread(target=self._forward, args=(process.popen.stderr,), daemon=True)
            thread.start()
        data = pickle.dumps(job)
        process.order(len(data).to_bytes(8, "big") + data)

    def _settings_now(self) -> Settings:
        """The settings as references and the context have them now; those from before of a context that is gone."""
        settings = with_references(self._settings)
        try:
            return of_context(settings, self._environment)
        except (PynatsError, OSError) as error:
            self._environment.warn(f"cannot read the credentials again: {explain(error).message}")
            return settings

    def _forward(self, log: IO[bytes]) -> None:
        """What a process logs goes above the panel."""
        for line in log:
            self._environment.sink(line)

    def _look(self) -> None:
        """See which processes have ended, and replace them when it is time."""
        now = time.monotonic()
        for process in self._processes:
            if process.place.listening and not process.listening_since:
                process.listening_since, self._listened = now, True
                if process.starts > 1:
                    self._environment.log(f"{process.name} answers again: {process.pid}")
            if process.popen is not None and process.popen.poll() is not None:
                self._ended(process, now)
            if process.popen is None and now >= process.due and not self._ending:
                self._replace(process, now)

    def _replace(self, process: Process, now: float) -> None:
        try:
            self._start(process)
        except OSError as error:  # no memory, or too many processes; that may pass
            process.wait(now, settled=False)
            self._environment.warn(f"{process.name} cannot start: {explain(error).message}; trying again")

    @property
    def _ending(self) -> bool:
        return self._stop.is_set() or self._numbers.exhausted

    def _ended(self, process: Process, now: float) -> None:
        """A process has ended: count what it did, and decide what that means."""
        failure, lost, name = process.failure(), process.place.in_flight, f"{process.name} ({process.pid})"
        begun, settled = process.listening_since > 0, process.has_settled(now)
        self._gone = together([self._gone, process.place.figures(0, sizes=self._options.stats, gone=True)], 0)
        process.forget()
        if (
            failure is not None
            and failure.status == ExitStatus.INTERRUPTED
            and self._listened
            and self._ending
        ):
            failure = None  # it was about to listen, when the others were stopped
        reported = failure is not None and failure.reported
        if reported and (begun or process.starts == 1 or self._ending):
            # What ends one that runs alone: it is said as the error of the run.
            self._failure = self._failure or failure
            self._stop.set()
        elif self._ending:
            if failure is not None:
                self._failure = self._failure or failure
                self._environment.warn(f"{name}: {failure}, requests in flight there: {lost}")
        elif reported:
            process.wait(now, settled)
            if str(failure) != process.reason:  # it may be the same for hours
                self._environment.warn(f"{name} cannot start: {failure}; trying again")
            process.reason = str(failure)
        else:
            process.wait(now, settled)
            process.reason = ""
            what = f"{failure or 'ended'}, requests in flight there: {lost}"
            self._environment.warn(f"{name}: {what}; starting another")

    def _end(self) -> None:
        """End what still runs, at once, and sum up."""
        for process in self._processes:
            process.order(STOP)
        deadline = time.monotonic() + _PATIENCE
        while any(p.popen is not None and p.popen.poll() is None for p in self._processes):
            if time.monotonic() > deadline:
                for process in self._processes:
                    if process.popen is not None:
                        process.popen.kill()
                        process.popen.wait()
            time.sleep(0.01)
        self._board.delete()
        self._report.end()
        self._pump.close()
        self._report.summarize()

    def _figures(self, seconds: float) -> Figures:
        live = [p.place.figures(0, sizes=self._options.stats) for p in self._processes]
        return together([self._gone, *live], seconds)
