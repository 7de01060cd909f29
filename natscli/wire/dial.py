"""A TCP connection to one of the addresses of a host, tried as RFC 8305 says."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import suppress
from itertools import chain, zip_longest
from typing import Any

#: Seconds that an address has for itself before the next one is tried beside it.
_HEAD_START = 0.25

#: Its family, and where to connect to, as the socket module has it.
Address = tuple[int, Any]


async def addresses_of(host: str, port: int) -> list[Address]:
    """The addresses of a host, of both kinds in turn. Raises OSError if it has none."""
    for family, rest in ((socket.AF_INET, ()), (socket.AF_INET6, (0, 0))):
        with suppress(OSError):
            socket.inet_pton(family, host)
            return [(family, (host, port, *rest))]  # without a thread that looks it up
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return _in_turn(list(dict.fromkeys((family, address) for family, _, _, _, address in found)))


def _in_turn(addresses: list[Address]) -> list[Address]:
    """IPv6 and IPv4 alternate, beginning with the kind of the first."""
    kinds: dict[int, list[Address]] = {}
    for address in addresses:
        kinds.setdefault(address[0], []).append(address)
    return [address for address in chain(*zip_longest(*kinds.values())) if address]


async def dial(addresses: list[Address]) -> socket.socket:
    """A socket that is connected to the first of the addresses that answers.

    One that drops packets holds up the next for `_HEAD_START` seconds only.

    Raises:
        OSError: that of the first address that failed, if none can be connected to.
    """
    rest = list(addresses)
    errors: list[BaseException] = []
    tries: set[asyncio.Task[socket.socket]] = set()
    try:
        while rest or tries:
            if rest:
                tries.add(asyncio.ensure_future(_connect(*rest.pop(0))))
            done, tries = await asyncio.wait(
                tries, timeout=_HEAD_START if rest else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                error = task.exception()
                if error is None:
                    tries |= done - {task}
                    return task.result()
                errors.append(error)
    finally:
        for task in tries:
            task.cancel()
            task.add_done_callback(_close_unused)
    raise errors[0]


async def _connect(family: int, address: Any) -> socket.socket:
    # asyncio sets TCP_NODELAY only where the protocol is named.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, address)
        if sock.getsockname() == sock.getpeername():  # Linux may connect a socket to itself
            raise ConnectionRefusedError(errno.ECONNREFUSED, "connect call failed: it is its own peer")
    except BaseException:
        sock.close()
        raise
    return sock


def _close_unused(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
