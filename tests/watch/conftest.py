"""Fixtures for the tests of `pynats watch` and `pynats service`; see peers.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.watch.peers import Peers


@pytest.fixture
def peers() -> Iterator[Peers]:
    """nats-py clients, disconnected after the test."""
    peers = Peers()
    yield peers
    peers.close()
