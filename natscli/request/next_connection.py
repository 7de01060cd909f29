"""A run that loses its connection: whether it goes on with the next one, and how long it waits for that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from natscli.connection.connection import Connection
from natscli.errors import ConnectionFailedError, PynatsError
from natscli.request.again import Again
from natscli.request.load import Load


class NextConnection:
    """What comes after `connection`: with retries always another one, else only while `again` searches responders.

    A retry takes `seconds`. `lose` is called when the connection is lost and will be made anew, `back` when it is made,
    `stop` when that takes too long.
    """

    def __init__(
        self, connection: Connection, load: Load, again: Again, seconds: float,
        lose: Callable[[PynatsError], None], back: Callable[[], None], stop: Callable[[PynatsError], None],
    ) -> None:  # fmt: skip
        self._connection = connection
        self._retries = load.retries
        self._again = again
        self._seconds = seconds
        self._lose, self._back, self._stop = lose, back, stop
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._comes = True
        connection.on_disconnect, connection.on_reconnect = self._on_disconnect, self._on_reconnect
        again.on_found = self._on_found
        if self.is_awaited:  # it was lost before anything was sent
            self._wait(self._lost())

    @property
    def is_awaited(self) -> bool:
        """Whether there is no connection, and another one is to come."""
        return self._comes and not self._connection.client.is_connected

    def _on_found(self) -> None:
        if not self._retries.reconnect:
            self._comes = self._connection.client.options["allow_reconnect"] = False

    def _on_disconnect(self) -> None:
        lost = self._lost()
        self._wait(lost)
        self._lose(lost)

    def _lost(self) -> PynatsError:
        return ConnectionFailedError("the connection was lost", where=self._connection.url)

    def _wait(self, lost: PynatsError) -> None:
        self._on_time()
        retries = self._retries.times * self._seconds if self._retries.reconnect else 0.0
        search = self._again.search_left(self._loop.time()) if self._again.searching else 0.0
        self._timer = self._loop.call_later(max(retries, search), self._stop, lost)

    def _on_time(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _on_reconnect(self) -> None:
        self._on_time()
        self._back()
