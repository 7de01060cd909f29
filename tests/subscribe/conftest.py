"""Fixtures for the tests of `pynats subscribe`: a subscriber that is ready, and somebody who publishes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.asking import Asker
from tests.programs import Program, Runner
from tests.servers import Server


@pytest.fixture
def subscribe(runner: Runner, nats_server: Server) -> Callable[..., Program]:
    """`subscribe(*args, server=...)` starts `pynats subscribe` and returns when the server knows the subscription."""

    def start(*arguments: str, server: Server | str | None = None) -> Program:
        return runner.spawn("subscribe", *arguments, server=server or nats_server, ready="Subscribed to")

    return start


@pytest.fixture
def publisher(nats_server: Server) -> Iterator[Asker]:
    """A raw connection: `publisher.send(subject, payload, reply=b"")`."""
    with Asker(nats_server) as asker:
        yield asker
