"""One of several processes that send requests: it connects, sends its share, and reports what it counted."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from time import perf_counter_ns
from typing import NamedTuple

from natscli.connection.connect import connected
from natscli.connection.options import Plan, prepare
from natscli.environment import Environment
from natscli.errors import ExitStatus, PynatsError, explain
from natscli.message.recipe import Outgoing, Recipe, compile_recipe
from natscli.message.source import Counted
from natscli.message.templates import Template
from natscli.request.events import Received
from natscli.request.options import RequestOptions, expectation, load
from natscli.request.requester import Requester
from natscli.request.run import after, expressions, over_time, waiting
from natscli.request.statistics import Statistics
from natscli.settings import Settings
from natscli.system import signals

#: Seconds from one report to the next.
_TICK = 0.5


@dataclass(frozen=True)
class Assignment:
    """What one of `parts` processes does; it is pickled. `body` is what was read from a file or standard input."""

    index: int
    parts: int
    options: RequestOptions
    settings: Settings
    body: bytes | None
    trace: bool
    log_json: bool


class Interim(NamedTuple):
    """What a process counted so far, whether it was the last, and what ended it early. The first: it is connected."""

    statistics: Statistics
    last: bool = False
    error: PynatsError | None = None


def work(part: Assignment, pipe: Pipe) -> None:
    """The whole of one process. It reports through `pipe`, which says, once it is connected, whether to send."""
    environment = Environment.current()
    environment.quiet, environment.trace = True, part.trace
    environment.write_log_as("json" if part.log_json else "text")
    statistics, error = Statistics(), None
    try:
        recipe = compile_recipe(part.options)
        if part.body is not None:
            recipe = recipe.replace(body=Template(part.body))
        plan = prepare(part.settings, environment)
        sending = _send(part, recipe, plan, environment, statistics, pipe)
        signals.run(sending, precise=part.options.rate is not None)
    except KeyboardInterrupt:
        pass  # the parent knows why
    except BaseException as problem:
        error = problem if isinstance(problem, PynatsError) else PynatsError(explain(problem).message)
    signals.when_done(lambda: os._exit(ExitStatus.INTERRUPTED))
    with suppress(OSError):  # the parent was killed
        pipe.send(Interim(statistics, True, error))


async def _send(
    part: Assignment, recipe: Recipe, plan: Plan, environment: Environment,
    statistics: Statistics, pipe: Pipe,
) -> None:  # fmt: skip
    options, how, start = part.options, load(part.options), perf_counter_ns()
    async with connected(plan, environment, listener=how.reconnects, wait=waiting(how)) as connection:
        pipe.send(Interim(statistics))
        if not await asyncio.get_running_loop().run_in_executor(None, _may_send, pipe):
            return
        source = _source(part, recipe, how.warmup)
        display, share = _Quiet(), after(how, start, connection.steps).share(part.index, part.parts)
        requester = Requester(
            connection,
            source,
            expectation(options, plan.timeout),
            over_time(display, options, statistics),
            share,
            statistics,
            expressions(options)[0],
        )
        reports = asyncio.create_task(_report(statistics, pipe, display))
        try:
            await requester.run()
        finally:
            reports.cancel()


def _may_send(pipe: Pipe) -> bool:
    """Wait until all processes are connected; False if the run ends before."""
    try:
        return bool(pipe.recv())
    except (EOFError, OSError):
        return False


def _source(part: Assignment, recipe: Recipe, warmup: int) -> Counted:
    """The requests of this process: one in `parts`, from number `index` on."""
    count = sys.maxsize
    if part.options.count is not None:
        count = len(range(part.index, part.options.count + warmup, part.parts))
    return Counted(recipe, count, part.index + 1, part.parts)


async def _report(statistics: Statistics, pipe: Pipe, display: _Quiet) -> None:
    while True:
        await asyncio.sleep(_TICK)
        try:
            pipe.send(Interim(statistics))
        except OSError:
            display.broken.set_result(PynatsError("the parent process has ended"))
            return


class _Quiet:
    """Shows nothing; see `events.Observer`."""

    def __init__(self) -> None:
        self.broken: asyncio.Future[PynatsError] = asyncio.get_running_loop().create_future()

    def catch_up(self, in_flight: int) -> None:
        """See `Observer`."""

    def is_behind(self) -> bool:
        """See `Observer`."""
        return False

    def sending(self, requests: Sequence[Outgoing]) -> None:
        """See `Observer`."""

    def replies(self, replies: Sequence[Received]) -> None:
        """See `Observer`."""

    def failed(self, requests: Sequence[Outgoing], error: PynatsError) -> None:
        """See `Observer`."""
