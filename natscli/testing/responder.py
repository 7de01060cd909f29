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
from natscli.errors import InputError
from natscli.handling import Request, encode
from natscli.message.header_lines import header_block, header_lines
from natscli.message.message import Message
from natscli.message.subjects import check_subscribe_subject
from natscli.reply.delivery import instead_of
from natscli.reply.options import ReplyOptions
from natscli.reply.python.explain import place
from natscli.reply.python.functions import HandlerFunction, is_async, misfit
from natscli.reply.python.handler import Handler as PythonHandler
from natscli.reply.python.importing import Loaded
from natscli.reply.python.received import ReceivedRequest
from natscli.reply.responders.mock import build as build_mock
from natscli.reply.responders.responder import Batch, Done, Failure, Host, Responder
from natscli.settings import resolve
from natscli.testing.background import Background

#: What a test gives to answer with: a function of the request, plain or async.
Handler = Callable[[Request], Any]
#: Requests that a function answers at once.
_AT_ONCE = 64
_NOTHING: Any = object()


class AnsweredRequest(NamedTuple):
    """A request and what was answered: header block and payload; None for no reply. `failure` is what went wrong.

    Of several replies, these are those of the last; `before` has the payloads of the others.
    """

    request: Request
    header: bytes | None
    payload: bytes | None
    failure: str = ""
    before: tuple[bytes, ...] = ()


class TestResponder:
    """Answers on a subject until it is closed. `requests` is what it was asked, `answered` with what was answered."""

    __test__ = False

    def __init__(self, background: Background, url: str, subject: str | None, responder: Responder) -> None:
        self.answered: list[AnsweredRequest] = []
        self._background = background
        self._responder = responder
        self._arrived = threading.Condition()
        self._count = 0
        self._before: dict[int, list[bytes]] = {}
        #: What was sent instead of replies that the server would not take, and why, by their subjects.
        self._sent: dict[bytes, Message] = {}
        self._unfit: dict[bytes, str] = {}
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

    def connected_again(self) -> None:
        """Wait until it answers at a server that runs again, see `Background.connected_again`."""
        whose = f"the responder on {', '.join(self.subjects)}"
        self._background.connected_again(self._connection.client, whose)

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
        asyncio.get_running_loop().set_exception_handler(None)  # which a handler sets
        await self._connection.close()

    def _on_batch(self, batch: list[Message], arrived: int) -> None:
        self._responder.respond(Batch(batch, self._count, arrived), self._done)
        self._count += len(batch)

    def _done(
        self, batch: Batch, replies: list[Message], failure: Failure | None, *, more: bool = False
    ) -> None:
        if replies:
            self._connection.client.send([reply for reply in replies if reply[0]], self._instead)
            replies = [self._sent.pop(reply[0], reply) for reply in replies]
        if more:
            self._before.setdefault(batch.first, []).extend(reply[3] for reply in replies)
            return
        said = (
            f"{failure.code}: {(failure.notice or failure.text).splitlines()[0]}"
            if failure is not None
            else ""
        )
        with self._arrived:
            for index, message in enumerate(batch.requests):
                number = batch.first + index
                request = ReceivedRequest().filled(message, number, None)
                block, data = replies[index][2:] if replies else (None, None)
                before = tuple(self._before.pop(number, ()))
                unfit = self._unfit.pop(message[1], said)
                self.answered.append(AnsweredRequest(request, block, data, unfit, before))
            self._arrived.notify_all()

    def _instead(self, reply: Message, why: str) -> Message | None:
        """What goes to the requester instead of a reply that the server would not take."""
        sent, ending = instead_of(self._connection.client, reply, why)
        self._sent[reply[0]] = sent or reply
        if ending is not None:
            self._unfit[reply[0]] = f"{ending.code}: the reply {why}"
        return sent


class _Body(Responder):
    """Answers with the same each time."""

    immediate = True

    def __init__(self, body: Any) -> None:
        lines, self._payload = encode(body)
        self._block = header_block(lines)

    def respond(self, batch: Batch, done: Done) -> None:
        done(batch, [(to, b"", self._block, self._payload) for _, to, _, _ in batch.requests], None)


def responder_of(
    subject: str | None = None,
    body: Any = _NOTHING,
    *,
    handler: Handler | None = None,
    mock: str | PathLike[str] | None = None,
) -> Responder:
    """What answers with a body, a function, or a file of recorded exchanges and rules.

    Raises:
        TypeError: several of these, no subject without a file, or `handler` is no function that takes a request.
        ValueError: a subject that nobody can listen on.
        InputError: the file cannot be read, or has a mistake.
    """
    ways = {"a body": body is not _NOTHING, "handler": handler is not None, "mock": mock is not None}
    given = [way for way, is_given in ways.items() if is_given]
    if len(given) > 1:
        raise TypeError(f"nats_reply answers with one of {', '.join(ways)}; not with {' and '.join(given)}")
    _check_subject(subject, needed=mock is None)
    if handler is not None:
        return _function(handler)
    if mock is None:
        return _Body(b"" if body is _NOTHING else body)
    environment = Environment(BytesIO(), BytesIO(), BytesIO(), {})
    return build_mock(ReplyOptions(subject=subject, mock=fspath(mock)), environment)


def _check_subject(subject: object, *, needed: bool) -> None:
    """Raises TypeError, ValueError, see `responder_of`."""
    if subject is None and not needed:
        return
    if not isinstance(subject, str):
        raise TypeError(
            f"nats_reply takes the subject to answer on first, not {subject!r}: nats_reply('SUBJECT', ...)"
        )
    try:
        check_subscribe_subject(subject)
    except InputError as error:
        raise ValueError(f"nats_reply: {error.what}") from None


def _function(handler: Handler) -> Responder:
    """Answers as `pynats reply --handler` does."""
    if not callable(handler):
        raise TypeError(f"handler is a function, not {type(handler).__name__}")
    code = getattr(inspect.unwrap(handler), "__code__", None)
    file = code.co_filename if code is not None else ""
    at = place(handler, file)
    if problem := misfit(handler, "handler"):
        raise TypeError(f"{problem} ({at})" if at else problem)
    return PythonHandler(
        Loaded((HandlerFunction(handler, is_async(handler), at),), None, file, {}), header_lines(()), _AT_ONCE
    )
