"""Reads credentials again in a thread of its own: what is read may be `op`, which waits for its vault to be unlocked.

The threads of the event loop are for names that are looked up, and at the end it waits for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from time import monotonic
from typing import Any

from natscli.duration import format_duration
from natscli.errors import InputError
from natscli.system.waiting import within

#: Seconds for which what a read gave is used that took too long to be waited for.
_FRESH = 10.0

Options = dict[str, Any]


class Renewal:
    """What `read` gives, called in a thread, once at a time: `options` waits for it, for `timeout` seconds.

    `who` is asked, in an error. A read that takes longer is waited for once; when it is over, the next call gives what
    it gave.
    """

    def __init__(self, read: Callable[[], Options], timeout: float, who: str) -> None:
        self._read = read
        self._timeout = timeout
        self._who = who
        self._reading: Future[Options] | None = None
        self._began = self._ended = 0.0

    async def options(self) -> Options:
        """What is there now.

        Raises:
            InputError: it is not in time, or what `read` raised.
        """
        now = monotonic()
        reading = self._reading
        if reading is None or (reading.done() and now - self._ended > _FRESH):
            reading = self._start(now)
        if not reading.done():
            with suppress(Exception):  # it is raised below, or the time is over
                await within(self._began + self._timeout - now, asyncio.wrap_future(reading))
        if not reading.done():
            raise InputError(f"{self._who} did not answer within {format_duration(self._timeout)}")
        self._reading = None
        return reading.result()

    def _start(self, now: float) -> Future[Options]:
        from threading import Thread

        reading: Future[Options] = Future()
        reading.set_running_or_notify_cancel()  # nobody can cancel it any more
        self._reading, self._began = reading, now
        Thread(target=self._run, args=(reading,), daemon=True, name="credentials").start()
        return reading

    def _run(self, reading: Future[Options]) -> None:
        try:
            result = self._read()
        except BaseException as error:
            self._ended = monotonic()
            reading.set_exception(error)
        else:
            self._ended = monotonic()
            reading.set_result(result)
