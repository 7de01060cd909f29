"""One run of `pynats watch`: connect and watch, or read what was recorded; show, sum up."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from natscli.environment import Environment
from natscli.errors import PynatsError
from natscli.message.exchange import Exchange
from natscli.message.message import Message
from natscli.watch.matcher import WHOLE, Counts, MatchLimits
from natscli.watch.options import WatchOptions
from natscli.watch.show.display import ExchangeDisplay
from natscli.watch.show.exchanges import RenderExchanges, renderer
from natscli.watch.show.summary import lines, record

if TYPE_CHECKING:
    from natscli.connection.options import Plan
    from natscli.message.formats.format import Format
    from natscli.message.records.file import Recording
    from natscli.watch.show.page import WatchPage


async def run(options: WatchOptions, plan: Plan, environment: Environment) -> None:
    """Watch until a signal, or until `options.count` exchanges were shown.

    Raises:
        PynatsError: refused, no connection, or the exchanges cannot be shown.
        asyncio.CancelledError: a second signal.
    """
    from natscli.connection.connect import connected
    from natscli.watch.watcher import Watcher, Watching

    limits = MatchLimits(timeout=round(plan.timeout * 1e9), gap=round(options.reply_timeout * 1e9))
    share = max(round(options.share * WHOLE), 1)
    form = _format(options)
    watching = Watching(
        options.subject, plan.inboxes, limits, share, options.answer_no_responders, _belongs(form)
    )
    failed = partial(_write_empty_page, options, environment, ", ".join(plan.servers))
    async with connected(plan, environment, listener=True, failed=failed) as connection:
        recording = _recording(options, environment)

        def stop(failure: PynatsError | None) -> None:
            watcher.stop(failure)

        record = _record(recording, form)
        render = _renderer(options, environment, form, plan.timeout)
        display = ExchangeDisplay(options, environment, render, stop, _where(options, form), record)
        display.page = _page(options)
        watcher = Watcher(watching, connection, environment, display.show)
        try:
            with display.open():
                await watcher.run()
            if recording is not None:
                await recording.finish()
        finally:
            _write_page(display, options, environment, connection.url)
            if watcher.watched:
                sum_up(environment, display, watcher.matcher.counts, watcher.unseen)
                for line in watcher.gaps.summary():
                    environment.notice(line)


async def run_recorded(options: WatchOptions, environment: Environment) -> None:
    """Show what was recorded, as if it were seen now.

    Raises:
        PynatsError: the recording cannot be read, or the exchanges cannot be shown.
        asyncio.CancelledError: a signal.
    """
    from natscli.watch.recorded import RecordedExchanges

    recorded = RecordedExchanges(options.read or "", environment.stdin, options.subject)
    broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    enough = False

    def stop(failure: PynatsError | None) -> None:
        nonlocal enough
        enough = True
        if failure is not None and not broken.done():
            broken.set_result(None)

    form, recording = _format(options), _recording(options, environment)
    record = _record(recording, form)
    render = _renderer(options, environment, form, None)
    display = ExchangeDisplay(options, environment, render, stop, _where(options, form), record)
    display.page = _page(options)
    try:
        with display.open():
            async for batch in recorded.batches():
                display.show(batch if form is None else _with_own_replies(batch, form))
                await display.written(broken)
                if enough:
                    break
            await display.written(broken, all_of_it=True)
        if recording is not None:
            await recording.finish()
    finally:
        _write_page(display, options, environment, "")
        sum_up(environment, display, Counts(), "")
        recorded.leave_out(display.seen)
        if recorded.unfit:
            environment.notice(f"Left out: {recorded.unfit}")


def sum_up(environment: Environment, display: ExchangeDisplay, counts: Counts, unseen: str) -> None:
    """Say what was seen, and what was not."""
    said = lines(display.outcomes, display.shown, counts, unseen)
    environment.notice(next(said), summary=record(display.outcomes, display.shown, counts))
    for line in said:
        environment.notice(line)


def _page(options: WatchOptions) -> WatchPage | None:
    if options.report is None:
        return None
    from natscli.watch.show.page import RecordedPage, WatchPage

    return WatchPage(time.perf_counter_ns()) if options.read is None else RecordedPage()


def _write_empty_page(
    options: WatchOptions, environment: Environment, servers: str, error: BaseException
) -> None:
    """Write the report that `options` ask for, in place of an earlier one, where `error` is all there is."""
    page = _page(options)
    if page is not None and options.report is not None:
        from natscli.output.report.cut_off import cut_off

        page.write(options.report, options.title, (), environment, servers, cut_off(error))


def _write_page(
    display: ExchangeDisplay, options: WatchOptions, environment: Environment, server: str
) -> None:
    """Write the report that `options` ask for, which says of an error that is on its way what it is."""
    if display.page is not None and options.report is not None:
        from natscli.output.report.cut_off import cut_off

        cut = cut_off(sys.exc_info()[1])
        display.page.write(options.report, options.title, display.rows, environment, server, cut)


def _format(options: WatchOptions) -> Format | None:
    if options.format is None:
        return None
    from natscli.message.formats import load

    return load(options.format)


def _belongs(form: Format | None) -> Callable[[Message, Message], bool] | None:
    if form is None:
        return None
    from natscli.watch.show.formatted import belongs

    return belongs(form)


def _with_own_replies(exchanges: list[Exchange], form: Format) -> list[Exchange]:
    from natscli.watch.show.formatted import with_own_replies

    return [with_own_replies(exchange, form) for exchange in exchanges]


def _renderer(
    options: WatchOptions, environment: Environment, form: Format | None, timeout: float | None
) -> RenderExchanges:
    if options.record == "-":
        from natscli.message.records.writing import record_line

        return lambda exchanges: (b"", b"".join(map(record_line, _as_recorded(exchanges, form))))
    render = renderer(environment, as_json=options.as_json, verbose=options.verbose, timeout=timeout)
    if form is None:
        return render
    from natscli.watch.show.formatted import in_format

    return in_format(render, form)


def _record(recording: Recording | None, form: Format | None) -> Callable[[Sequence[Exchange]], None] | None:
    """What takes the exchanges to record, as the format has them."""
    if recording is None:
        return None
    return lambda exchanges: recording.add(_as_recorded(exchanges, form))


def _as_recorded(exchanges: Sequence[Exchange], form: Format | None) -> Sequence[Exchange]:
    if form is None:
        return exchanges
    from natscli.watch.show.formatted import recorded

    return [recorded(exchange, form) for exchange in exchanges]


def _where(options: WatchOptions, form: Format | None) -> Callable[[Exchange], bool] | None:
    """What --where says, of what is in the messages of a format."""
    if options.where is None:
        return None
    from natscli.watch.where import where

    holds = where(options.where)
    if form is None:
        return holds
    from natscli.watch.show.formatted import opened

    return lambda exchange: holds(opened(exchange, form))


def _recording(options: WatchOptions, environment: Environment) -> Recording | None:
    if options.record in (None, "-"):
        return None
    from natscli.message.records.file import Recording

    return Recording(options.record or "", environment.warn)
