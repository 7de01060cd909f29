"""What a listener is subscribed to: its routes, which may change while it serves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from natscli.connection.connection import Connection
from natscli.environment import Environment
from natscli.reply.responders.responder import Place
from natscli.reply.routes import Route
from natscli.wire.nats_py import errors as nats_errors

#: Subjects that the log names; of others, how many.
_MOST_LOGGED = 10


class Subscriptions:
    """Subscribes to `routes`, a list that it changes. `timeout` is the seconds that the server has to end them."""

    def __init__(
        self,
        routes: list[Route],
        connection: Connection,
        environment: Environment,
        subscribe: Callable[[Route], Awaitable[Any]],
        timeout: float,
    ) -> None:
        self._routes = routes
        self._connection = connection
        self._environment = environment
        self._subscribe = subscribe
        self._timeout = timeout
        self._held: list[Any] = []
        self._ended = False

    async def begin(self) -> None:
        """Subscribe to all.

        Raises:
            PynatsError: the server refuses one, or the connection is lost.
        """
        self._held = [await self._subscribe(route) for route in self._routes]
        await self._connection.confirm()
        self._need()

    async def change(self, places: Mapping[int, Place], new_route: Callable[[int, Place], Route]) -> None:
        """Listen on `places`, by their indices, and on no others; requests that are on their way are answered."""
        if self._ended:
            return
        pairs = list(zip(self._routes, self._held, strict=True))
        gone = [(route, held) for route, held in pairs if not route.internal and route.place not in places]
        left = [(route, held) for route, held in pairs if route.internal or route.place in places]
        self._routes[:] = [_renamed(route, places) for route, _ in left]
        self._held = [held for _, held in left]
        known = {route.place for route in self._routes if not route.internal}
        added = [new_route(index, place) for index, place in places.items() if index not in known]
        for route in added:
            self._held.append(await self._subscribe(route))
            self._routes.append(route)
        self._need()
        await self._end([held for _, held in gone])
        with suppress(OSError, nats_errors.Error):  # it is made anew, with all of them
            await self._connection.client.flush(timeout=self._timeout)
        self._log("Not listening any more on", [route for route, _ in gone])
        self._log("Listening on", added)

    async def end(self) -> None:
        """Take what was on its way for all, and no more."""
        self._ended = True
        await self._end(self._held)

    def log(self) -> None:
        """Say what is listened on."""
        self._log("Listening on", [route for route in self._routes if not route.internal])

    def _need(self) -> None:
        pairs = zip(self._routes, self._held, strict=True)
        self._connection.needs(held for route, held in pairs if not route.internal)

    async def _end(self, subscriptions: Sequence[Any]) -> None:
        """The server gets one time for all of them."""
        if not subscriptions:
            return
        connected = self._connection.client.is_connected  # without a connection, no more requests come anyway
        ends = [asyncio.ensure_future(s.drain() if connected else s.unsubscribe()) for s in subscriptions]
        done, late = await asyncio.wait(ends, timeout=self._timeout)
        for end in late:
            end.cancel()
        for end in done:
            if not end.cancelled():
                end.exception()  # a connection that fails now is found when the replies are sent

    def _log(self, what: str, routes: Sequence[Route]) -> None:
        for route in routes[:_MOST_LOGGED]:
            group = f' in group "{route.queue}"' if route.queue else ""
            self._environment.log(f"{what} [{route.subject}]{group}")
        if more := len(routes[_MOST_LOGGED:]):
            self._environment.log(f"{what} {more} more subject{'s' * (more > 1)}")


def _renamed(route: Route, places: Mapping[int, Place]) -> Route:
    """The route with the name that its place has now."""
    return route if route.internal else replace(route, name=places[route.place].name)
