"""A run whose connection is lost before anything was sent waits for the next one, not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from natscli.connection.connect import connected
from natscli.connection.options import plan
from natscli.environment import Environment
from natscli.errors import ConnectionFailedError, NoRespondersError, PynatsError
from natscli.message.micro import Verb
from natscli.request.load import Load, Retries
from natscli.request.options import Expectation
from natscli.request.requester import Requester
from natscli.services.gather import Gathering, Questions
from natscli.settings import Settings, Value
from tests.servers import Server


@pytest.mark.parametrize("option", ["--wait-for-responders", "--retries"])
@pytest.mark.parametrize(("seconds", "returns"), [(0.3, False), (2.5, True)], ids=["gone", "restarted"])
def test_a_connection_lost_before_the_first_request(
    server_factory: Callable[..., Server], option: str, seconds: float, returns: bool
) -> None:
    server = server_factory()
    load = Load(retries=Retries(1)) if option == "--retries" else Load(wait_for_responders=seconds)
    settings = Settings(server=Value(server.url, "-s"), timeout=Value(2.0, "--timeout"))

    async def go() -> PynatsError | None:
        environment = Environment.current()
        environment.quiet = True
        async with connected(plan(settings, {}), environment, listener=True) as connection:
            server.stop()
            while connection.client.is_connected:
                await asyncio.sleep(0.01)
            if returns:
                await asyncio.to_thread(server.start)
            asked = Gathering(Verb.INFO)
            requester = Requester(
                connection, Questions("nobody.here"), Expectation(1, seconds, seconds), asked, load
            )
            await asyncio.wait_for(requester.run(), 20)
            return asked.failure

    expected = NoRespondersError if returns else ConnectionFailedError
    assert isinstance(asyncio.run(go()), expected)
