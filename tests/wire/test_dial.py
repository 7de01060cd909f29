"""Connecting to one of several addresses."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from natscli.wire.client import Client
from natscli.wire.dial import Address, _in_turn, addresses_of, dial
from tests.servers import Server, free_port


@contextmanager
def hole() -> Iterator[Address]:
    """An address that drops packets: a listener whose queue is full."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(listening.getsockname())
        yield socket.AF_INET, listening.getsockname()
        for each in waiting:
            each.close()


def test_small_writes_are_sent_at_once(nats_server: Server) -> None:
    async def go() -> int:
        client = Client()
        await client.connect(nats_server.url)
        sock = client._transport._io_writer.get_extra_info("socket")
        found = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        await client.close()
        return int(found)

    assert asyncio.run(go())


def test_an_address_that_drops_packets_has_a_head_start_only(nats_server: Server) -> None:
    good: Address = (socket.AF_INET, ("127.0.0.1", nats_server.port))
    with hole() as bad:
        start = time.monotonic()
        with asyncio.run(dial([bad, bad, good])) as sock:
            assert sock.getpeername()[1] == nats_server.port
    assert 0.4 < time.monotonic() - start < 2


def test_a_refusal_is_not_waited_for(nats_server: Server) -> None:
    good: Address = (socket.AF_INET, ("127.0.0.1", nats_server.port))
    refusing: Address = (socket.AF_INET, ("127.0.0.1", free_port()))
    start = time.monotonic()
    asyncio.run(dial([refusing] * 5 + [good])).close()
    assert time.monotonic() - start < 0.25


def test_the_first_error_is_told() -> None:
    with pytest.raises(ConnectionRefusedError):
        asyncio.run(dial([(socket.AF_INET, ("127.0.0.1", free_port()))] * 2))


def test_both_kinds_of_addresses_take_turns() -> None:
    four, six = ((socket.AF_INET, n) for n in "ab"), ((socket.AF_INET6, n) for n in "cde")
    assert [name for _, name in _in_turn([*six, *four])] == ["c", "a", "d", "b", "e"]
    assert asyncio.run(addresses_of("::1", 4222)) == [(socket.AF_INET6, ("::1", 4222, 0, 0))]
