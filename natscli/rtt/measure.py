"""RTT to servers: PINGs on a connection to each address of each."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter_ns
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from natscli.connection.connect import connected, leave_threads_behind
from natscli.connection.connection import Connection
from natscli.connection.failures import shown_url
from natscli.connection.options import Plan, prepare
from natscli.connection.probe import context_settings
from natscli.contexts.store import ContextStore
from natscli.environment import Environment
from natscli.errors import ConnectionFailedError, PynatsError, Report, explain
from natscli.histogram import Histogram
from natscli.system.waiting import within
from natscli.wire.nats_py import errors as nats_errors

_DEFAULT_PORT = 4222
TIMINGS = ("min", "mean", "p50", "p90", "p99", "max")


@dataclass(frozen=True)
class Address:
    """One address of a server: the URL that was given, that to connect to, and the name its certificate is for."""

    given: str
    url: str
    host: str = ""

    @property
    def shown(self) -> tuple[str, str]:
        """Both URLs without credentials."""
        return shown_url(urlsplit(self.given)), shown_url(urlsplit(self.url))


@dataclass(frozen=True)
class Measured:
    """The RTT to one address of a server `at` (seconds since 1970), in nanoseconds; or the problem.

    `url` is that of the server as it was given, without credentials. `jitter` is the mean difference between one RTT
    and the next.
    """

    url: str
    address: str
    at: float
    context: str = ""
    server: str = ""
    version: str = ""
    rtt: Histogram = field(default_factory=Histogram)
    jitter: int = 0
    report: Report | None = None

    @property
    def timings(self) -> dict[str, int]:
        """min, mean, p50, p90, p99 and max in nanoseconds; nothing without an RTT."""
        return self.rtt.named(TIMINGS)


async def measure(plan: Plan, environment: Environment, count: int, context: str = "") -> list[Measured]:
    """`count` RTTs to each address of the servers of `plan`, one after the other; problems are in the results."""
    found = []
    for url in plan.servers:
        for address in await _addresses(url, plan):
            found.append(await _measure_one(address, plan, environment, count, context))
    return found


async def measure_contexts(
    names: Sequence[str], flags: Mapping[str, Any], environment: Environment, count: int
) -> list[Measured]:
    """The same for each of these contexts, with the settings of the context alone."""
    store = ContextStore(environment.config_dir, environment.warn)
    leave_threads_behind()  # `op` or `nsc` may take long
    found = []
    for name in names:
        try:
            settings = context_settings(environment, flags, store, name)
            # In a thread, because it may run `op` or `nsc`.
            plan = await asyncio.to_thread(prepare, settings, environment)
        except (PynatsError, OSError) as error:
            found.append(Measured("", "", time.time(), name, report=explain(error)))
        else:
            found += await measure(plan, environment, count, name)
    return found


async def _addresses(url: str, plan: Plan) -> list[Address]:
    """The addresses of a server; the URL itself if the name cannot be looked up, or must not be.

    A proxy looks it up itself, and a WebSocket server may choose the service by the name.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if plan.socks_proxy or parts.scheme in ("ws", "wss") or _is_address(host):
        return [Address(url, url)]
    port = parts.port or _DEFAULT_PORT
    try:
        look_up = asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        resolved = await within(plan.timeout, look_up)
    except (OSError, UnicodeError, asyncio.TimeoutError):
        return [Address(url, url)]  # connecting says what is wrong
    login, at, _ = parts.netloc.rpartition("@")
    found = []
    for address in dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in resolved):
        shown = f"[{address}]" if ":" in address else address
        netloc = f"{login}{at}{shown}:{port}"
        found.append(Address(url, urlunsplit(parts._replace(netloc=netloc)), host))
    return found


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _measure_one(
    address: Address, plan: Plan, environment: Environment, count: int, context: str
) -> Measured:
    options = {**plan.options, "tls_hostname": address.host} if address.host else plan.options
    given, shown = address.shown
    measured = Measured(given, shown, time.time(), context)
    try:
        async with connected(plan.replace(servers=[address.url], options=options), environment) as connection:
            info = connection.client.server_info
            rtt, jitter = await _ping(connection, count, plan.timeout)
            return replace(
                measured, server=str(info.get("server_name", "")), version=str(info.get("version", "")),
                rtt=rtt, jitter=jitter,
            )  # fmt: skip
    except (PynatsError, OSError) as error:
        return replace(measured, report=explain(error))


async def _ping(connection: Connection, count: int, timeout: float) -> tuple[Histogram, int]:
    """`count` RTTs, and their jitter.

    Raises:
        PynatsError: there was no answer within `timeout` seconds, or the connection was lost.
    """
    rtts, differences, last = Histogram(), 0, 0
    try:
        for number in range(count + 1):
            start = perf_counter_ns()
            await connection.client.flush(timeout=timeout)
            rtt = perf_counter_ns() - start
            if number:  # what connecting has left behind is in the way of the first
                rtts.record(rtt)
                differences += abs(rtt - last) if number > 1 else 0
            last = rtt
    except (asyncio.TimeoutError, OSError, nats_errors.Error):
        if connection.lost.done():
            raise connection.lost.result() from None
        raise ConnectionFailedError("the server does not answer", where=connection.url) from None
    return rtts, differences // max(count - 1, 1)
