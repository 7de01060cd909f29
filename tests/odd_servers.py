"""Peers that speak as much of the NATS protocol as a test wants them to, and count the connections they get."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

#: Serves one connection, which has the number that comes with it, from 1; the socket is closed afterwards.
Serve = Callable[[socket.socket, int], None]


class OddServer:
    """Listens on a port of 127.0.0.1 and serves each connection in a thread; `times` (monotonic) has when each came."""

    def __init__(self, serve: Serve, host: str = "127.0.0.1") -> None:
        self.times: list[float] = []
        self._serve = serve
        self._over = threading.Event()
        self._listener = socket.create_server((host, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Accept nobody any more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.times.append(time.monotonic())
                number = len(self.times)
                threading.Thread(target=self._one, args=(client, number), daemon=True).start()

    def _one(self, client: socket.socket, number: int) -> None:
        with client, suppress(OSError):
            self._serve(client, number)


@contextmanager
def odd_server(serve: Serve, host: str = "127.0.0.1") -> Iterator[OddServer]:
    """A server that is closed at the end."""
    server = OddServer(serve, host)
    try:
        yield server
    finally:
        server.close()


def info(**members: Any) -> bytes:
    """An INFO line."""
    usual = {"server_id": "X", "version": "2.11.0", "headers": True, "max_payload": 1_000_000}
    return b"INFO " + json.dumps({**usual, **members}).encode() + b"\r\n"


def silent(client: socket.socket, number: int) -> None:
    """Say nothing, until the client leaves."""
    while client.recv(65536):
        pass


def answer(client: socket.socket, until: bytes = b"") -> None:
    """Greet, and answer every PING, until the client leaves or has sent `until`, a part of what comes in one piece."""
    client.sendall(info())
    while data := client.recv(65536):
        if until and until in data:
            return
        client.sendall(b"PONG\r\n" * data.count(b"PING\r\n"))


def ending_at_publish(words: bytes) -> Serve:
    """As a server that closes the connection at the first message, with `words` if there are any."""

    def serve(client: socket.socket, number: int) -> None:
        answer(client, until=b"PUB ")
        client.sendall(b"-ERR '%s'\r\n" % words if words else b"")

    return serve
