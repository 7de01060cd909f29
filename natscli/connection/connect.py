"""The first connection, server by server, and what holds it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from time import perf_counter_ns, time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from natscli.backoff import Backoff
from natscli.connection.advice import advise
from natscli.connection.certificates import with_names
from natscli.connection.failures import classify, shown_url
from natscli.connection.notices import Notices
from natscli.connection.options import Plan
from natscli.duration import format_duration
from natscli.errors import ConnectionFailedError, PynatsError, RefusedError, explain
from natscli.wire.client import Client
from natscli.wire.nats_py import errors as nats_errors

if TYPE_CHECKING:
    from natscli.environment import Environment

#: Seconds between two tries to reach a server that is waited for, at most.
_RETRY = Backoff(0.01, 0.25)


@asynccontextmanager
async def connected(
    ready: Plan, environment: Environment, *, listener: bool = False, wait: float = 0.0
) -> AsyncIterator[Connection]:
    """A connection, closed at the end. A `listener` reconnects forever, and logs it.

    A server that is not up yet is waited for, `wait` seconds at most.

    Raises:
        PynatsError: ConnectionFailedError or RefusedError when no server accepted the connection.
    """
    _silence_loggers()
    asyncio.get_running_loop().set_exception_handler(_unhandled(environment))
    _leave_lookups_behind(ready.servers)
    connection = await _connect_within(wait, ready, environment, listener=listener)
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
    """Have `asyncio.run` end without what still runs in threads of its loop, of which there are so many at most."""
    from concurrent.futures import ThreadPoolExecutor

    class LeftBehind(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
            super().shutdown(wait=False, cancel_futures=True)

    asyncio.get_running_loop().set_default_executor(LeftBehind(most, "left-behind"))


class Connection:
    """A connected client, and what happened to it: `lost` is done when it is gone for good.

    `steps` has when (`perf_counter_ns`) connecting `began`, when it `started` with this server, if others failed before
    it, came to the steps of `Client.steps`, and was `ready`. `client.on_failure` may be called from any thread.
    """

    def __init__(self, client: Client, environment: Environment, url: str) -> None:
        self.client = client
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[PynatsError] = self._loop.create_future()
        self.on_refusal: Callable[[PynatsError], None] = self._keep_refusal
        self.on_disconnect: Callable[[], None] = lambda: None
        self.on_reconnect: Callable[[], None] = lambda: None
        self.steps: dict[str, int] = {}
        self._url = shown_url(urlsplit(url))
        self._environment = environment
        self._refusal: PynatsError | None = None
        client.on_failure = self._failed

    @property
    def url(self) -> str:
        """The URL of the server, without credentials; of the last one, when there is no connection."""
        uri = self.client.connected_url
        if uri is not None:
            self._url = shown_url(uri)
        return self._url

    @property
    def timeout(self) -> float:
        """How long (seconds) to wait for a reply, as --timeout says."""
        return float(self.client.options["connect_timeout"])

    async def confirm(self) -> None:
        """Wait until the server has taken everything sent so far.

        Raises:
            RefusedError: it refused something meanwhile, such as a subscription.
            ConnectionFailedError: the connection was lost, or there was no answer in time.
        """
        try:
            await self.client.flush(timeout=5)
        except (asyncio.TimeoutError, OSError, nats_errors.Error):
            if self.lost.done():
                raise self.lost.result() from None
            raise ConnectionFailedError("the server does not answer", where=self.url) from None
        if self._refusal is not None:
            raise self._refusal

    async def close(self) -> None:
        """Close; what was sent is on its way, nothing is waited for."""
        await self.client.published()
        if not self.client.is_closed:
            with suppress(OSError):  # it was lost already, and reported
                await self.client.close()

    def gone(self, error: BaseException | None) -> None:
        """The client closed by itself."""
        if not self.lost.done():
            reason = ConnectionFailedError("the connection was lost", where=self.url)
            self.lost.set_result(reason if error is None else classify(error, self.url))

    def refused(self, error: PynatsError) -> None:
        """The server refused a publish or a subscription."""
        self.on_refusal(error)

    def _keep_refusal(self, error: PynatsError) -> None:
        self._refusal = error

    def _failed(self, error: BaseException) -> None:
        report = explain(error)
        self._loop.call_soon_threadsafe(self._give_up, PynatsError(report.message, hint=report.hint))

    def _give_up(self, error: PynatsError) -> None:
        if not self.lost.done():
            self.lost.set_result(error)


async def _connect_within(wait: float, plan: Plan, environment: Environment, *, listener: bool) -> Connection:
    """Connect; for `wait` seconds, try again while no server can be reached. Logs why it waits.

    Each try has the time-out of the plan, also the last one: waiting comes on top.
    """
    loop = asyncio.get_running_loop()
    deadline, failures, logged = loop.time() + wait, 0, ""
    while True:
        try:
            return await connect(plan, environment, listener=listener)
        except ConnectionFailedError as error:
            left = deadline - loop.time()
            if left <= 0:
                raise
            reason = explain(error).message
            if reason != logged:
                shown = format_duration(round(left, 1 if left >= 1 else 2))
                environment.log(f"Waiting {shown} for a server: {reason}")
                logged = reason
        failures += 1
        await asyncio.sleep(min(_RETRY.pause(failures), left))


async def connect(plan: Plan, environment: Environment, *, listener: bool = False) -> Connection:
    """Try every server once, all within the timeout; the first that accepts the connection is used.

    Raises:
        ConnectionFailedError: none could be reached. RefusedError: one refused us.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + plan.timeout
    began = perf_counter_ns()
    problems: list[PynatsError] = []
    for index, url in enumerate(plan.servers):
        share = max(deadline - loop.time(), 0.05) / (len(plan.servers) - index)
        started = perf_counter_ns()
        try:
            connection = await _connect_to(url, plan, environment, share)
        except PynatsError as problem:
            problems.append(problem)
            continue
        client = connection.client
        connection.steps = {"began": began, **client.steps, "ready": perf_counter_ns()}
        if problems:
            connection.steps["started"] = started
        client.options["allow_reconnect"] = listener
        if len(plan.servers) > 1:
            client.set_server_pool([*plan.servers, *(uri.geturl() for uri in client.discovered_servers)])
        if environment.trace:
            _trace(connection, environment)
        return connection
    worst = _worst(problems)
    if isinstance(worst, RefusedError):
        advise(worst, plan, time())
    raise worst


async def _connect_to(url: str, plan: Plan, environment: Environment, seconds: float) -> Connection:
    """Try one server, once. Raises ConnectionFailedError or RefusedError."""
    client = Client(require_tls=plan.tls, socks_proxy=plan.socks_proxy)
    connection = Connection(client, environment, url)
    events = Notices(connection, environment)
    options = {**plan.options, **events.options(), "connect_timeout": plan.timeout}
    try:
        await asyncio.wait_for(client.connect([url], **options), seconds)
        _check_cancelled()
    except Exception as error:
        cause = (events.first_error if isinstance(error, asyncio.TimeoutError) else None) or error
        problem = _with_tls_in_mind(classify(cause, url, plan.timeout, plan.given), cause, client, plan)
        client.discard()
        _check_cancelled()
        if not plan.socks_proxy:
            problem = await with_names(problem, cause, url, plan.options.get("tls"), plan.tls_first, seconds)
        if environment.trace:
            environment.warn(f"trace: {url}: {type(error).__name__}: {error}")
        raise problem from error
    except BaseException:
        client.discard()
        raise
    events.connecting = False
    return connection


def _trace(connection: Connection, environment: Environment) -> None:
    client = connection.client
    version = client.server_info.get("version")
    environment.warn(
        f"trace: connected to {connection.url}, nats-server {version} {client.tls_version}".rstrip()
    )
    if not client.batches:
        environment.warn(f"trace: {client.why_plain}")


def _check_cancelled() -> None:
    """Raise the cancellation that `asyncio.wait_for` of Python 3.11 drops when what it waits for ends just then."""
    if getattr(asyncio.current_task(), "cancelling", int)():
        raise asyncio.CancelledError


def _with_tls_in_mind(problem: PynatsError, cause: BaseException, client: Client, plan: Plan) -> PynatsError:
    """`problem`, or a better one when client and server do not agree on how TLS begins."""
    if client.server_info.get("tls_verify") and "tlscert" not in plan.given and isinstance(cause, OSError):
        # The server closes a connection without one, and its TLS alert is often lost with it.
        return RefusedError("the server requires a TLS client certificate", where=problem.where,
                            hint="--tlscert FILE --tlskey FILE")  # fmt: skip
    if client.is_silent and not problem.hint:
        # Both wait for the other to begin, or take what comes for something else.
        problem.hint = (
            "without --tlsfirst (tls_first in a context), if the server does not begin with TLS"
            if plan.tls_first
            else "--tlsfirst, if the server begins with TLS (handshake_first)"
        )
    return problem


def _worst(problems: list[PynatsError]) -> PynatsError:
    """The problem to report: a refusal before a server that cannot be reached."""
    for problem in problems:
        if isinstance(problem, RefusedError):
            return problem
    if len(problems) > 1:
        problems[0].what += f" (nor could {len(problems) - 1} more be reached)"
    return problems[0]


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
