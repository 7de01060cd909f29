"""Whoever is cancelled ends: at every await of connecting, reconnecting, closing and what a client is asked for."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from typing import Any

import pytest

import natscli
from natscli.backoff import Backoff
from natscli.system.waiting import within
from natscli.wire import next_server
from tests.program import Program
from tests.servers import Server

#: Seconds in which what is cancelled ends.
SOON = 2.0


class Counted(Coroutine[Any, Any, Any]):
    """A coroutine that calls `suspended` whenever it waits, and when it ends."""

    def __init__(self, work: Any, suspended: Callable[[], None]) -> None:
        self._work, self._suspended = work, suspended

    def __await__(self) -> Generator[Any, Any, Any]:
        raise NotImplementedError

    def send(self, value: Any) -> Any:
        try:
            return self._work.send(value)
        finally:
            self._suspended()

    def throw(self, *error: Any) -> Any:
        try:
            return self._work.throw(*error)
        finally:
            self._suspended()

    def close(self) -> None:
        self._work.close()


def cancelled_at(number: int, work: Callable[[asyncio.Event], Awaitable[object]]) -> bool:
    """Run `work`, which sets the event when counting is to begin; cancel it after so many awaits, of any task.

    Gives whether it came so far.

    Raises:
        AssertionError: it went on, or did not end soon.
    """
    state = {"left": number, "cancelled": 0.0}

    async def main() -> None:
        loop, begun = asyncio.get_running_loop(), asyncio.Event()
        task: asyncio.Task[Any] | None = None

        def suspended() -> None:
            if task is None or not begun.is_set() or state["cancelled"]:
                return
            state["left"] -= 1
            if state["left"] < 0 and not task.done():
                state["cancelled"] = time.monotonic()
                task.cancel()

        def factory(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
            return asyncio.Task(Counted(work, suspended), loop=loop, **options)

        loop.set_task_factory(factory)

        async def counted() -> None:
            await work(begun)

        task = asyncio.create_task(counted())
        with suppress(asyncio.CancelledError):
            await task
        assert not state["cancelled"] or task.cancelled(), "it went on"

    asyncio.run(main())  # which cancels what was left behind, and waits for it
    if state["cancelled"]:
        assert time.monotonic() - state["cancelled"] < SOON
    return bool(state["cancelled"])


def at_every_await(work: Callable[[asyncio.Event], Awaitable[object]], most: int = 400) -> int:
    """Run `work` again and again, cancelled one await later each time, until it ends by itself; gives how often."""
    for number in range(most):
        if not cancelled_at(number, work):
            return number
    return most


def test_connecting_and_closing_can_be_cancelled_at_every_await(nats_server: Server) -> None:
    async def work(begun: asyncio.Event) -> None:
        begun.set()
        async with natscli.connect(server=nats_server.url, no_context=True) as client:
            await client.subscribe("a.b")
            await client.flush()

    assert at_every_await(work) > 10


@pytest.mark.parametrize("what", ["flush", "request", "publish", "rtt", "drain"])
def test_what_is_asked_of_a_client_can_be_cancelled_at_every_await(nats_server: Server, what: str) -> None:
    async def work(begun: asyncio.Event) -> None:
        async with natscli.connect(server=nats_server.url, no_context=True) as client:

            async def answer(message: Any) -> None:
                await message.respond(b"yes")

            await client.subscribe("cancel.me", cb=answer)
            begun.set()
            if what == "request":
                await client.request("cancel.me", b"", timeout=5)
            elif what == "publish":
                await client.publish("cancel.me", b"")
            else:
                await getattr(client, what)()

    assert at_every_await(work) > 1


def test_reconnecting_can_be_cancelled_at_every_await(
    server_factory: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is away, and then it is one that hangs up after each login."""
    monkeypatch.setattr(next_server, "UNREACHED", Backoff(0.001, 0.001))
    monkeypatch.setattr(next_server, "REACHED", Backoff(0.001, 0.001))
    server = server_factory()

    async def work(begun: asyncio.Event) -> None:
        connections = 0

        async def flaky(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            first = connections == 1
            upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", server.port)
            with suppress(OSError, asyncio.CancelledError):
                for _ in range(1 << 30 if first else 3):
                    waiting = [asyncio.ensure_future(r.read(65536)) for r in (reader, upstream_reader)]
                    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED, timeout=0.2)
                    for each, other in zip(waiting, (upstream, writer), strict=True):
                        if not each.done():
                            each.cancel()
                        elif each.result():
                            other.write(each.result())
                    if first and begun.is_set():
                        break
            writer.close()
            upstream.close()

        listening = await asyncio.start_server(flaky, "127.0.0.1", 0)
        try:
            port = listening.sockets[0].getsockname()[1]
            client = await natscli.connect(server=f"127.0.0.1:{port}", no_context=True, timeout=1.0)
            await client.subscribe("a.b")
            begun.set()
            client._transport.abort()
            await asyncio.sleep(30)
        finally:
            listening.close()  # or one more connection is taken while the loop ends

    for number in range(0, 240, 3):
        assert cancelled_at(number, work)


@pytest.mark.parametrize("turns", range(6))
def test_a_cancellation_that_comes_with_the_result_is_not_lost(turns: int) -> None:
    """`asyncio.wait_for` of Python 3.10 and 3.11 gives the result, and the task goes on."""

    async def go() -> tuple[bool, bool]:
        result: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def wait() -> None:
            await within(5, result)
            await asyncio.sleep(0)

        task = asyncio.create_task(wait())
        await asyncio.sleep(0.01)
        result.set_result(1)
        for _ in range(turns):
            await asyncio.sleep(0)
        told = task.cancel()
        await asyncio.wait((task,))
        return told, task.cancelled()

    told, ended = asyncio.run(go())
    assert told is ended


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "arguments",
    [
        ("reply", "away", "x"),
        ("subscribe", "away"),
        ("watch", "away"),
        ("request", "away", "x", "--count", "100000", "--retries", "1000"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_command_whose_server_is_away_ends_at_the_first_signal(
    spawn: Callable[..., Program],
    server_factory: Callable[..., Server],
    arguments: tuple[str, ...],
    number: int,
) -> None:
    server = server_factory()
    responder = spawn("reply", "away", "x", server=server) if arguments[0] == "request" else None
    command = spawn(*arguments, server=server)
    if responder is not None:
        responder.wait_for("Received on")
    else:
        command.wait_for({"reply": "Listening", "subscribe": "Subscribed", "watch": "Watching"}[arguments[0]])
    server.stop()
    command.wait_for("cannot reconnect")
    start = time.monotonic()
    command.send_signal(number)
    status = command.wait()
    assert time.monotonic() - start < SOON
    assert status == (130 if arguments[0] == "request" else 0)
