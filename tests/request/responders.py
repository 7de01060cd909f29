"""Responders for the tests of `pynats request`: a real client, in a thread of its own, that answers as it is told."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any

from natscli.message import headers
from natscli.message.message import Message
from natscli.wire.client import Client


@dataclass(frozen=True)
class Request:
    """A request as a responder gets it."""

    subject: str
    payload: bytes
    header: bytes | None
    reply: str

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The headers."""
        return headers.decode(self.header)


@dataclass(frozen=True)
class Answer:
    """A reply `after` so many seconds, with a header block as it goes over the wire."""

    payload: bytes = b""
    header: bytes | None = None
    after: float = 0.0


#: Gives the replies to a request, each at its time; bytes are a reply at once.
Answers = Callable[[Request], Iterable[bytes | Answer]]


def echo(request: Request) -> list[bytes]:
    """The payload, unchanged."""
    return [request.payload]


def silent(request: Request) -> list[bytes]:
    """No reply at all."""
    return []


class Responders:
    """Subscriptions of one client; `responders(answers)` adds one and returns its subject."""

    def __init__(self, url: str, **options: Any) -> None:
        self.requests: list[Request] = []
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._client = Client()
        self._run(self._client.connect(url, allow_reconnect=False, error_cb=_ignore, **options))

    def __call__(self, answers: Answers = echo, subject: str = "", queue: str = "") -> str:
        """Subscribe; returns when the server has confirmed it."""
        subject = subject or f"t.{uuid.uuid4().hex}"
        self._run(self._subscribe(answers, subject, queue))
        return subject

    def close(self) -> None:
        """Disconnect, and end the thread."""
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _subscribe(self, answers: Answers, subject: str, queue: str) -> None:
        def on_batch(batch: list[Message], arrived: int) -> None:
            for name, reply, header, payload in batch:
                request = Request(name.decode(), payload, header, reply.decode())
                self.requests.append(request)
                task = self._loop.create_task(self._answer(reply, answers(request)))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

        await self._client.subscribe_batches(subject, queue, on_batch)
        await self._client.flush()

    async def _answer(self, reply: bytes, answers: Iterable[bytes | Answer]) -> None:
        for answer in answers:
            one = Answer(answer) if isinstance(answer, bytes) else answer
            if one.after:
                await asyncio.sleep(one.after)
            self._client.send([(reply, b"", one.header, one.payload)])


async def _ignore(error: Exception) -> None:
    pass
