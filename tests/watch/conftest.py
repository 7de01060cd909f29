"""Fixtures for the tests of `pynats watch` and `pynats service`; see peers.py."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from tests.servers import Server, free_port
from tests.watch.peers import Peers


@pytest.fixture
def peers() -> Iterator[Peers]:
    """nats-py clients, disconnected after the test."""
    peers = Peers()
    yield peers
    peers.close()


@pytest.fixture
def cluster(server_factory: Callable[..., Server]) -> list[Server]:
    """Three servers that know each other."""
    port = free_port()
    config = 'cluster {{ name: c, listen: "127.0.0.1:{}", routes: ["nats://127.0.0.1:{}"] }}'
    nodes = [server_factory(config.format(own, port)) for own in (port, -1, -1)]
    deadline = time.monotonic() + 30
    ports = {node.port for node in nodes}
    while not all(_known(node) == ports for node in nodes):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return nodes


def _known(node: Server) -> set[int]:
    """The client ports of all servers that a server tells its clients of."""
    with socket.create_connection(("127.0.0.1", node.port)) as raw:
        info = json.loads(raw.makefile("rb").readline().removeprefix(b"INFO "))
    return {int(url.rpartition(":")[2]) for url in info.get("connect_urls", [])}
