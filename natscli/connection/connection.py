"""A connected client, and what happened to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from time import time
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from natscli.connection.failures import CredentialsRefusedError, classify, shown_url
from natscli.errors import ConnectionFailedError, PynatsError, explain
from natscli.system.waiting import within
from natscli.wire.client import Client
from natscli.wire.nats_py import errors as nats_errors
from natscli.wire.refusal import Refusal, number_of

if TYPE_CHECKING:
    from natscli.connection.options import Plan
    from natscli.environment import Environment

T = TypeVar("T")


#: Seconds that the server has to answer a PING which nobody but records waits for.
_PATIENCE = 5.0


class Connection:
    """A connected client, and what happened to it: `lost` is done when it is gone for good.

    `on_refusal` gets what the server does not permit, `on_too_large` what it says when it ends the connection,
    because a message was larger than it takes now; `on_disconnect` and `on_reconnect` are called when a connection
    that is made anew is lost and made.

    `steps` has when (`perf_counter_ns`) connecting `began`, when it `started` with this server, if others failed before
    it, came to the steps of `Client.steps`, and was `ready`. `client.on_failure` may be called from any thread.
    """

    def __init__(self, client: Client, environment: Environment, url: str, plan: Plan) -> None:
        self.client = client
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[PynatsError] = self._loop.create_future()
        self.on_refusal: Callable[[PynatsError], None] = self._keep_refusal
        self.on_too_large: Callable[[str], None] = lambda text: None
        self.on_disconnect: Callable[[], None] = lambda: None
        self.on_reconnect: Callable[[], None] = lambda: None
        self.steps: dict[str, int] = {}
        self._url = shown_url(urlsplit(url))
        self._environment = environment
        self._plan = plan
        self._refusal: PynatsError | None = None
        self._needed: list[Any] = []
        self._taken: set[int] = set()
        self._asking: asyncio.Task[bool] | None = None
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
        """How long (seconds) to wait for a reply, and for a server to answer, as --timeout says."""
        return float(self.client.options["connect_timeout"])

    async def confirm(self) -> None:
        """Wait until the server has taken everything sent so far.

        Raises:
            RefusedError: it refused something meanwhile, such as a subscription.
            ConnectionFailedError: there was no answer in time, or the connection was lost and not made anew.
        """
        try:
            await within(self.timeout, self._confirm())
        except (asyncio.TimeoutError, OSError, nats_errors.Error):
            if self.lost.done():
                raise self.lost.result() from None
            raise ConnectionFailedError("the server does not answer", where=self.url) from None
        if self._refusal is not None:
            raise self._refusal

    async def _confirm(self) -> None:
        while True:
            try:
                await self.client.flush(timeout=self.timeout)
                return
            except (OSError, nats_errors.Error):
                if not self.client.is_reconnecting and not self.client.is_connecting:
                    raise
            await asyncio.sleep(0.01)

    async def while_there(self, seconds: float, work: Awaitable[T]) -> T:
        """What `work` gives, if it is done within `seconds`, and before the connection is lost for good.

        Raises:
            PynatsError: what ended the connection.
            asyncio.TimeoutError: the time is over. Both times the work is cancelled.
        """
        task = asyncio.ensure_future(work)

        def stop(lost: asyncio.Future[PynatsError]) -> None:  # noqa: ARG001
            task.cancel()

        self.lost.add_done_callback(stop)
        try:
            return await within(seconds, task)
        except asyncio.TimeoutError:
            if self.lost.done():
                raise self.lost.result() from None
            raise
        finally:
            self.lost.remove_done_callback(stop)

    async def answered(self) -> bool:
        """Wait until the server has said what it has to say of all that was sent so far; False if it cannot.

        One PING is for all who begin to wait in one turn of the event loop.
        """
        if self._asking is None:
            self._asking = self._loop.create_task(self._ask())
        return await asyncio.shield(self._asking)

    async def _ask(self) -> bool:
        await self.client.published()
        self._asking = None
        try:
            await self.client.flush(timeout=_PATIENCE)
        except Exception:  # it is gone, in whatever way
            return False
        return True

    async def sent(self, timeout: float) -> None:
        """Wait until the server has taken everything sent so far; `timeout` seconds for a connection that is gone.

        Raises:
            PynatsError: it could not be sent, or see `confirm`.
        """
        await self.client.published()
        deadline = self._loop.time() + timeout
        while self.client.pending_data_size and not self.client.is_connected:
            if self._loop.time() > deadline:
                raise ConnectionFailedError("the connection was lost, and the last replies with it")
            await asyncio.sleep(0.02)
        if self.client.is_connected:
            await self.confirm()

    def needs(self, subscriptions: Iterable[Any]) -> None:
        """When the server has taken all of these away, the connection is `lost`: nothing will ever come again."""
        self._needed = list(subscriptions)

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
            self.lost.set_result(reason if error is None else self.explained(error, self.url))

    def explained(self, error: BaseException, url: str) -> PynatsError:
        """What an exception of this connection means, to a server with this URL."""
        problem = classify(error, url, self.timeout, self._plan.given)
        if isinstance(problem, CredentialsRefusedError):
            from natscli.connection.advice import advise

            advise(problem, self._plan, time())
        return problem

    def refused(self, error: PynatsError, refusal: Refusal | None) -> None:
        """The server refused a publish or a subscription."""
        if refusal is not None:
            self._taken.update(number_of(s) for s in self._needed if refusal.takes(s))
            if self._needed and len(self._taken) == len(self._needed):
                self._give_up(error)
                return
        self.on_refusal(error)

    def forget_refusals(self) -> None:
        """The connection, or a try to make it anew, is over: the next one subscribes to all again."""
        self._taken.clear()

    def _keep_refusal(self, error: PynatsError) -> None:
        self._refusal = error

    def _failed(self, error: BaseException) -> None:
        report = explain(error)
        self._loop.call_soon_threadsafe(self._give_up, PynatsError(report.message, hint=report.hint))

    def _give_up(self, error: PynatsError) -> None:
        if not self.lost.done():
            self.lost.set_result(error)
