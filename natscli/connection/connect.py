"""The first connection, server by server, and what holds it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import perf_counter_ns, time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from natscli.backoff import Backoff, jitter
from natscli.connection.connection import Connection
from natscli.connection.failures import CredentialsRefusedError, classify
from natscli.connection.notices import Notices
from natscli.connection.options import Plan
from natscli.duration import format_duration
from natscli.errors import ConnectionFailedError, PynatsError, RefusedError, explain
from natscli.frozen import Frozen
from natscli.system.waiting import within
from natscli.wire.client import Client
from natscli.wire.nats_py import errors as nats_errors

if TYPE_CHECKING:
    from natscli.environment import Environment

#: The pauses between tries to reach a server that is waited for: where nothing is yet, and where something answers, as
#: the proxy of a container does until its server is up.
_UNREACHED, _REACHED = Backoff(0.01, 0.25), Backoff(0.1, 1.0)
#: Seconds in which what is wrong with a server may be looked into, when the time-out leaves none.
_LEAST = 0.25


@asynccontextmanager
async def connected(
    ready: Plan,
    environment: Environment,
    *,
    listener: bool = False,
    wait: float = 0.0,
    failed: Callable[[BaseException], object] | None = None,
) -> AsyncIterator[Connection]:
    """A connection, closed at the end. A `listener` reconnects forever, and logs it.

    A server that is not up yet is waited for, `wait` seconds at most. Where there is no connection, `failed` is called
    with the reason, before it is raised.

    Raises:
        PynatsError: ConnectionFailedError or RefusedError when no server accepted the connection.
    """
    _silence_loggers()
    asyncio.get_running_loop().set_exception_handler(_unhandled(environment))
    _leave_lookups_behind(ready.servers)
    try:
        connection = await _connect_within(wait, ready, environment, listener=listener)
    except BaseException as error:
        if failed is not None:
            failed(error)
        raise
    try:
        yield connection
    except nats_errors.ConnectionClosedError:  # it was lost before it was used
        if connection.lost.done():
            raise connection.lost.result() from None
        raise ConnectionFailedError("the connection was lost", where=connection.url) from None
    finally:
        await connection.close()


def _leave_lookups_behind(servers: list[str]) -> None:
    """Names are looked up in threads, and one whose time is over is not waited for."""
    if not all(urlsplit(url).hostname in ("127.0.0.1", "::1") for url in servers):
        leave_threads_behind()


def leave_threads_behind(most: int = 4) -> None:
    """Give the loop up to `most` threads, and have `asyncio.run` end without waiting for what runs in them."""
    from concurrent.futures import ThreadPoolExecutor

    class LeftBehind(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
            super().shutdown(wait=False, cancel_futures=True)

    asyncio.get_running_loop().set_default_executor(LeftBehind(most, "left-behind"))


async def _connect_within(wait: float, plan: Plan, environment: Environment, *, listener: bool) -> Connection:
    """Connect; for `wait` seconds, try again while no server can be reached. Logs why it waits.

    Each try has the time-out of the plan, also the last one: waiting comes on top.
    """
    loop = asyncio.get_running_loop()
    deadline, logged, pauses = loop.time() + wait, "", Pauses()
    while True:
        tried = loop.time() + plan.timeout
        failures = await _try_all(plan, environment, listener=listener)
        if isinstance(failures, Connection):
            return failures
        left = deadline - loop.time()
        problem = _worst(failures).problem
        if left <= 0 or not isinstance(problem, ConnectionFailedError):
            raise await _reported(failures, plan, tried - loop.time())
        reason = explain(problem).message
        if reason != logged:
            shown = format_duration(round(left, 1 if left >= 1 else 2))
            environment.log(f"Waiting {shown} for a server: {reason}")
            logged = reason
        await asyncio.sleep(min(pauses.next(reached=any(failure.reached for failure in failures)), left))


class Pauses:
    """Seconds between tries to reach a server that is waited for; they grow, and more where something answers.

    `factor` makes each of the latter a little shorter or longer.
    """

    def __init__(self, factor: Callable[[], float] = jitter) -> None:
        self._factor = factor
        self._unreached = self._reached = 0

    def next(self, *, reached: bool) -> float:
        """The pause after a try; `reached` is whether something took the connection."""
        if reached:
            self._reached += 1
            return _REACHED.pause(self._reached) * self._factor()
        self._unreached += 1
        return _UNREACHED.pause(self._unreached)


class _Failure(Frozen):
    """Why there is no connection to the server at `url`: a `problem`, and its `cause`.

    `reached` is whether something took the connection, `silent` whether it then said nothing.
    """

    url: str
    problem: PynatsError
    cause: Exception
    reached: bool
    silent: bool


async def connect(plan: Plan, environment: Environment, *, listener: bool = False) -> Connection:
    """Try every server once, all within the timeout; the first that accepts the connection is used.

    Raises:
        ConnectionFailedError: none could be reached. RefusedError: one refused us.
    """
    return await _connect_within(0.0, plan, environment, listener=listener)


async def _try_all(plan: Plan, environment: Environment, *, listener: bool) -> Connection | list[_Failure]:
    """The first connection that a server accepts, or why none does; all within the timeout."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + plan.timeout
    began = perf_counter_ns()
    failures: list[_Failure] = []
    for index, url in enumerate(plan.servers):
        share = max(deadline - loop.time(), 0.05) / (len(plan.servers) - index)
        started = perf_counter_ns()
        connection = await _connect_to(url, plan, environment, share)
        if isinstance(connection, _Failure):
            failures.append(connection)
            continue
        client = connection.client
        connection.steps = {"began": began, **client.steps, "ready": perf_counter_ns()}
        if failures:
            connection.steps["started"] = started
        client.options["allow_reconnect"] = listener
        if len(plan.servers) > 1:
            client.know(plan.servers)
        if environment.trace:
            _trace(connection, environment)
        return connection
    return failures


async def _connect_to(
    url: str, plan: Plan, environment: Environment, seconds: float
) -> Connection | _Failure:
    """Try one server, once."""
    client = Client(require_tls=plan.tls, socks_proxy=plan.socks_proxy)
    connection = Connection(client, environment, url, plan)
    events = Notices(connection, environment)
    options = {**plan.options, **events.options(), "connect_timeout": plan.timeout}
    try:
        await within(seconds, client.connect([url], **options))
        if not client.is_connected:  # it was lost again meanwhile
            raise client.last_error or nats_errors.UnexpectedEOF
    except Exception as error:
        cause = (
            events.first_error if isinstance(error, asyncio.TimeoutError) else None
        ) or client.about_proxy(error)
        problem = _with_tls_in_mind(classify(cause, url, plan.timeout, plan.given), cause, client, plan)
        problem.__cause__ = error
        failure = _Failure(url, problem, cause, client.has_reached(cause), client.is_silent)
        await client.discard()
        if environment.trace:
            environment.warn(f"trace: {url}: {type(error).__name__}: {error}")
        return failure
    except asyncio.CancelledError:
        await client.discard()
        raise
    events.connected()
    client.read_credentials = _reading(plan, events)
    return connection


def _reading(plan: Plan, events: Notices) -> Callable[[], Awaitable[dict[str, Any]]] | None:
    """What reads the credentials again, and says when the context of `plan` cannot be read."""
    read = plan.read_credentials
    if read is None:
        return None

    async def reading() -> dict[str, Any]:
        options = await read()
        if plan.credentials.problem is not None:
            events.credentials_error(plan.credentials.problem)
        return options

    return reading


def _worst(failures: list[_Failure]) -> _Failure:
    """The one to report: a refusal before a server that cannot be reached."""
    return next((f for f in failures if isinstance(f.problem, RefusedError)), failures[0])


async def _reported(failures: list[_Failure], plan: Plan, left: float) -> PynatsError:
    """What is said of failures: the worst of them, with what can be found out in the seconds that are `left`."""
    worst = _worst(failures)
    problem, seconds = worst.problem, max(left, _LEAST)
    if not plan.socks_proxy:
        from natscli.connection.certificates import with_names
        from natscli.connection.protocols import with_protocol

        problem = await with_protocol(problem, worst.cause, worst.url, silent=worst.silent, seconds=seconds)
        problem = await with_names(problem, worst.cause, worst.url, plan.options, plan.tls_first, seconds)
    if isinstance(problem, CredentialsRefusedError):
        from natscli.connection.advice import advise

        advise(problem, plan, time())
    if len(failures) > 1 and not isinstance(problem, RefusedError):
        problem.what += f" (nor could {len(failures) - 1} more be reached)"
    return problem


def _trace(connection: Connection, environment: Environment) -> None:
    client = connection.client
    version = client.server_info.get("version")
    environment.warn(
        f"trace: connected to {connection.url}, nats-server {version} {client.tls_version}".rstrip()
    )
    if not client.batches:
        environment.warn(f"trace: {client.why_plain}")


def _with_tls_in_mind(problem: PynatsError, cause: BaseException, client: Client, plan: Plan) -> PynatsError:
    """`problem`, or a better one when client and server do not agree on how TLS begins."""
    from natscli.connection.certificates import about_client_certificate, certificate_error

    lost = isinstance(cause, (ConnectionError, nats_errors.UnexpectedEOF))
    if client.server_info.get("tls_verify") and (lost or isinstance(cause, OSError)):
        # The server closes a connection without one that it trusts, and its TLS alert is often lost with it.
        hint = about_client_certificate(plan.given)
        if "tlscert" not in plan.given:
            return RefusedError(
                "the server requires a TLS client certificate", where=problem.where, hint=hint
            )
        if lost:
            problem.hint = hint
    if client.is_silent and not problem.hint and certificate_error(cause) is None:
        # Both wait for the other to begin, or take what comes for something else.
        problem.hint = (
            "without --tlsfirst (tls_first in a context), if the server does not begin with TLS"
            if plan.tls_first
            else "--tlsfirst, if the server begins with TLS (handshake_first)"
        )
    return problem


def _silence_loggers() -> None:
    """Nothing of nats-py's or asyncio's own logging reaches the user; pynats writes its own notices."""
    for name in ("nats", "asyncio"):
        logger = logging.getLogger(name)
        logger.addHandler(logging.NullHandler())
        logger.propagate = False


def _unhandled(environment: Environment) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    def handle(loop: asyncio.AbstractEventLoop, details: dict[str, Any]) -> None:  # noqa: ARG001
        if environment.trace:
            environment.warn(f"trace: {details.get('message')}: {details.get('exception')!r}")

    return handle
