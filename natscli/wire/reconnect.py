"""What happens when a connection is lost: nats-py's way to the next one, corrected.

nats-py takes a connection for good as soon as it is made, so that a server that closes each one is asked again at
once; it tries with the credentials that it had at the start, for ever; it may lose the cancellation that should end its
tries; and it closes for good after errors that do not even end the connection.

The law: `_status` says where we are. It becomes RECONNECTING in `_process_op_err`, which starts the one task that
tries. Within a try it goes on to CONNECTING and CONNECTED, and `_trying` is set: then the loss of the connection fails
the try, and starts no second task. CLOSED is final: `_enter` does not leave it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from typing import Any

from natscli.system.waiting import within
from natscli.wire import nats_py, servers
from natscli.wire.login import LoggingIn
from natscli.wire.next_server import NextServer

#: Seconds for which credentials that were read are used while no server answers.
_FRESH = 5.0
#: What nats-server says of our subjects and subscriptions: trying again would change nothing.
_PERMANENT = ("maximum subscriptions exceeded", "invalid subject")
#: What it says of what was sent, which may be a reply that will not be sent again.
_TOO_LONG, _NOT_TAKEN = (
    "maximum control line exceeded",
    ("maximum payload violation", "invalid publish subject"),
)
_REFUSED = ("authorization", "authentication")
#: What it says when the login did not come in time.
TOO_LATE = "authentication timeout"


class ServerError(nats_py.errors.Error):  # type: ignore[misc]
    """The server reported an error; most end the connection."""


class PermanentError(ServerError):
    """The server reported an error about what we ask for, which would come again each time."""


class Reconnecting(LoggingIn):
    """nats-py's client with a way of our own from a lost connection to the next.

    `read_credentials` gives what `use_credentials` takes, as it is now; it is called before tries, and raises if that
    cannot be read in time. `on_credentials_error` gets what it raised.
    """

    # The private names of nats-py that are used here, and what they are.
    _pending: list[bytes]
    _pending_data_size: int
    _subs: dict[int, Any]
    _reconnection_task: asyncio.Task[None] | None

    def __init__(self, *, require_tls: bool = False, socks_proxy: str = "") -> None:
        super().__init__(require_tls=require_tls, socks_proxy=socks_proxy)
        self.read_credentials: Callable[[], Awaitable[Mapping[str, Any]]] | None = None
        self.on_credentials_error: Callable[[Exception], None] = lambda error: None
        self._next: NextServer[servers.Key] = NextServer()
        self._trying = False
        self._last_chance: Exception | None = None
        self._read_at = 0.0
        self._cause: Exception | None = None

    async def _process_connect_init(self) -> None:
        self._cause = None
        await super()._process_connect_init()
        self._next.made(servers.key(self._current_server), monotonic())

    # -- the end of a connection -------------------------------------------------------------------------------

    async def _read_loop(self) -> None:
        """Read until the connection is lost. Nothing ends it silently, as in nats-py an odd line can."""
        transport = self._transport
        try:
            while self.is_connected and transport is self._transport:
                if transport.at_eof():
                    raise nats_py.errors.UnexpectedEOF
                await self._ps.parse(await transport.read(0))
        except Exception as error:
            if transport is self._transport:
                await self._process_op_err(error)

    async def _process_err(self, err_msg: str) -> None:
        text, words = err_msg.strip("'"), err_msg.lower()
        if "permissions violation" in words:
            self._err = nats_py.errors.Error(f"nats: {text}")
            await self._error_cb(self._err)
        elif any(word in words for word in _PERMANENT) or self._is_ours(words):
            await self._process_op_err(PermanentError(text))
        else:  # it closes the connection, or all is well: unlike nats-py we wait and see
            self._cause = ServerError(text)
            if _is_refusal(words):
                self._last_chance = self._last_chance or self._cause
            if not self._trying:
                await self._error_cb(self._cause)

    def _is_ours(self, words: str) -> bool:
        """Whether the server speaks of what would be sent again: of no reply to others."""
        not_taken = any(word in words for word in _NOT_TAKEN)
        return (_TOO_LONG in words and not self._shortened()) or (not_taken and self._sends_own())

    def _shortened(self) -> bool:
        """Whether a line that was too long will not be sent again."""
        return False

    def _sends_own(self) -> bool:
        """Whether all that is sent is our own choice: there are no replies."""
        return not self.options["allow_reconnect"]

    async def _process_op_err(self, e: Exception) -> None:
        """The connection is lost."""
        if self.is_closed or self.is_reconnecting:
            return
        error = self._cause = e if isinstance(e, PermanentError) else self._cause or e
        self._ps.reset()
        if self._trying:
            self._status = self.RECONNECTING
        elif isinstance(error, PermanentError) or not self.options["allow_reconnect"]:
            self._err = error
            self._status = self.DISCONNECTED
            await self._close(self.CLOSED, True)
        else:
            self._status = self.RECONNECTING
            self._reconnection_task = asyncio.get_running_loop().create_task(self._attempt_reconnect())
        pongs, self._pongs = self._pongs, []
        for pong in pongs:  # whoever waits for one need not wait until the time is over
            if not pong.done():
                pong.set_exception(error)
                pong.exception()  # nobody has to ask for it

    # -- the next one ------------------------------------------------------------------------------------------

    async def _attempt_reconnect(self) -> None:
        self._next.lost(monotonic())
        self._read_at = -_FRESH
        await self._hang_up()
        self._err = None
        if self._disconnected_cb is not None:
            await self._disconnected_cb()
        self._trying = True
        try:
            while not self.is_closed and not await self._try_next():
                pass
        finally:
            self._trying = False
        if self.is_connected:
            self._last_chance = None
            self.stats["reconnects"] += 1
            if self._reconnected_cb is not None:
                await self._reconnected_cb()

    async def _try_next(self) -> bool:
        """Try the next server; whether that is all: we are connected again, or never will be."""
        chosen, pause = self._next.choose([servers.key(server) for server in self._server_pool])
        await asyncio.sleep(pause)
        server = next((s for s in self._server_pool if servers.key(s) == chosen), None)
        if server is None:
            return False
        self._current_server, self._server_info = server, {}
        await self._renew_credentials()
        try:
            await within(self.options["connect_timeout"], self._try(server))
            if not self.is_connected:
                raise nats_py.errors.UnexpectedEOF
        except Exception as error:
            return await self._failed(server, self._cause or self.about_proxy(error))
        return True

    async def _try(self, server: Any) -> None:
        self._cause = None
        await self._connect_to_server(server)
        await self._process_connect_init()
        lines = [
            line for sid, subscription in list(self._subs.items()) for line in _replay(sid, subscription)
        ]
        if lines:
            self._transport.writelines(lines)
        await self.flush(self.options["connect_timeout"])

    async def _failed(self, server: Any, error: Exception) -> bool:
        """A try failed; whether it is the last."""
        self._next.failed(servers.key(server), reached=bool(self._server_info))
        await self._hang_up()
        self._enter(self.RECONNECTING)
        refused = _is_refusal(str(error).lower())
        self._err = (
            self._last_chance if refused else None
        ) or error  # which says more than that of the login
        if isinstance(error, PermanentError) or (refused and self._last_chance):
            self._status = self.DISCONNECTED
            await self._close(self.CLOSED, True)
            return True
        if refused:
            self._read_at = -_FRESH
        await self._error_cb(error)
        return False

    async def _renew_credentials(self) -> None:
        """Use the credentials as they are now, unless they were read just now and no server has refused them."""
        if self.read_credentials is None or monotonic() - self._read_at < _FRESH:
            return
        try:
            self.use_credentials(await self.read_credentials())
        except Exception as error:
            self.on_credentials_error(error)
        self._read_at = monotonic()

    async def _hang_up(self) -> None:
        """End what reads and writes, and leave nothing of the connection behind."""
        for task in (self._reading_task, self._ping_interval_task, self._flusher_task):
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
            await transport.wait_closed()

    async def _close(self, status: int, do_cbs: bool = True) -> None:
        if not self.is_connected and not self.is_closed:
            task, self._reconnection_task = self._reconnection_task, None
            if task is not None and task is not asyncio.current_task():
                task.cancel()
            self._pending, self._pending_data_size = [], 0  # nobody is there to take it
            await self._hang_up()
        await super()._close(status, do_cbs)


def _is_refusal(words: str) -> bool:
    """Whether the server refuses the credentials, by its words in lower case."""
    return any(word in words for word in _REFUSED) and TOO_LATE not in words


def _replay(sid: int, subscription: Any) -> list[bytes]:
    """The lines that make a subscription again."""
    left = subscription._max_msgs - subscription._received
    if subscription._max_msgs and left <= 0:
        return []
    queue = f"{subscription._queue} " if subscription._queue else ""
    lines = [f"SUB {subscription._subject} {queue}{sid}\r\n".encode()]
    if subscription._max_msgs:
        lines.append(b"UNSUB %d %d\r\n" % (sid, left))
    return lines
