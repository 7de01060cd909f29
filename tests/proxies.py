"""A TCP proxy that delays what it passes on."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue


class Proxy:
    """Passes connections on to a port of 127.0.0.1, `delay` seconds later in each direction.

    `accepted` is when (seconds since 1970) the last connection came.
    """

    def __init__(self, target: int, delay: float) -> None:
        self.accepted = 0.0
        self._target = target
        self._delay = delay
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Close all connections."""
        for each in (self._listener, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.accepted = time.time()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [client, server]
                for each in (client, server):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._pass_on(client, server)
                self._pass_on(server, client)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        queue: SimpleQueue[tuple[float, bytes]] = SimpleQueue()

        def read() -> None:
            data = b"-"
            while data:
                try:
                    data = source.recv(65536)
                except OSError:
                    data = b""
                queue.put((time.perf_counter() + self._delay, data))

        def write() -> None:
            with suppress(OSError):
                while True:
                    due, data = queue.get()
                    time.sleep(max(due - time.perf_counter(), 0))
                    if not data:
                        target.shutdown(socket.SHUT_WR)
                        return
                    target.sendall(data)

        for work in (read, write):
            threading.Thread(target=work, daemon=True).start()


@contextmanager
def proxy(target: int, delay: float = 0.0) -> Iterator[Proxy]:
    """A proxy to this port, closed at the end."""
    running = Proxy(target, delay)
    try:
        yield running
    finally:
        running.close()
