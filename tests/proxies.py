"""A TCP proxy that delays, throttles, stalls, cuts, resets and corrupts what it passes on."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue

Fault = Callable[[socket.socket, socket.socket, bytes], bytes]


class Proxy:
    """Passes connections on to a port of 127.0.0.1, `delay` seconds later in each direction.

    `throttle` is how many bytes a second each direction takes. `accepted` is when (seconds since 1970) the last
    connection came, `connections` how many did. What `after` is told happens once, in the direction to the client.
    """

    def __init__(self, target: int, delay: float) -> None:
        self.accepted = 0.0
        self.connections = 0
        self.delay = delay
        self.throttle = float("inf")
        self._target = target
        self._going = threading.Event()
        self._going.set()
        self._lock = threading.Lock()
        self._fault: tuple[int, Fault] | None = None
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://127.0.0.1:{self.port}"

    def stall(self) -> None:
        """Pass nothing on until `go_on`; connections stay open."""
        self._going.clear()

    def go_on(self) -> None:
        """Pass on what was held back."""
        self._going.set()

    def after(self, count: int, fault: Fault) -> None:
        """When `count` more bytes have come from the server, have `fault` done to the connection and the next ones."""
        with self._lock:
            self._fault = count, fault

    @property
    def is_done(self) -> bool:
        """Whether what `after` was told has happened."""
        return self._fault is None

    def close(self) -> None:
        """Close all connections."""
        self._going.set()
        for each in (self._listener, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.accepted = time.time()
                self.connections += 1
                try:
                    server = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    client.close()
                    continue
                self._sockets += [client, server]
                for each in (client, server):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._pass_on(client, server, to_client=False)
                self._pass_on(server, client, to_client=True)

    def _pass_on(self, source: socket.socket, target: socket.socket, *, to_client: bool) -> None:
        queue: SimpleQueue[tuple[float, bytes]] = SimpleQueue()

        def read() -> None:
            data = b"-"
            while data:
                try:
                    data = source.recv(65536)
                except OSError:
                    data = b""
                queue.put((time.perf_counter() + self.delay, data))

        def write() -> None:
            with suppress(OSError):
                while True:
                    due, data = queue.get()
                    time.sleep(max(due - time.perf_counter(), 0))
                    self._going.wait()
                    if not data:
                        target.shutdown(socket.SHUT_WR)
                        return
                    target.sendall(self._harmed(source, target, data) if to_client else data)
                    if self.throttle < 1e9:
                        time.sleep(len(data) / self.throttle)

        for work in (read, write):
            threading.Thread(target=work, daemon=True).start()

    def _harmed(self, source: socket.socket, target: socket.socket, data: bytes) -> bytes:
        """`data`, of which nothing has happened to what was sent already."""
        with self._lock:
            if self._fault is None:
                return data
            left, fault = self._fault
            if len(data) < left:
                self._fault = left - len(data), fault
                return data
            self._fault = None
        target.sendall(data[:left])
        return fault(source, target, data[left:])


def cut(source: socket.socket, target: socket.socket, data: bytes) -> bytes:
    """End both connections here."""
    for each in (source, target):
        each.shutdown(socket.SHUT_RDWR)
    return b""


def reset(source: socket.socket, target: socket.socket, data: bytes) -> bytes:
    """Reset the connection to the client (RST): what it has not read yet is lost."""
    target.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    for each in (source, target):
        each.shutdown(socket.SHUT_RD)  # wakes whoever reads it: while somebody does, nothing is closed
    target.close()
    return b""


def corrupt(source: socket.socket, target: socket.socket, data: bytes) -> bytes:
    """Turn a bit of each of the next bytes."""
    return bytes(byte ^ 0x10 for byte in data[:64]) + data[64:]


@contextmanager
def proxy(target: int, delay: float = 0.0) -> Iterator[Proxy]:
    """A proxy to this port, closed at the end."""
    running = Proxy(target, delay)
    try:
        yield running
    finally:
        running.close()
