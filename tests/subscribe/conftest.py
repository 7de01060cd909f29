"""Fixtures for the tests of `pynats subscribe`: a subscriber that is ready."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.program import Program, Runner
from tests.servers import Server


@pytest.fixture
def subscribe(runner: Runner, nats_server: Server) -> Callable[..., Program]:
    """`subscribe(*args, server=...)` starts `pynats subscribe` and returns when the server knows the subscription."""

    def start(*arguments: str, server: Server | str | None = None) -> Program:
        return runner.spawn("subscribe", *arguments, server=server or nats_server, ready="Subscribed to")

    return start
