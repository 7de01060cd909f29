"""Fixtures for the tests of `pynats request`; see responders.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.peers import Peers
from tests.program import Run, Runner
from tests.request.responders import Responders
from tests.servers import Server


@pytest.fixture(scope="session")
def session_responders(nats_server: Server) -> Iterator[Responders]:
    """One client for all tests of a worker."""
    responders = Responders(nats_server.url)
    yield responders
    responders.close()


@pytest.fixture
def responders(session_responders: Responders) -> Responders:
    """`responders(answers)` answers on the shared server and gives the subject; `requests` are those that came."""
    session_responders.requests.clear()
    return session_responders


@pytest.fixture
def responders_on() -> Iterator[Callable[..., Responders]]:
    """`responders_on(server)` is the same on another server, with nats-py's `options` to connect."""
    with ExitStack() as stack:

        def start(server: Server, **options: Any) -> Responders:
            responders = Responders(server.url, **options)
            stack.callback(responders.close)
            return responders

        yield start


@pytest.fixture
def ask(pynats: Runner, nats_server: Server) -> Callable[..., Run]:
    """`ask(subject, *args)` runs `pynats request` on the shared server."""
    return lambda *args, **how: pynats("request", *args, **{"server": nats_server, **how})


@pytest.fixture
def streams(server_factory: Callable[..., Server], tmp_path: Path) -> Server:
    """A server with the stream ORDERS of orders.>, and its consumer C."""
    server = server_factory("", "-js", "-sd", str(tmp_path / "js"))
    with_peers = Peers()
    try:
        stream = with_peers.connect(server.url).jetstream()
        with_peers.run(stream.add_stream(name="ORDERS", subjects=["orders.>"]))
        with_peers.run(stream.add_consumer("ORDERS", durable_name="C", ack_policy="explicit"))
    finally:
        with_peers.close()
    return server
