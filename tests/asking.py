"""A requester that can send anything, on a raw socket: hundreds of requests at once, any header bytes, bad manners."""

from __future__ import annotations

import json
import secrets
import socket
import time
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urlsplit

from tests.servers import Server


@dataclass(frozen=True)
class Answer:
    """A reply: the number of its request, its header block and payload, and seconds since the request was sent."""

    number: int
    header: bytes
    payload: bytes
    seconds: float

    @property
    def lines(self) -> list[bytes]:
        """The header lines, without the first."""
        return self.header.split(b"\r\n")[1:-2]


@dataclass(frozen=True)
class Request:
    """A request that came: where to answer, its header block and payload."""

    reply: bytes
    header: bytes
    payload: bytes

    def answer(self, header: bytes, payload: bytes) -> bytes:
        """The command that answers it."""
        size = len(header)
        if not header:
            return b"PUB %b %d\r\n%b\r\n" % (self.reply, len(payload), payload)
        return b"HPUB %b %d %d\r\n%b%b\r\n" % (self.reply, size, size + len(payload), header, payload)


class Asker:
    """A connection with an inbox; requests are numbered from 0."""

    def __init__(self, server: Server | str, **connect: object) -> None:
        self.url = server if isinstance(server, str) else server.url
        address = urlsplit(self.url)
        self._socket = socket.create_connection((address.hostname or "", address.port or 0), timeout=30)
        self._data = b""
        self._inbox = f"_INBOX.{secrets.token_hex(8)}".encode()
        self._sent: list[float] = []
        options = {"verbose": False, "headers": True, "no_responders": True, "protocol": 1, **connect}
        self._line()  # INFO
        self.write(b"CONNECT %b\r\nSUB %b.* 1\r\nPING\r\n" % (json.dumps(options).encode(), self._inbox))
        while self._line() != b"PONG":
            pass

    def __enter__(self) -> Asker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def write(self, data: bytes) -> None:
        """Send bytes of the protocol."""
        self._socket.sendall(data)

    def send(self, subject: str, *payloads: bytes, header: bytes = b"", reply: bytes | None = None) -> None:
        """Send a request for each payload, all in one write; `reply` in place of an inbox, b"" for none."""
        commands = []
        for payload in payloads:
            inbox = b"%b.%d" % (self._inbox, len(self._sent)) if reply is None else reply
            self._sent.append(time.monotonic())
            words = [subject.encode(), inbox] if inbox else [subject.encode()]
            if header:
                words += [b"%d" % len(header), b"%d" % (len(header) + len(payload))]
            else:
                words.append(b"%d" % len(payload))
            kind = b"HPUB" if header else b"PUB"
            commands.append(b"%b %b\r\n%b%b\r\n" % (kind, b" ".join(words), header, payload))
        self.write(b"".join(commands))

    def receive(self, count: int, timeout: float = 30) -> list[Answer]:
        """The next `count` replies, in the order of arrival, or those that came within `timeout` seconds."""
        answers: list[Answer] = []
        deadline = time.monotonic() + timeout
        while len(answers) < count:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                words = self._line().split(b" ")
                if words[0] == b"PING":
                    self.write(b"PONG\r\n")
                elif words[0] in (b"MSG", b"HMSG"):
                    size, header_size = int(words[-1]), int(words[-2]) if words[0] == b"HMSG" else 0
                    body = self._take(size + 2)
                    number = int(words[1].rpartition(b".")[2])
                    seconds = time.monotonic() - self._sent[number]
                    answers.append(Answer(number, body[:header_size], body[header_size:-2], seconds))
            except TimeoutError:
                break
        return answers

    def ask(self, subject: str, *payloads: bytes, header: bytes = b"", timeout: float = 30) -> list[Answer]:
        """Send requests and wait for a reply to each; in the order of the requests.

        A late reply to what was sent before is none of them.
        """
        first = len(self._sent)
        self.send(subject, *payloads, header=header)
        answers: list[Answer] = []
        deadline = time.monotonic() + timeout
        while len(answers) < len(payloads) and (more := self.receive(1, deadline - time.monotonic())):
            answers += [answer for answer in more if answer.number >= first]
        answers.sort(key=lambda answer: answer.number)
        missing = set(range(first, first + len(payloads))) - {answer.number for answer in answers}
        assert not missing, f"no reply to {sorted(missing)}, {len(answers)} came"
        assert len(answers) == len(payloads), answers
        return answers

    def wait_for_responder(self, subject: str) -> None:
        """Return when somebody answers on `subject`; how many requests that took is not known.

        One may be lost: to somebody who was killed, of which the server does not know yet.
        """
        deadline = time.monotonic() + 30
        while True:
            self.send(subject, b"")
            answers = self.receive(1, timeout=5)
            if answers and not answers[0].header.startswith(b"NATS/1.0 503"):
                return
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def listen(self, subject: str) -> None:
        """Be a service too: what is asked on `subject` comes with `request`."""
        self.write(b"SUB %b 2\r\nPING\r\n" % subject.encode())
        while self._line() != b"PONG":
            pass

    def request(self) -> Request:
        """The next request on what is listened on."""
        self._socket.settimeout(30)
        while (words := self._line().split(b" "))[0] not in (b"MSG", b"HMSG"):
            pass
        size, header_size = int(words[-1]), int(words[-2]) if words[0] == b"HMSG" else 0
        body = self._take(size + 2)
        return Request(words[3], body[:header_size], body[header_size:-2])

    def _line(self) -> bytes:
        while b"\r\n" not in self._data:
            self._read()
        line, _, self._data = self._data.partition(b"\r\n")
        return line

    def _take(self, size: int) -> bytes:
        parts, have = [self._data], len(self._data)
        while have < size:
            self._data = b""
            self._read()
            parts.append(self._data)
            have += len(self._data)
        data = b"".join(parts)
        self._data = data[size:]
        return data[:size]

    def _read(self) -> None:
        chunk = self._socket.recv(1 << 18)
        if not chunk:
            raise AssertionError("the server closed the connection")
        self._data += chunk
