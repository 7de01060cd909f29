"""nats-py's callbacks: failing fast while connecting, notices and the pause between tries afterwards."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from natscli.connection.failures import classify, shown_url
from natscli.errors import RefusedError, explain
from natscli.wire.nats_py import errors as nats_errors
from natscli.wire.next_server import NextServer
from natscli.wire.reconnect import ServerError
from natscli.wire.refusal import read

if TYPE_CHECKING:
    from natscli.connection.connection import Connection
    from natscli.environment import Environment


class Notices:
    """nats-py's callbacks for one client: failing fast while connecting, notices afterwards."""

    def __init__(self, connection: Connection, environment: Environment) -> None:
        self.connection = connection
        self.environment = environment
        self.connecting = True
        self.first_error: Exception | None = None
        self._next: NextServer[str] = NextServer()
        self._chosen = ""
        self._said: set[str] = set()
        client = connection.client
        client.on_lame_duck = self.lame_duck
        client.on_credentials_error = self.credentials_error

    def options(self) -> dict[str, Any]:
        """Keyword arguments for nats-py's `connect`."""
        return {
            "allow_reconnect": False,
            "max_reconnect_attempts": -1,
            "error_cb": self.error,
            "disconnected_cb": self.disconnected,
            "reconnected_cb": self.reconnected,
            "closed_cb": self.closed,
            "reconnect_to_server_handler": self.next_server,
        }

    def connected(self) -> None:
        """The first connection is made."""
        self.connecting = False
        self._next.made(self.connection.url, monotonic())

    async def error(self, error: Exception) -> None:
        if self.connecting:
            self.first_error = error
            raise error  # fail fast: nats-py would try again and again
        client = self.connection.client
        text = str(error).lower()
        if "permissions violation" in text:
            refusal = read(str(error))
            self.connection.refused(classify(error, self.connection.url), refusal)
        elif client.is_reconnecting:
            self.connection.forget_refusals()
            self._say_once(error)
        elif isinstance(error, ServerError):
            self.environment.warn(f"the server reported: {error}")
            if "maximum payload" in text:
                self.connection.on_too_large(str(error))
        elif isinstance(error, nats_errors.SlowConsumerError):
            self.environment.warn("messages were dropped: they came faster than they could be handled")
        elif self.environment.trace:
            self.environment.warn(f"trace: {type(error).__name__}: {error}")

    def _say_once(self, error: Exception) -> None:
        """Why there is no connection again, once for each reason."""
        from natscli.contexts.validity import without_distance

        problem = self.connection.explained(error, self.connection.client.trying_url)
        reason = str(problem)
        if isinstance(problem, RefusedError):
            reason = f"{reason}, still trying to reconnect"
        else:
            reason = f"cannot reconnect: {reason}"
        lasting = without_distance(reason)
        if lasting not in self._said:
            self._said.add(lasting)
            self.environment.warn(reason)

    def credentials_error(self, error: Exception) -> None:
        """The credentials cannot be read again; those from before are used."""
        reason = f"cannot read the credentials again: {explain(error).message}"
        if reason not in self._said:
            self._said.add(reason)
            self.environment.warn(reason)

    def lame_duck(self) -> None:
        """The server will close its connections, one after the other."""
        self.environment.log(
            f"The server {self.connection.url} is in lame duck mode: it is about to shut down"
        )

    async def disconnected(self) -> None:
        if not self.connecting and self.connection.client.is_reconnecting:
            self._next.lost(monotonic())
            self.connection.forget_refusals()
            self.environment.log("Disconnected, reconnecting...")
            self.connection.on_disconnect()

    async def reconnected(self) -> None:
        self._said.clear()
        self._chosen = ""
        self._next.made(self.connection.url, monotonic())
        self.environment.log(f"Reconnected to {self.connection.url}")
        dropped, self.connection.client.dropped = self.connection.client.dropped, 0
        if dropped:
            self.environment.warn(f"{dropped} replies were lost while there was no connection")
        self.connection.on_reconnect()

    async def closed(self) -> None:
        if not self.connecting:
            self.connection.gone(self.connection.client.last_error)

    def next_server(self, pool: list[Any], info: dict[str, Any]) -> tuple[Any, float]:  # noqa: ARG002
        """The server to try next, where the choice is nats-py's own, and the pause (seconds) before."""
        if self._chosen:  # or there would be a connection
            self._next.failed(self._chosen, reached=False)
        by_url = {shown_url(server.uri): server for server in pool}
        self._chosen, pause = self._next.choose(list(by_url))
        return by_url[self._chosen], pause
