"""The WebSocket connection under nats-py, bounded in time."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from natscli.system.waiting import within
from natscli.wire import nats_py

if TYPE_CHECKING:
    import ssl
    from urllib.parse import ParseResult

#: Seconds that the other side has to close.
_CLOSING = 0.5


class WebSocket(nats_py.WebSocketTransport):  # type: ignore[misc]
    """nats-py's WebSocket transport; to aiohttp, nats-py's `connect_timeout` is the time for closing.

    `tls_name` is the name in the certificate, where it is not that of the URL.
    """

    tls_name: str | None = None
    # The private names of nats-py that are used here.
    _client: Any
    _ws: Any

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: float) -> None:  # noqa: ARG002
        """Connect within `connect_timeout` seconds. Raises asyncio.TimeoutError, and aiohttp's own errors."""
        await within(connect_timeout, self._open(uri))
        self._using_tls = False

    async def connect_tls(
        self,
        uri: ParseResult,
        ssl_context: ssl.SSLContext,
        buffer_size: int,  # noqa: ARG002
        connect_timeout: float,
    ) -> None:
        """Connect with TLS within `connect_timeout` seconds; raises as `connect`."""
        await within(connect_timeout, self._open(uri, ssl=ssl_context, server_hostname=self.tls_name))
        self._using_tls = True

    async def _open(self, uri: ParseResult, **options: object) -> None:
        """Connect; without the login of the URL, which is for CONNECT: aiohttp would send it as a header too."""
        place = uri._replace(netloc=uri.netloc.rpartition("@")[2])
        self._ws = await self._client.ws_connect(
            place.geturl(), headers=self._get_custom_headers(), max_msg_size=0, **options
        )

    async def drain(self) -> None:
        """Send what waits; that the other side has closed is found by reading, after what it said last."""
        with suppress(ConnectionError):
            await super().drain()

    async def wait_closed(self) -> None:
        """Wait until it is closed, not for long."""
        socket, session = self._ws, self._client
        self._ws = self._client = None
        with suppress(Exception):
            if socket is not None:
                await within(_CLOSING, socket.close())
        if session is not None:
            await session.close()

    def close(self) -> None:
        """`wait_closed` does it."""

    def abort(self) -> None:
        """`wait_closed` does it."""

    def at_eof(self) -> bool:
        """Whether nothing more will come."""
        return self._ws is None or bool(self._ws.closed)
