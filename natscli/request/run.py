"""One run of requests: connect, send, show, sum up."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from natscli.connection.connect import connected
from natscli.connection.options import Plan
from natscli.environment import Environment
from natscli.errors import ExitStatus, NoReplyError, NoRespondersError, PynatsError
from natscli.message.recipe import Outgoing, Recipe
from natscli.message.source import Counted, EachLine, Source
from natscli.request.load import RETRY, Load
from natscli.request.options import Expectation, RequestOptions, expectation, load
from natscli.request.requester import Requester
from natscli.request.show.display import RequestDisplay
from natscli.request.show.lines import renderer
from natscli.request.show.style import request_style
from natscli.request.statistics import OverTime, Statistics
from natscli.text import exact
from natscli.wire.nats_py import errors as nats_errors

if TYPE_CHECKING:
    from natscli.connection.connection import Connection
    from natscli.message.expressions import Expression
    from natscli.message.formats.format import Format
    from natscli.programs.translate import Translator
    from natscli.request.conditions.judge import Judge, Queried
    from natscli.request.conditions.roll_call import RollCall
    from natscli.request.conditions.thresholds import Verdict
    from natscli.request.events import Observer
    from natscli.request.phases import Timed
    from natscli.request.show.progress import Progress
    from natscli.request.show.recording import RequestRecorder

#: Seconds in which replies too many are counted, at most: an RTT to a server nearby.
_LATE = 0.005


async def run(
    options: RequestOptions, recipe: Recipe, plan: Plan, environment: Environment,
    translator: Translator | None = None, verdict: Verdict | None = None,
) -> ExitStatus:  # fmt: skip
    """Send what `options` and `recipe` ask for; the status of the first failure, which was shown.

    Raises:
        PynatsError: no connection, or the replies could not be shown.
        asyncio.CancelledError: a signal; the summary of what was done so far was shown.
    """
    how, start, timing = load(options), perf_counter_ns(), _timing(options)
    judge, query = expressions(options)
    form = _format(options)
    expected = _expected(options, plan.timeout, form)
    async with _connected(options, how, plan, environment) as connection:
        roll_call = await _roll_call(options, recipe, connection)
        display, statistics = display_of(options, environment, translator), Statistics()
        source = _source(options, how, recipe, environment)
        how = after(how, start, connection.steps)
        timed = timing(display, connection) if timing is not None else None
        queried = _queried(timed or display, query, judge)
        recorded = _recorded(queried or timed or display, options, expected, environment, form)
        observer = over_time(recorded or queried or timed or display, options, statistics)
        make = _requester(expected, form)
        requester = make(connection, source, observer, how, statistics, judge=queried or judge)
        if recorded is not None:
            requester.on_empty_end = recorded.end
        try:
            with display.open(lambda: statistics):
                _log_whereabouts(options, plan, connection, environment)
                await requester.run()
                await _take_what_came(connection, options)
                await _finish(display, recorded, timed)
                failures = await _failures(display, statistics, verdict, roll_call)
                await _explain(display, statistics, connection, plan, environment)
                await display.finish(statistics)
        finally:
            write(options, statistics, environment, connection.url, sys.exc_info()[1])
        return status(statistics, verdict, failures, display.problem)


def conclude(
    display: RequestDisplay, statistics: Statistics, verdict: Verdict | None
) -> Sequence[PynatsError]:
    """Show the summary, beside that of the baseline, and the conditions that hold; these are given back."""
    if verdict is None:
        return ()
    from natscli.request.conditions.thresholds import figures
    from natscli.request.show.comparison import comparison

    now = figures(statistics.summary().as_json())
    display.summary(statistics)
    if verdict.baseline is not None:
        display.table(comparison(verdict.baseline, now))
    failures = verdict.failures(now)
    for failure in failures:
        display.failed([], failure)
    return failures


def status(
    statistics: Statistics,
    verdict: Verdict | None,
    failures: Sequence[PynatsError],
    *others: PynatsError | None,
) -> ExitStatus:
    """The status to exit with: that of a condition, of the first failed request, or of the first of `others`."""
    first = statistics.first_failure
    if first is not None and verdict is not None and verdict.excuses(first):
        first = None
    failure = next(filter(None, (*failures, first, *others)), None)
    return failure.status if failure is not None else ExitStatus.OK


async def _finish(display: RequestDisplay, recorded: RequestRecorder | None, timed: Timed | None) -> None:
    """Write the last of what is recorded, show the phases."""
    if recorded is not None:
        await recorded.finish()
    if timed is not None:
        display.phases(await timed.finish())


async def _roll_call(options: RequestOptions, recipe: Recipe, connection: Connection) -> RollCall | None:
    """Who is to answer, with --expect-service.

    Raises:
        UnexpectedError: nobody is there.
    """
    if options.expect_service is None:
        return None
    from natscli.request.conditions.roll_call import RollCall

    roll_call = RollCall(connection, options.expect_service, exact(recipe.subject.format))
    await roll_call.begin()
    return roll_call


async def _failures(
    display: RequestDisplay, statistics: Statistics, verdict: Verdict | None, roll_call: RollCall | None
) -> Sequence[PynatsError]:
    """Show what is wrong with the run as a whole, and who has not answered; these are given back."""
    absent = await roll_call.end(statistics.replies + statistics.more) if roll_call is not None else ()
    failures = conclude(display, statistics, verdict)
    for failure in absent:
        display.failed([Outgoing(1, failure.where, None, b"")], failure)
    return [*failures, *absent]


def _format(options: RequestOptions) -> Format | None:
    if options.format is None:
        return None
    from natscli.message.formats import load as load_format

    return load_format(options.format)


def _expected(options: RequestOptions, timeout: float, form: Format | None) -> Expectation:
    expected = expectation(options, timeout)
    if form is None:
        return expected
    from natscli.request.formatted import expecting

    return expecting(expected, options, form, timeout)


def _requester(expected: Expectation, form: Format | None) -> Callable[..., Requester]:
    """What makes the requester from connection, source, observer and load."""
    if form is None:
        return lambda connection, source, *rest, **kw: Requester(connection, source, expected, *rest, **kw)
    from natscli.request.formatted import FormattedRequester, InFormat

    def make(connection: Connection, source: Source, *rest: Any, **kw: Any) -> Requester:
        requester = FormattedRequester(connection, InFormat(source, form), expected, *rest, **kw)
        requester.form = form
        return requester

    return make


def _log_whereabouts(
    options: RequestOptions, plan: Plan, connection: Connection, environment: Environment
) -> None:
    if not (options.raw or options.as_json or options.output) or options.verbose:
        environment.log(
            plan.whereabouts(connection.url, always=options.verbose, to_person=environment.stderr.isatty())
        )


async def _take_what_came(connection: Connection, options: RequestOptions) -> None:
    """Read the replies to one request that the server has already, to count them: a PING comes back after them."""
    if options.many_requests:
        return
    with suppress(asyncio.TimeoutError, OSError, nats_errors.Error):
        await connection.client.flush(timeout=_LATE)


async def _explain(
    display: RequestDisplay,
    statistics: Statistics,
    connection: Connection,
    plan: Plan,
    environment: Environment,
) -> None:
    """Say after the summary what the servers know of a request that nobody answered."""
    failure, terminal = statistics.first_failure, environment.stderr.isatty()
    display.summary(statistics)
    if isinstance(failure, NoRespondersError) and terminal:
        from natscli.connection.nearest import hint

        display.hint(await hint(connection, failure.where, plan.context))
    elif isinstance(failure, NoReplyError) and not failure.hint and not environment.quiet:
        from natscli.connection.nearest import who_listens

        said = await who_listens(connection, failure.where, all_clients=terminal)
        if said:
            display.hint(said)


def _timing(options: RequestOptions) -> type[Timed] | None:
    """What takes the times, if they are asked for; loaded before connecting, so that this is part of no phase."""
    if not options.timings:
        return None
    from natscli.request.phases import Timed

    return Timed


def expressions(options: RequestOptions) -> tuple[Judge | None, Expression | None]:
    """What --expect and --query make of replies.

    Raises:
        InputError: no expression.
    """
    if not options.expect and options.query is None:
        return None, None
    from natscli.request.conditions.judge import judge, query

    return judge(options), query(options)


def _queried(observer: Observer, query: Expression | None, judge: Judge | None) -> Queried | None:
    """What shows the values of `query`, if that is asked for, and judges replies by it, too."""
    if query is None:
        return None
    from natscli.request.conditions.judge import Queried

    return Queried(observer, query, judge)


def _recorded(
    observer: Observer,
    options: RequestOptions,
    expected: Expectation,
    environment: Environment,
    form: Format | None,
) -> RequestRecorder | None:
    """What records, if that is asked for.

    Raises:
        InputError: the file cannot be written.
    """
    if options.record is None:
        return None
    from natscli.request.show.recording import RequestRecorder

    return RequestRecorder(observer, expected, options.record, environment, form)


def over_time(observer: Observer, options: RequestOptions, statistics: Statistics) -> Observer:
    """`observer`, which keeps the timeline of `statistics` if a report is asked for."""
    return OverTime(observer, statistics) if options.report is not None else observer


def write(
    options: RequestOptions, statistics: Statistics, environment: Environment, server: str,
    error: BaseException | None,
) -> None:  # fmt: skip
    """Write the files that `options` name with the summary; `server` is the URL of the one that was asked.

    `error` ended the run, if it did not come to its end.

    Raises:
        OSError: one could not be written.
    """
    if options.summary_json is not None or options.hdr is not None:
        from natscli.request.show.reports import write_reports

        write_reports(options, statistics.summary(), environment)
    if options.report is not None:
        from natscli.output.report.cut_off import cut_off
        from natscli.request.show.page import write_page

        write_page(options, statistics, environment, server, cut_off(error or statistics.stopped))


def _connected(
    options: RequestOptions, how: Load, plan: Plan, environment: Environment
) -> AbstractAsyncContextManager[Connection]:
    """The connection; without one these files are written all the same, but no summary in place of the baseline."""

    def failed(error: BaseException) -> None:
        named = options.replace(summary_json=None) if options.summary_json == options.baseline else options
        write(named, Statistics(), environment, ", ".join(plan.servers), error)

    return connected(plan, environment, listener=how.reconnects, wait=waiting(how), failed=failed)


def waiting(how: Load) -> float:
    """How long (seconds) to wait for a server that is not up yet."""
    retries = how.retries.times if how.retries.reconnect else 0
    return max(how.wait_for_responders, RETRY.together(retries))


def after(how: Load, start_ns: int, steps: Mapping[str, int]) -> Load:
    """`how`, when a server was waited for since `start_ns`: that takes from the time to wait for responders.

    Connecting does not; `steps` are those of the connection.
    """
    if not how.wait_for_responders:
        return how
    waited = perf_counter_ns() - start_ns - (steps["ready"] - steps["began"])
    return how.replace(wait_for_responders=max(how.wait_for_responders - waited / 1e9, 0.001))


def _source(options: RequestOptions, how: Load, recipe: Recipe, environment: Environment) -> Source:
    if options.by_line:
        return EachLine(recipe, options.count or 1, environment.stdin)
    if options.count is None and options.duration is not None:
        return Counted(recipe, sys.maxsize)
    return Counted(recipe, (options.count or 1) + how.warmup)


def display_of(
    options: RequestOptions, environment: Environment, translator: Translator | None = None
) -> RequestDisplay:
    """What shows the run that `options` ask for."""
    style = request_style(options, environment)
    render = renderer(
        environment, style, many_requests=options.many_requests,
        many_replies=options.many_replies or options.format == "nestjs", output=options.output or "",
    )  # fmt: skip
    progress = _progress(options, environment) if style.progress else None
    return RequestDisplay(environment, render, style, translator, progress)


def _progress(options: RequestOptions, environment: Environment) -> Progress:
    from natscli.request.show.progress import Progress

    return Progress(
        environment.stderr, count=options.count or 0, duration=options.duration or 0.0,
        colored=environment.colored(environment.stderr),
    )  # fmt: skip
