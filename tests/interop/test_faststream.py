"""FastStream: its subscribers are asked, its requests are answered."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.program import Program, Runner
from tests.servers import Server

faststream = pytest.importorskip("faststream", reason="faststream is not installed")
faststream_nats = pytest.importorskip("faststream.nats", reason="faststream[nats] is not installed")


@pytest.fixture
def broker(nats_server: Server) -> Iterator[Server]:
    """The server, while a subscriber of FastStream answers on it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    broker = faststream_nats.NatsBroker(nats_server.url, logger=None)

    @broker.subscriber("fs.sum")  # type: ignore[untyped-decorator]
    async def total(numbers: list[int]) -> int:
        return sum(numbers)

    asyncio.run_coroutine_threadsafe(broker.start(), loop).result(30)
    yield nats_server
    stop = getattr(broker, "stop", None) or broker.close
    asyncio.run_coroutine_threadsafe(stop(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


def test_a_subscriber_answers_with_the_headers_of_the_request(broker: Server, pynats: Runner) -> None:
    run = pynats("request", "--format", "faststream", "fs.sum", "[1,2]", "--json", server=broker)
    [record] = run.objects
    assert (run.status, record["data"]) == (0, "3")
    assert len(record["headers"]["correlation_id"]) == 1


def test_why_there_is_no_reply_is_said(broker: Server, pynats: Runner) -> None:
    run = pynats("request", "--format", "faststream", "fs.sum", '["a"]', "--timeout", "700ms", server=broker)
    assert run.status in (4, 7)
    if run.status == 4:
        assert "sends no reply when validation fails or its function raises" in run.errors[-1]


def test_a_request_is_answered(nats_server: Server, spawn: Callable[..., Program]) -> None:
    spawn("reply", "fs.back", '{"ok": true}', "--format", "faststream", server=nats_server, ready="Listening")

    async def ask() -> tuple[object, str]:
        async with faststream_nats.NatsBroker(nats_server.url, logger=None) as broker:
            message = await broker.request([1], "fs.back", timeout=5, correlation_id="c-1")
            return await message.decode(), message.correlation_id

    assert asyncio.run(ask()) == ({"ok": True}, "c-1")
