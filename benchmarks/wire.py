"""A blocking raw-socket NATS connection: the cheapest way to talk to a server from Python."""

from __future__ import annotations

import json
import socket
import struct
import time

CONNECT = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True, "protocol": 1,
           "lang": "python", "version": "0", "name": "pynats-benchmarks"}  # fmt: skip


class WireError(ConnectionError):
    """The server is not there, not NATS, or went away."""


class Wire:
    """A connection that leaves every byte after the handshake to its user."""

    def __init__(self, host: str, port: int, timeout: float = 5.0) -> None:
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.socket.settimeout(None)
        # A kernel timeout instead of settimeout(): that one costs a poll() before each read.
        seconds = int(timeout)
        timeval = struct.pack("ll", seconds, int((timeout - seconds) * 1e6))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send = self.socket.sendall
        self._until(b"\r\n")
        # The server sends a second INFO after the first PONG; what `subscribe` waits for comes after that.
        self.send(b"CONNECT " + json.dumps(CONNECT).encode() + b"\r\nPING\r\n")
        self._until(b"PONG\r\n")

    def _until(self, end: bytes) -> bytes:
        data = b""
        while end not in data:
            chunk = self.receive()
            if not chunk:
                raise WireError("the server closed the connection")
            data += chunk
        return data

    def receive(self, size: int = 262144) -> bytes:
        """What has arrived; empty when the server closed.

        Raises:
            WireError: nothing arrived within the timeout.
        """
        try:
            return self.socket.recv(size)
        except BlockingIOError:
            raise WireError("nothing arrived in time") from None

    def subscribe(self, subject: str, queue: str = "") -> bytes:
        """Subscribe, wait until the server has confirmed it, and return what has come after that already."""
        self.send(f"SUB {subject} {queue} 1\r\nPING\r\n".replace("  ", " ").encode())
        return self._until(b"PONG\r\n").partition(b"PONG\r\n")[2]

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()


def somebody_answers(host: str, port: int, subject: str) -> bool:
    """Whether a request on `subject` gets a reply now (not the server's "no responders")."""
    wire = Wire(host, port)
    try:
        inbox = f"_INBOX.ready.{time.monotonic_ns():x}"
        wire.subscribe(inbox)
        wire.send(f"PUB {subject} {inbox} 5\r\nhello\r\n".encode())
        data = b""
        while b"MSG " not in data:
            chunk = wire.receive()
            if not chunk:
                return False
            data += chunk
            if b"PING\r\n" in chunk:
                wire.send(b"PONG\r\n")
        return not (b"HMSG " in data and b" 503" in data)
    finally:
        wire.close()


def somebody_subscribes(
    host: str, port: int, subject: str, payload: bytes, reply: bytes | None = None
) -> bool:
    """Whether `payload`, published to `subject`, goes to anybody: the server says at once when it does not.

    A `reply` is sent to it then.
    """
    wire = Wire(host, port)
    try:
        inbox = f"_INBOX.subscribed.{time.monotonic_ns():x}"
        wire.subscribe(inbox)
        wire.send(
            b"PUB %b %b %d\r\n%b\r\nPING\r\n" % (subject.encode(), inbox.encode(), len(payload), payload)
        )
        if b" 503" in wire._until(b"PONG\r\n"):
            return False
        if reply is not None:
            wire.send(b"PUB %b %d\r\n%b\r\n" % (inbox.encode(), len(reply), reply))
        return True
    finally:
        wire.close()
