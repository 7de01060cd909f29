"""From a server URL to a connection that is logged in: nats-py's way there, corrected.

nats-py takes the line after CONNECT and PING for the PONG, whatever it is: a server that needs more than two seconds
for a login, as with an auth callout, sends a PING of its own first. It ignores what the server says of an account or a
user after CONNECT, connects in the clear to a `tls://` server that does not insist, and bounds no WebSocket connection.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from natscli.duration import format_duration
from natscli.system.waiting import within
from natscli.wire import nats_py, servers
from natscli.wire.transport import ProxyError, ReadHandler, Transport

#: Seconds to wait for an INFO after the first PONG, from a server that sends one and from one that may have.
_TELLING, _AT_ONCE = 0.25, 0.005
#: The `api_lvl` of servers that send one: 2.12 and later.
_TELLS = 2
#: Bytes of a line, at most.
_LONGEST = 4 * 1024 * 1024
_PING, _PONG = b"PING\r\n", b"PONG\r\n"
#: What a credentials option of nats-py's `connect` is called in the client, if not in its `options`.
_CREDENTIALS = {
    "user_credentials": "_user_credentials",
    "nkeys_seed_str": "_nkeys_seed_str",
    "user_jwt_cb": "_user_jwt_cb",
    "signature_cb": "_signature_cb",
}


class TLSNotOfferedError(nats_py.errors.Error):  # type: ignore[misc]
    """TLS was asked for and the server does not offer it."""


class NotNatsError(nats_py.errors.Error):  # type: ignore[misc]
    """What listens on the port is not a NATS server."""


class LoggingIn(nats_py.Client):  # type: ignore[misc]
    """nats-py's client with a login of our own.

    `require_tls` is whether TLS must be used whatever the URL says. `on_lame_duck` is called when the server says that
    it will close its connections. `takes_headers` is whether the server does: not before 2.2, or with
    `no_header_support`.
    """

    # The private names of nats-py that are used here, and what they are.
    _transport: Any
    _current_server: Any
    _server_pool: list[Any]
    _pongs: list[asyncio.Future[bool]]
    _server_info: dict[str, Any]

    def __init__(self, *, require_tls: bool = False, socks_proxy: str = "") -> None:
        super().__init__()
        self.require_tls = require_tls
        self.socks_proxy = socks_proxy
        self.on_lame_duck: Callable[[], None] = lambda: None
        self.takes_headers = True

    @property
    def server_info(self) -> dict[str, Any]:
        """The INFO of the server."""
        info = getattr(self, "_server_info", None)
        return dict(info) if isinstance(info, dict) else {}

    def know(self, urls: list[str]) -> None:
        """Reconnect to these servers too, those that are given."""
        self._server_pool = servers.with_given(self._server_pool, urls)
        here = servers.key(self._current_server)
        self._current_server = next(s for s in self._server_pool if servers.key(s) == here)

    def use_credentials(self, options: Mapping[str, Any]) -> None:
        """Log in with these from now on; they are called as in nats-py's `connect`."""
        self.options.update({name: options.get(name) for name in ("user", "password", "token")})
        for name, attribute in _CREDENTIALS.items():
            setattr(self, attribute, options.get(name))
        if "tls" in options:
            self.options["tls"] = options["tls"]
        if self._user_credentials or self._nkeys_seed_str:
            self._setup_nkeys_connect()

    def about_proxy(self, error: Exception) -> Exception:
        """`error`, or that there was no answer through the SOCKS proxy, if the time was over before there was one."""
        if not self.socks_proxy or not isinstance(error, asyncio.TimeoutError):
            return error
        if "connected" in getattr(self._transport, "steps", ()):
            return error
        return ProxyError(f"no answer within {format_duration(self.options['connect_timeout'])}")

    def _read_handler(self) -> ReadHandler | None:
        """What gets the bytes of a read before nats-py does."""
        return None

    # -- nats-py's own steps, corrected ----------------------------------------------------------------------

    async def _connect_to_server(self, s: Any) -> None:
        if not isinstance(s.uri, servers.ServerURL):
            s.uri = servers.ServerURL(*s.uri)
        if self.require_tls and s.uri.scheme == "ws":
            raise TLSNotOfferedError("ws:// is without TLS")
        if not self._transport:
            self._transport = self._new_transport(s)
        try:
            await super()._connect_to_server(s)
        except (OSError, asyncio.TimeoutError, nats_py.errors.Error):
            raise
        except Exception as error:  # aiohttp's own: nats-py would stop reconnecting, for good
            raise ConnectionError(str(error)) from error

    def _new_transport(self, server: Any) -> Any:
        if server.uri.scheme in ("nats", "tls"):
            return Transport(self._read_handler, self.socks_proxy)
        from natscli.wire.websocket import WebSocket

        transport = WebSocket(ws_headers=self.options["ws_connection_headers"])
        transport.tls_name = server.tls_name
        return transport

    async def _process_connect_init(self) -> None:
        self._enter(self.CONNECTING)
        try:
            rest = await self._log_in(_Lines(self._transport))
        except (ValueError, TypeError, AssertionError, AttributeError, LookupError) as error:
            if isinstance(error, OSError):  # a certificate that is not trusted is both
                raise
            raise NotNatsError("it is not a NATS server") from error
        self._enter(self.CONNECTED)
        loop = asyncio.get_running_loop()
        self._pings_outstanding = 0
        self._ping_interval_task = loop.create_task(self._ping_interval())
        self._flusher_task = loop.create_task(self._flusher())
        if rest:
            await self._ps.parse(rest)
        self._reading_task = loop.create_task(self._read_loop())

    def _enter(self, status: int) -> None:
        """Go on to this status; not when `close` was called meanwhile."""
        if self.is_closed:
            raise nats_py.errors.ConnectionClosedError
        self._status = status

    async def _log_in(self, lines: _Lines) -> bytes:
        """From the first byte to the PONG; gives what came after it."""
        websocket = self._current_server.uri.scheme in ("ws", "wss")
        tls_first = bool(self.options["tls_handshake_first"]) and not websocket
        if tls_first:
            await self._start_tls()
        try:
            greeting = await lines.next()
        except nats_py.errors.UnexpectedEOF:
            raise nats_py.errors.Error("nats: empty response from server when expecting INFO") from None
        self._greeted(greeting, secure=tls_first or websocket)
        if self._server_info.get("tls_required") and not tls_first and not websocket:
            await self._start_tls()
        self._ps.reset()
        self._pongs = []
        self._transport.write(self._connect_command() + _PING)
        await self._transport.drain()
        while await self._next_answer(lines) != b"PONG":
            pass
        # Servers from 2.12 on say more of the account and the user then, older ones if there is more to say.
        tells = isinstance(level := self._server_info.get("api_lvl"), int) and level >= _TELLS
        with suppress(asyncio.TimeoutError):
            while await within(_TELLING if tells else _AT_ONCE, self._next_answer(lines)) != b"INFO":
                pass
        return lines.rest

    async def _next_answer(self, lines: _Lines) -> bytes:
        return await self._answer(await lines.next())

    async def _answer(self, line: bytes) -> bytes:
        """Do what a line asks for; gives its operation. Raises what it says is wrong."""
        operation, _, text = line.partition(b" ")
        if operation == b"PING":
            self._transport.write(_PONG)
            await self._transport.drain()
        elif operation == b"INFO":
            self._take(_info(line))
        elif operation == b"-ERR":
            raise nats_py.errors.Error(f"nats: {text.decode('utf-8', 'replace').strip()}")
        elif operation not in (b"+OK", b"PONG"):
            raise NotNatsError("it is not a NATS server")
        return operation

    async def _start_tls(self) -> None:
        server = self._current_server
        name = self.options.get("tls_hostname") or server.tls_name or server.uri.hostname
        await self._transport.connect_tls(name, self.ssl_context, 0, self.options["connect_timeout"])

    def _greeted(self, line: bytes, *, secure: bool) -> None:
        """Take the first INFO; `secure` is whether TLS was there before it, or is no matter of NATS.

        Raises:
            TLSNotOfferedError: TLS was asked for, and credentials would follow in the clear.
        """
        info = _info(line)
        asked = self.require_tls or self._current_server.uri.scheme == "tls"
        if asked and not secure and not info.get("tls_required"):
            if not info.get("tls_available"):
                self._server_info = info  # it has spoken; nothing it says is used
                raise TLSNotOfferedError("the server does not offer TLS")
            info["tls_required"] = True
        self._server_info = {}
        self._take(info)

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:  # noqa: ARG002
        self._take(info)

    def _take(self, info: dict[str, Any]) -> None:
        """Take what an INFO says; one of an account or of a change in the cluster says only what differs."""
        was_lame_duck = self._server_info.get("ldm")
        self._server_info = {**self._server_info, **info}
        server, known = self._current_server, self._server_info
        self._server_pool = servers.with_discovered(self._server_pool, info.get("connect_urls"), server)
        server.server_version = known.get("version")
        if type(known.get("max_payload")) is int:
            self._max_payload = known["max_payload"]
        self._client_id, self._client_ip = known.get("client_id"), known.get("client_ip")
        self.takes_headers = bool(known.get("headers"))
        if known.get("auth_required"):
            self._auth_configured = True
        if info.get("ldm") and not was_lame_duck:
            self.on_lame_duck()


class _Lines:
    """The lines that a server sends before messages can come. A TCP transport gives lines, a WebSocket any bytes."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self.rest = b""

    async def next(self) -> bytes:
        """The next line, without its end.

        Raises:
            UnexpectedEOF: there is none.
            ValueError: it is longer than any that a server sends.
        """
        while b"\n" not in self.rest:
            data = await self._transport.readline()
            if not data:
                raise nats_py.errors.UnexpectedEOF
            self.rest += data
            if len(self.rest) > _LONGEST:
                raise ValueError("an endless line")
        line, _, self.rest = self.rest.partition(b"\n")
        return line.rstrip()


def _info(line: bytes) -> dict[str, Any]:
    """The INFO in a line. Raises NotNatsError."""
    operation, _, text = line.partition(b" ")
    try:
        info = json.loads(text) if operation == b"INFO" else None
    except (ValueError, RecursionError):
        info = None
    if not isinstance(info, dict):
        raise NotNatsError("it is not a NATS server")
    return info
