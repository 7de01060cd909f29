"""The loop that serves a responder: takes batches of requests, answers them, shows them, drains."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from natscli.connection.connect import Connection
from natscli.connection.failures import classify
from natscli.environment import Environment
from natscli.errors import ConnectionFailedError, PynatsError, explain
from natscli.message import headers
from natscli.output.pump import Pump
from natscli.output.requests import RenderRequests
from natscli.reply.backlog import Backlog
from natscli.reply.responders import Respond
from natscli.reply.workers import Workers
from natscli.signals import Stop
from natscli.wire.nats_py import errors as nats_errors
from natscli.wire.protocol import Message


class SlowResponder(Protocol):
    """A responder that takes its time: called in a thread, for one request at a time."""

    def answer(self, message: Message, number: int, limit: int) -> tuple[Message, str]:
        """The reply, of `limit` bytes at most, and what went wrong or an empty string; never raises."""

    def kill(self) -> None:
        """Give up on what it does now."""


@dataclass(frozen=True)
class Listening:
    """What to listen on, and how. `count` requests and no more, 0 for no end; `sleep` at most this many seconds."""

    subject: str
    queue: str
    count: int = 0
    sleep: float = 0.0
    concurrency: int = 1


@dataclass(frozen=True)
class Limits:
    """Requests in hand at once, and their bytes; more are refused. Seconds to wait for the server at the end."""

    requests: int = 16_384
    size: int = 64 * 1024 * 1024
    patience: float = 3.0


LIMITS = Limits()


class Listener:
    """Serves one `Listening` on one connection until it is stopped or has answered enough."""

    def __init__(
        self,
        listening: Listening,
        connection: Connection,
        environment: Environment,
        render: RenderRequests,
        responder: Respond | SlowResponder,
        limits: Limits = LIMITS,
    ) -> None:
        """Answer with `responder`: in the event loop, whole batches at once, or if it is a slow one in threads."""
        self._listening = listening
        self._connection = connection
        self._client = connection.client
        self._environment = environment
        self._render = render
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._respond: Respond | None = responder if callable(responder) else None
        self._slow: SlowResponder | None = None if callable(responder) else responder
        self._workers: Workers[tuple[Message, str]] = Workers(listening.concurrency)
        self._backlog = Backlog(limits.requests, limits.size)
        self._pump = Pump(environment, lossy=True, on_failure=self._output_failed)
        self._stop = asyncio.Event()
        self._number = 0
        self._refused = 0

    async def run(self) -> None:
        """Subscribe, serve, and drain at the end: whatever was accepted is answered.

        Raises:
            PynatsError: refused, the connection was lost, or the output cannot be written.
            asyncio.CancelledError: stopped a second time.
        """
        listening, environment, connection = self._listening, self._environment, self._connection
        environment.sink = self._pump.log
        stop = Stop(self._stop.set)
        try:
            subscription = await self._client.subscribe_batches(
                listening.subject, listening.queue, self._on_batch, listening.count
            )
            await connection.confirm()
            connection.on_refusal = self._on_refusal
            group = f' in group "{listening.queue}"' if listening.queue else ""
            environment.log(f"Listening on [{listening.subject}]{group}")
            await self._unless_lost(self._stop.wait())
            await self._unless_lost(self._drain(subscription))
        except nats_errors.Error as error:
            raise classify(error, connection.url) from None
        finally:
            in_hand = self._backlog.requests
            self._workers.stop()
            if self._slow is not None:
                self._slow.kill()
            stop.blocking = True
            self._tell_refused()
            if in_hand:
                environment.warn(f"stopped, requests left unanswered: {in_hand}")
            self._pump.close(0.1 if in_hand else 1.0)
        if self._pump.failure is not None:
            report = explain(self._pump.failure)
            raise PynatsError(report.message, hint=report.hint)

    async def _drain(self, subscription: Any) -> None:
        """Take no more requests, answer those in hand, and see the replies off.

        Raises:
            ConnectionFailedError: they could not be sent.
        """
        if self._backlog.requests:
            self._environment.log(f"Draining, still to answer: {self._backlog.requests}")
        with suppress(
            asyncio.TimeoutError, nats_errors.Error
        ):  # without a connection, no more requests come anyway
            await asyncio.wait_for(
                subscription.drain() if self._client.is_connected else subscription.unsubscribe(),
                self._limits.patience,
            )
        await self._backlog.empty()
        await self._client.published()
        deadline = self._loop.time() + self._limits.patience
        while self._client.pending_data_size and not self._client.is_connected:
            if self._loop.time() > deadline:
                raise ConnectionFailedError("the connection was lost, and the last replies with it")
            await asyncio.sleep(0.02)
        if self._client.is_connected:
            await self._connection.confirm()

    async def _unless_lost(self, work: Coroutine[Any, Any, Any]) -> None:
        """Wait for `work`, unless the connection is lost for good.

        Raises:
            PynatsError: it was.
        """
        lost = self._connection.lost
        task = asyncio.ensure_future(work)
        await asyncio.wait((task, lost), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            raise lost.result()
        task.result()

    # -- from requests to replies ----------------------------------------------------------------------------

    def _on_batch(self, batch: list[Message], arrived: int) -> None:  # noqa: ARG002
        first, limit = self._number, self._listening.count
        if limit:
            batch = batch[: limit - first]
            if not batch:
                return
            if first + len(batch) == limit:
                self._stop.set()
        self._number = first + len(batch)
        if self._respond is not None and not self._listening.sleep:
            self._send(self._respond(batch, first))
        else:
            for number, message in enumerate(batch, first):
                if message[1]:
                    self._accept(message, number)
        size = 0 if self._pump.direct else sum(map(_size, batch))
        self._pump.put(partial(self._render, batch, first, time.time()), len(batch), size)

    def _accept(self, message: Message, number: int) -> None:
        """Take a request in hand, to be answered later."""
        if not self._backlog.accept(_size(message)):
            self._refuse(message)
        elif self._listening.sleep:
            self._loop.call_later(random.uniform(0, self._listening.sleep), self._begin, message, number)
        else:
            self._begin(message, number)

    def _begin(self, message: Message, number: int) -> None:
        if self._slow is None:
            assert self._respond is not None
            self._send(self._respond([message], number))
            self._backlog.done(_size(message))
        else:
            self._workers.submit(
                partial(self._slow.answer, message, number, self._client.max_payload),
                partial(self._finish, message, number),
            )

    def _finish(self, message: Message, number: int, result: tuple[Message, str]) -> None:
        answer, problem = result
        self._send([answer])
        self._backlog.done(_size(message))
        if problem:
            self._environment.warn(f"[#{number}] {problem}")

    def _send(self, answers: list[Message]) -> None:
        if answers:
            self._client.send(answers, self._too_large)

    def _too_large(self, answer: Message) -> Message:
        """What is sent instead of a reply that the server would not take."""
        subject, _, header, payload = answer
        size = len(payload) + len(header or b"")
        problem = f"the reply has {size} bytes, the server takes {self._client.max_payload}"
        self._environment.warn(problem)
        return subject, b"", headers.service_error(problem, 500), b""

    # -- what went wrong -------------------------------------------------------------------------------------

    def _refuse(self, message: Message) -> None:
        if not self._refused:
            self._loop.call_later(1.0, self._tell_refused)
        self._refused += 1
        error = headers.service_error("too many requests are waiting", 503)
        self._client.send([(message[1], b"", error, b"")])

    def _tell_refused(self) -> None:
        refused, self._refused = self._refused, 0
        if refused:
            self._environment.warn(
                f"requests refused with code 503, because too many were waiting: {refused}"
            )

    def _on_refusal(self, error: PynatsError) -> None:
        """A reply that is not permitted must not end the listener: the requester chose its subject."""
        self._environment.warn(error.what)

    def _output_failed(self, error: Exception) -> None:  # noqa: ARG002
        """Called in any thread: a listener that can show nothing more stops; `run` says why."""
        with suppress(RuntimeError):  # the loop is closed, all is over
            self._loop.call_soon_threadsafe(self._stop.set)


def _size(message: Message) -> int:
    """About how many bytes of memory a message takes."""
    return len(message[3]) + len(message[2] or b"") + 200
