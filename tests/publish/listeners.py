"""Hearing what was published: a raw subscriber in a thread."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Heard:
    """A message as it came over the wire."""

    subject: str
    reply: str
    header: bytes
    payload: bytes
    at: float


class Listener:
    """Keeps every message on a subject from the moment it is made."""

    def __init__(self, url: str, subject: str, user: str = "") -> None:
        address = urlsplit(url)
        self.messages: list[Heard] = []
        self._socket = socket.create_connection((address.hostname or "", address.port or 0), timeout=30)
        self._file = self._socket.makefile("rb")
        self._file.readline()  # INFO
        login = f',"user":"{user}","pass":"p"' if user else ""
        connect = f'CONNECT {{"verbose":false,"headers":true{login}}}\r\nSUB {subject} 1\r\nPING\r\n'
        self._socket.sendall(connect.encode())
        while self._file.readline() != b"PONG\r\n":
            pass
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self, count: int) -> list[Heard]:
        """The messages, once there are so many."""
        deadline = time.monotonic() + 30
        while len(self.messages) < count:
            assert time.monotonic() < deadline, f"{len(self.messages)} of {count} messages"
            time.sleep(0.005)
        return self.messages

    @property
    def payloads(self) -> list[bytes]:
        """The payloads so far."""
        return [message.payload for message in self.messages]

    def close(self) -> None:
        """Disconnect."""
        self._socket.close()

    def _run(self) -> None:
        try:
            while line := self._file.readline():
                words = line.split()
                if words[0] == b"PING":
                    self._socket.sendall(b"PONG\r\n")
                elif words[0] in (b"MSG", b"HMSG"):
                    own = 4 if words[0] == b"MSG" else 5
                    reply = words[3].decode() if len(words) > own else ""
                    size, head = int(words[-1]), int(words[-2]) if own == 5 else 0
                    body = self._file.read(size + 2)
                    self.messages.append(
                        Heard(words[1].decode(), reply, body[:head], body[head:-2], time.monotonic())
                    )
        except (OSError, ValueError):
            return
