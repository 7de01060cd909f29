"""nats-py's callbacks: failing fast while connecting, notices and the pause between tries afterwards."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from natscli.backoff import Backoff
from natscli.connection.failures import classify
from natscli.wire.client import ServerError
from natscli.wire.nats_py import errors as nats_errors

if TYPE_CHECKING:
    from natscli.connection.connect import Connection
    from natscli.environment import Environment

_RETRY = Backoff(0.1, 5.0)


class Notices:
    """nats-py's callbacks for one client: failing fast while connecting, notices afterwards."""

    def __init__(self, connection: Connection, environment: Environment) -> None:
        self.connection = connection
        self.environment = environment
        self.connecting = True
        self.refusal_shown = False
        self.first_error: Exception | None = None

    def options(self) -> dict[str, Any]:
        """Keyword arguments for nats-py's `connect`."""
        return {
            "allow_reconnect": False,
            "max_reconnect_attempts": -1,
            "error_cb": self.error,
            "disconnected_cb": self.disconnected,
            "reconnected_cb": self.reconnected,
            "closed_cb": self.closed,
            "reconnect_to_server_handler": next_server,
        }

    async def error(self, error: Exception) -> None:
        if self.connecting:
            self.first_error = error
            raise error  # fail fast: nats-py would try again and again
        text = str(error).lower()
        if "permissions violation" in text:
            self.connection.refused(classify(error, self.connection.url))
        elif isinstance(error, ServerError):
            self.environment.warn(f"the server ended the connection: {text}")
        elif isinstance(error, nats_errors.SlowConsumerError):
            self.environment.warn("messages were dropped: they came faster than they could be handled")
        elif isinstance(error, nats_errors.Error) and "authorization" in text and not self.refusal_shown:
            self.refusal_shown = True  # once: it is tried again and again
            self.environment.warn("the server refused the credentials, still trying to reconnect")
        elif self.environment.trace:
            self.environment.warn(f"trace: {type(error).__name__}: {error}")

    async def disconnected(self) -> None:
        if not self.connecting and self.connection.client.is_reconnecting:
            self.environment.log("Disconnected, reconnecting...")
            self.connection.on_disconnect()

    async def reconnected(self) -> None:
        self.refusal_shown = False
        self.environment.log(f"Reconnected to {self.connection.url}")
        dropped, self.connection.client.dropped = self.connection.client.dropped, 0
        if dropped:
            self.environment.warn(f"{dropped} replies were lost while there was no connection")
        self.connection.on_reconnect()

    async def closed(self) -> None:
        if not self.connecting:
            self.connection.gone(self.connection.client.last_error)


def next_server(pool: list[Any], info: dict[str, Any]) -> tuple[Any, float]:  # noqa: ARG001
    """nats-py's reconnect handler: the server tried least, after a growing, jittered pause (seconds)."""
    server = min(pool, key=lambda s: s.reconnects)
    if server.reconnects == 0:
        return server, 0.0
    return server, _RETRY.pause(server.reconnects) * random.uniform(0.75, 1.25)
