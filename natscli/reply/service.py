"""The loop that serves a responder: takes batches of requests, answers them, shows them, drains."""

from __future__ import annotations

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from natscli.connection import Connection
from natscli.environment import Environment
from natscli.errors import InterruptedByUserError
from natscli.message import headers
from natscli.output.pump import Pump
from natscli.output.requests import RenderRequests
from natscli.reply.responders import Respond
from natscli.signals import on_signals
from natscli.wire import Message

#: Requests in hand (waiting for a command or a delay), and their bytes; more are refused, so memory stays bounded.
_MOST_IN_HAND = 16_384
_MOST_BYTES_IN_HAND = 64 * 1024 * 1024
_REFUSAL = headers.service_error("too many requests are waiting", 503)


class SlowResponder(Protocol):
    """A responder that takes its time: called in a thread, for one request at a time."""

    def answer(self, message: Message, number: int) -> tuple[Message, str]:
        """The reply, and what went wrong or an empty string."""

    def kill(self) -> None:
        """Give up on what it does now."""


@dataclass(frozen=True)
class Service:
    """What to listen on, and how. `count` requests and no more, 0 for no end; `sleep` at most this many seconds."""

    subject: str
    queue: str
    count: int = 0
    sleep: float = 0.0
    concurrency: int = 1


class Server:
    """Serves one `Service` on one connection until it is stopped or has answered enough."""

    def __init__(
        self,
        service: Service,
        connection: Connection,
        environment: Environment,
        render: RenderRequests,
        respond: Respond | None,
        slow: SlowResponder | None = None,
    ) -> None:
        """Answer with `respond`, in the event loop, or with `slow`, in threads."""
        self._service = service
        self._connection = connection
        self._client = connection.client
        self._environment = environment
        self._render = render
        self._respond = respond
        self._slow = slow
        self._pump = Pump(environment, lossy=True, on_failure=connection.client.on_failure)
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(service.concurrency, "command") if slow else None
        self._number = 0
        self._in_hand = 0
        self._bytes_in_hand = 0
        self._refused = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._stop = asyncio.Event()
        self._hard_stop: asyncio.Future[None] = self._loop.create_future()

    async def run(self) -> None:
        """Subscribe, serve, and drain at the end: whatever was accepted is answered.

        Raises:
            PynatsError: refused, connection lost, output failed, or stopped a second time (status 130).
        """
        service, environment = self._service, self._environment
        subscription = await self._client.subscribe_batches(
            service.subject, service.queue, self._on_batch, service.count
        )
        await self._connection.confirm()
        group = f' in group "{service.queue}"' if service.queue else ""
        environment.say(f"Listening on [{service.subject}]{group}")
        environment.sink = self._pump.story
        on_signals(self._on_signal, "SIGINT", "SIGTERM")
        stop = asyncio.ensure_future(self._stop.wait())
        try:
            await self._first_of(stop, self._connection.lost, self._hard_stop)
            if not self._connection.lost.done():
                await self._first_of(asyncio.ensure_future(self._drain(subscription)), self._connection.lost,
                                     self._hard_stop)  # fmt: skip
            if self._hard_stop.done():
                raise InterruptedByUserError(f"stopped with {self._in_hand} requests unanswered")
            if self._connection.lost.done() and not (service.count and self._number >= service.count):
                raise self._connection.lost.result()
        finally:
            stop.cancel()
            if self._slow is not None and self._in_hand:
                self._slow.kill()
            if self._threads is not None:
                self._threads.shutdown(wait=False, cancel_futures=True)
            self._tell_refused()
            self._pump.close()

    async def _drain(self, subscription: object) -> None:
        """Take no more requests, answer those in hand, and see the replies off."""
        if self._in_hand:
            self._environment.say(f"Draining: {self._in_hand} requests in hand...")
        if not (self._service.count and self._number >= self._service.count):
            await subscription.drain()  # type: ignore[attr-defined]
        await self._idle.wait()
        await self._client.published()
        await self._connection.confirm()

    async def _first_of(self, *events: asyncio.Future[Any]) -> None:
        done, _ = await asyncio.wait(events, return_when=asyncio.FIRST_COMPLETED)
        for future in done:
            future.result()

    def _on_signal(self) -> None:
        if not self._stop.is_set():
            self._stop.set()
        elif not self._hard_stop.done():
            self._hard_stop.set_result(None)

    def _on_batch(self, batch: list[Message], arrived: int) -> None:  # noqa: ARG002
        first = self._number
        limit = self._service.count
        if limit and first + len(batch) > limit:
            batch = batch[: limit - first]
        self._number = first + len(batch)
        if self._respond is not None and not self._service.sleep:
            self._send(self._respond(batch, first))
        else:
            for number, message in enumerate(batch, first):
                if message[1]:
                    self._accept(message, number)
        self._pump.put(
            partial(self._render, batch, first),
            len(batch),
            sum([len(m[3]) + len(m[2] or b"") + 200 for m in batch]),
        )
        if limit and self._number >= limit:
            self._stop.set()

    def _accept(self, message: Message, number: int) -> None:
        size = len(message[3])
        if self._in_hand >= _MOST_IN_HAND or self._bytes_in_hand + size > _MOST_BYTES_IN_HAND:
            if not self._refused:
                self._loop.call_later(1.0, self._tell_refused)
            self._refused += 1
            self._client.send([(message[1], b"", _REFUSAL, b"")])
            return
        self._in_hand += 1
        self._bytes_in_hand += size
        self._idle.clear()
        if self._service.sleep:
            self._loop.call_later(random.uniform(0, self._service.sleep), self._begin, message, number)
        else:
            self._begin(message, number)

    def _begin(self, message: Message, number: int) -> None:
        if self._slow is None:
            assert self._respond is not None
            self._finish(message, self._respond([message], number), "")
        elif self._threads is not None:
            future = self._threads.submit(self._slow.answer, message, number)
            future.add_done_callback(
                lambda done: (
                    None
                    if done.cancelled()
                    else self._loop.call_soon_threadsafe(self._finished, message, number, done)
                )
            )

    def _finished(self, message: Message, number: int, done: object) -> None:
        answer, problem = done.result()  # type: ignore[attr-defined]
        self._finish(message, [answer], f"[#{number}] {problem}" if problem else "")

    def _finish(self, message: Message, answers: list[Message], problem: str) -> None:
        self._send(answers)
        self._in_hand -= 1
        self._bytes_in_hand -= len(message[3])
        if not self._in_hand:
            self._idle.set()
        if problem:
            self._environment.warn(problem)

    def _send(self, answers: list[Message]) -> None:
        most = self._client.max_payload
        for index, (subject, _, header, payload) in enumerate(answers):
            if len(payload) + (len(header) if header else 0) > most:
                size = len(payload) + (len(header) if header else 0)
                problem = f"the reply has {size} bytes, the server takes {most}"
                self._environment.warn(problem)
                answers[index] = (subject, b"", headers.service_error(problem, 500), b"")
        if answers:
            self._client.send(answers)

    def _tell_refused(self) -> None:
        refused, self._refused = self._refused, 0
        if refused:
            self._environment.warn(
                f"{refused} requests were refused (code 503): more than {_MOST_IN_HAND} were waiting for an answer"
            )
