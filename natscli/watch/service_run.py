"""One run of `pynats service`: connect, ask, show; with --watch again and again."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from math import ceil

from natscli.connection.connect import Connection, connected
from natscli.connection.options import Plan
from natscli.environment import Environment
from natscli.output.services import LAYOUTS, Found, to_json
from natscli.output.tables import Screen
from natscli.request.load import Load
from natscli.request.requester import Requester
from natscli.signals import Stop
from natscli.watch.services import Gathering, Inquiry, Rounds, gather

#: Seconds from one question to the next with --watch.
_PAUSE = 1.0
#: Cursor to the top left, and everything below it cleared.
_CLEAR = "\x1b[H\x1b[2J"


class Page:
    """Writes what was found to stdout, as `command` shows it."""

    def __init__(self, environment: Environment, command: str, *, as_json: bool, again: bool) -> None:
        self._environment = environment
        self._layout = LAYOUTS[command]
        self._as_json = as_json
        self._again = again
        self._screen = Screen.of(environment)

    def show(self, found: list[Found]) -> None:
        """Show it, in place of what was shown before if that is on a terminal."""
        terminal = self._environment.stdout.isatty()
        if self._as_json:
            indent = None if self._again else 2
            text = to_json(found, self._layout.verb, ascii_only=terminal, indent=indent)
        else:
            text = self._layout.table(found, self._screen) if found else "No service answers.\n"
            if self._again:
                text = f"{_CLEAR}{text}" if terminal else f"{text}\n"
        self._environment.out(text)


async def run(
    command: str, inquiry: Inquiry, plan: Plan, environment: Environment, *, as_json: bool, again: bool
) -> None:
    """Show what the services answer to `inquiry`; `again` and again until a signal.

    Raises:
        PynatsError: there is no such service, none answered in time, or there is no connection.
    """
    page = Page(environment, command, as_json=as_json, again=again)
    async with connected(plan, environment, listener=again) as connection:
        if again:
            await _watch(connection, inquiry, page)
            return
        gathering = await gather(connection, inquiry)
        page.show(gathering.found())
        if gathering.strange:
            environment.warn(f"invalid answers ignored: {gathering.strange}")


async def _watch(connection: Connection, inquiry: Inquiry, page: Page) -> None:
    stopped = asyncio.Event()
    stop = Stop(stopped.set)
    gathering = Gathering(inquiry.verb, inquiry.name)
    rounds = Rounds(inquiry.subject, _PAUSE)
    in_flight = ceil(inquiry.wait / _PAUSE) + 1
    requester = Requester(connection, rounds, inquiry.expectation, gathering, Load(in_flight))
    asking = asyncio.ensure_future(requester.run())
    asking.add_done_callback(lambda _: stopped.set())
    delay = min(inquiry.wait, _PAUSE / 2)  # the first answers are shown soon
    while not stopped.is_set():
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stopped.wait(), delay)
        delay = _PAUSE
        page.show(gathering.found(since=rounds.asked - in_flight + 1))
    stop.blocking = True
    asking.cancel()
    if connection.lost.done():
        raise connection.lost.result()
