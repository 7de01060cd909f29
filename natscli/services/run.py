"""One run of `pynats service`: connect, ask, show; with --watch again and again."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, suppress
from math import ceil

from natscli.connection.connect import connected
from natscli.connection.connection import Connection
from natscli.connection.options import Plan
from natscli.environment import Environment
from natscli.errors import PynatsError, RefusedError
from natscli.output.live import Live
from natscli.output.pump import Pump, in_loop
from natscli.output.tables import Screen
from natscli.request.load import Load
from natscli.request.requester import Requester
from natscli.services.gather import Gathering, Inquiry, Located, Questions, gather
from natscli.services.tables import LAYOUTS, to_json
from natscli.system.signals import Stop
from natscli.system.waiting import within
from natscli.text import bytes_for_people

#: Seconds from one question to the next with --watch.
_PAUSE = 1.0


class ServicePage:
    """Writes what was found to stdout, as `command` shows it. `broken` is done when nothing can be written any more.

    If it will be shown `again`, what a slow reader does not take is dropped, and each replaces the one before on a
    terminal.
    """

    def __init__(self, environment: Environment, command: str, *, as_json: bool, again: bool) -> None:
        self._layout = LAYOUTS[command]
        self._as_json = as_json
        self._again = again
        self._ascii_only = environment.stdout.isatty()
        self._screen = Screen.of(environment)
        self.broken: asyncio.Future[PynatsError] = asyncio.get_running_loop().create_future()
        self._live = Live.on_stdout(environment) if again and not as_json else None
        wrap = self._live.wrapping(environment) if self._live is not None else None
        self._pump = Pump(environment, lossy=again, on_failure=in_loop(self._break), wrap=wrap)

    def show(self, found: list[Located]) -> None:
        """Show it, now or soon."""
        live = self._live
        if live is None:
            data = bytes_for_people(self._text(found))
            self._pump.put(lambda: (b"", data), 1, len(data))
        elif not self._pump.waiting:
            self._pump.put(lambda: (b"", live.frame(lambda columns: self._text(found, columns))), 1, 0)

    async def finish(self) -> None:
        """Wait until it is written.

        Raises:
            PynatsError: it cannot be.
        """
        await self._pump.written(self.broken)
        if self.broken.done():
            raise self.broken.result()

    def open(self) -> AbstractContextManager[None]:
        """Write what is shown, and the log in its place among it, to the end of the block."""
        return self._pump.taking_log()

    def _text(self, found: list[Located], columns: int | None = None) -> str:
        if self._as_json:
            indent = None if self._again else 2
            return to_json(found, self._layout.verb, ascii_only=self._ascii_only, indent=indent)
        screen = self._screen._replace(columns=columns or self._screen.columns)
        text = self._layout.table(found, screen) if found else "No service answers.\n"
        return f"{text}\n" if self._again and self._live is None else text

    def _break(self, error: PynatsError) -> None:
        if not self.broken.done():
            self.broken.set_result(error)


async def run(
    command: str, inquiry: Inquiry, plan: Plan, environment: Environment, *, as_json: bool, again: bool
) -> None:
    """Show what the services answer to `inquiry`; `again` and again until a signal.

    Raises:
        PynatsError: there is no such service, none answered in time, it is not permitted to ask, there is no
            connection, or the answers cannot be shown.
    """
    async with connected(plan, environment, listener=again) as connection:
        page = ServicePage(environment, command, as_json=as_json, again=again)
        with page.open():
            if again:
                await _watch(connection, inquiry, page)
                return
            gathering = await gather(connection, inquiry)
            page.show(gathering.found())
            await page.finish()
            if gathering.strange:
                environment.warn(f"invalid answers ignored: {gathering.strange}")


async def _watch(connection: Connection, inquiry: Inquiry, page: ServicePage) -> None:
    stopped = asyncio.Event()
    stop = Stop(stopped.set)
    gathering = Gathering(inquiry.verb, inquiry.name, page.broken)
    rounds = Questions(inquiry.subject, _PAUSE)
    in_flight = ceil(inquiry.wait / _PAUSE) + 1
    requester = Requester(connection, rounds, inquiry.expectation, gathering, Load(in_flight))
    asking = asyncio.ensure_future(requester.run())
    asking.add_done_callback(lambda _: stopped.set())
    delay = min(inquiry.wait, _PAUSE / 2)  # the first answers are shown soon
    while True:
        with suppress(asyncio.TimeoutError):
            await within(delay, stopped.wait())
        if stopped.is_set() or isinstance(gathering.failure, RefusedError):
            break
        delay = _PAUSE
        page.show(gathering.found(since=rounds.asked - in_flight + 1))
    stop.blocking = True
    if asking.done():  # by itself: nothing can be asked, or shown, any more
        asking.result()
    asking.cancel()
    if gathering.failure is not None and (asking.done() or isinstance(gathering.failure, RefusedError)):
        raise gathering.failure
