"""A responder of a test: what it answers, what it was asked, and what it answered."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Callable
from io import BytesIO
from os import PathLike, fspath
from typing import Any, NamedTuple

from natscli.connection.connect import connect
from natscli.connection.options import prepare
from natscli.contexts.store import ContextStore
from natscli.environment import Environment
from natscli.handling import Request, ServiceError, encode
from natscli.message.header_lines import header_block
from natscli.message.headers import SERVICE_ERROR, SERVICE_ERROR_CODE, encode_lines
from natscli.message.message import Message
from natscli.reply.options import ReplyOptions
from natscli.reply.python.received import ReceivedRequest
from natscli.reply.responders.mock import build as build_mock
from natscli.reply.responders.responder import Batch, Done, Failure, Host, Responder
from natscli.settings import resolve
from natscli.testing.background import Background

#: What a test gives to answer with: a function of the request, plain or async.
Handler = Callable[[Request], Any]


class AnsweredRequest(NamedTuple):
    """A request and what was answered: header block and payload; None for no reply. `failure` is what went wrong."""

    request: Request
    header: bytes | None
    payload: bytes | None
    failure: str = ""


class TestResponder:
    """Answers on a subject until it is closed. `requests` is what it was asked, `answered` with what was answered."""

    __test__ = False

    def __init__(self, background: Background, url: str, subject: str | None, responder: Responder) -> None:
        self.answered: list[AnsweredRequest] = []
        self._background = background
        self._responder = responder
        self._arrived = threading.Condition()
        places = tuple(place.subject for place in responder.places)
        self.subjects = places if subject is None else (subject,)
        background.wait(self._start(url))

    @property
    def requests(self) -> list[Request]:
        """What it was asked, in that order."""
        return [answered.request for answered in self.answered]

    def wait_for(self, count: int, timeout: float = 5.0) -> list[Request]:
        """Its requests, when there are `count` of them: for those that were only published.

        Raises:
            AssertionError: there are fewer after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        with self._arrived:
            while len(self.answered) < count:
                left = deadline - time.monotonic()
                assert left > 0, f"{len(self.answered)} of {count} requests on {', '.join(self.subjects)}"
                self._arrived.wait(left)
        return self.requests

    def close(self) -> None:
        """Answer no more."""
        self._background.wait(self._stop())

    async def _start(self, url: str) -> None:
        environment = Environment(BytesIO(), BytesIO(), BytesIO(), {})
        environment.quiet = True
        environment.sink = lambda line: None
        settings = resolve({"server": url, "no_context": True}, {}, ContextStore(""))
        self._connection = await connect(prepare(settings, environment), environment, listener=True)
        await self._responder.start(Host(self._connection, environment))
        for subject in self.subjects:
            await self._connection.client.subscribe_batches(subject, "", self._on_batch)
        await self._connection.client.flush()

    async def _stop(self) -> None:
        self._responder.kill()
        await self._connection.close()

    def _on_batch(self, batch: list[Message], arrived: int) -> None:
        self._responder.respond(Batch(batch, len(self.answered), arrived), self._done)

    def _done(
        self, batch: Batch, replies: list[Message], failure: Failure | None, *, more: bool = False
    ) -> None:
        if replies:
            self._connection.client.send([reply for reply in replies if reply[0]])
        if more:
            return
        said = f"{failure.code}: {failure.text}" if failure is not None else ""
        with self._arrived:
            for index, (subject, reply, header, payload) in enumerate(batch.requests):
                request = ReceivedRequest(subject, reply, header, payload, batch.first + index, None)
                block, data = replies[index][2:] if replies else (None, None)
                self.answered.append(AnsweredRequest(request, block, data, said))
            self._arrived.notify_all()


class _Function(Responder):
    """Answers with what a function of the test gives."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._tasks: set[asyncio.Task[None]] = set()

    def respond(self, batch: Batch, done: Done) -> None:
        for one in batch.single():
            task = asyncio.get_running_loop().create_task(self._answer(one, done))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def kill(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _answer(self, one: Batch, done: Done) -> None:
        subject, to, header, payload = one.requests[0]
        request = ReceivedRequest(subject, to, header, payload, one.first, None)
        failure: Failure | None = None
        try:
            if inspect.iscoroutinefunction(self._handler):
                value = await self._handler(request)
            else:
                value = await asyncio.to_thread(self._handler, request)
            lines, data = encode(value)
        except ServiceError as error:
            lines, data = encode(error.data)
            lines += encode_lines([(SERVICE_ERROR, error.text), (SERVICE_ERROR_CODE, str(error.code))])
            failure = Failure(error.code, error.text)
        except Exception as error:
            failure = Failure(500, f"{type(error).__name__}: {error}")
            done(one, [failure.reply(one.requests[0])], failure)
            return
        done(one, [(to, b"", header_block(lines), data)], failure)


class _Body(Responder):
    """Answers with the same each time."""

    immediate = True

    def __init__(self, body: Any) -> None:
        lines, self._payload = encode(body)
        self._block = header_block(lines)

    def respond(self, batch: Batch, done: Done) -> None:
        done(batch, [(to, b"", self._block, self._payload) for _, to, _, _ in batch.requests], None)


def responder_of(
    body: Any = b"",
    *,
    handler: Handler | None = None,
    mock: str | PathLike[str] | None = None,
    subject: str | None = None,
) -> Responder:
    """What answers with a body, a function, or a file of recorded exchanges and rules.

    Raises:
        InputError: the file cannot be read, or has a mistake.
    """
    if handler is not None:
        return _Function(handler)
    if mock is None:
        return _Body(body)
    environment = Environment(BytesIO(), BytesIO(), BytesIO(), {})
    return build_mock(ReplyOptions(subject=subject, mock=fspath(mock)), environment)
