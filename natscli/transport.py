"""The TCP connection under nats-py: asyncio's streams, and a shorter way for what can be handled at once.

nats-py reads in a task of its own, which runs one turn of the event loop after the bytes came. While that task waits,
`take` gets them first, in the call that read them; what it leaves goes nats-py's way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from natscli import nats_py

if TYPE_CHECKING:
    import socket
    import ssl
    from urllib.parse import ParseResult

#: Bytes of one read, as many as asyncio asks for. It makes a new buffer each time, which costs as much as reading.
READ_SIZE = 256 * 1024

#: Bytes that may wait for the socket before reading stops: some large replies, so that both directions stay busy.
MOST_UNSENT = 4 * 1024 * 1024

#: Handles what a read brought; gives what is left of it.
Take = Callable[[bytes], bytes]


class _Protocol(asyncio.StreamReaderProtocol, asyncio.BufferedProtocol):
    """asyncio's protocol for streams, reading into one buffer."""

    def __init__(self, reader: asyncio.StreamReader, take: Take) -> None:
        super().__init__(reader)
        self._take = take
        self._view = memoryview(bytearray(READ_SIZE))

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        rest = self._take(bytes(self._view[:nbytes]))
        if rest:
            self.data_received(rest)


class Transport(nats_py.TcpTransport):  # type: ignore[misc]
    """nats-py's TCP transport, through a SOCKS proxy if one is given."""

    def __init__(self, take: Take, socks_proxy: str = "") -> None:
        super().__init__()
        self._take = take
        self._socks_proxy = socks_proxy
        self._awaited = False

    def __bool__(self) -> bool:
        return True  # or nats-py makes one of its own

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: float) -> None:  # noqa: ARG002
        """Connect within `connect_timeout` seconds.

        Raises:
            OSError, asyncio.TimeoutError: there is no connection.
        """
        await asyncio.wait_for(self._connect(uri, connect_timeout), connect_timeout)
        self._bare_io_reader, self._bare_io_writer = self._io_reader, self._io_writer

    async def connect_tls(
        self,
        uri: str | ParseResult,
        ssl_context: ssl.SSLContext,
        buffer_size: int,  # noqa: ARG002
        connect_timeout: float,
    ) -> None:
        """Go on with TLS, for the host name in `uri`, within `connect_timeout` seconds.

        Raises:
            OSError, asyncio.TimeoutError: the handshake failed; ssl.SSLError says how.
        """
        reader, protocol = self._streams()
        upgrade = asyncio.get_running_loop().start_tls(
            self._io_writer.transport, protocol, ssl_context,
            server_hostname=uri if isinstance(uri, str) else uri.hostname,
        )  # fmt: skip
        transport = await asyncio.wait_for(upgrade, connect_timeout)
        assert transport is not None
        protocol.connection_made(transport)  # start_tls does not, and nothing would ever pause the server
        self._use(transport, protocol, reader)

    def writelines(self, payload: list[bytes]) -> None:
        """Write them all; does nothing on a connection that is lost, where asyncio of Python 3.12 raises TypeError."""
        self.write(b"".join(payload))

    async def read(self, buffer_size: int) -> bytes:  # noqa: ARG002
        """What came and was not taken."""
        self._awaited = True
        try:
            return await self._io_reader.read(READ_SIZE)
        finally:
            self._awaited = False

    async def _connect(self, uri: ParseResult, timeout: float) -> None:
        address: dict[str, Any] = {"host": uri.hostname, "port": uri.port}
        if self._socks_proxy:
            address = {"sock": await self._connect_proxy(uri, timeout)}
        reader, protocol = self._streams()
        transport, _ = await asyncio.get_running_loop().create_connection(lambda: protocol, **address)
        self._use(transport, protocol, reader)

    async def _connect_proxy(self, uri: ParseResult, timeout: float) -> socket.socket:
        from python_socks import ProxyError
        from python_socks.async_.asyncio import Proxy

        try:
            connected: socket.socket = await Proxy.from_url(self._socks_proxy).connect(
                uri.hostname, uri.port, timeout=timeout
            )
        except ProxyError as error:
            raise OSError(f"the SOCKS proxy cannot connect: {error}") from error
        return connected

    def _streams(self) -> tuple[asyncio.StreamReader, _Protocol]:
        reader = asyncio.StreamReader(READ_SIZE)
        return reader, _Protocol(reader, self._offer)

    def _use(
        self, transport: asyncio.WriteTransport, protocol: _Protocol, reader: asyncio.StreamReader
    ) -> None:
        with suppress(AttributeError):  # Python 3.10, when the server has closed meanwhile; reading tells why
            transport.set_write_buffer_limits(high=MOST_UNSENT)
        self._io_reader = reader
        self._io_writer = asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())

    def _offer(self, data: bytes) -> bytes:
        """Give a read to `take`, unless something before it still waits, or the replies would pile up.

        Raises:
            ConnectionAbortedError: it failed. nats-py reconnects after an OSError; any other ends its reading for good.
        """
        rest = data
        if self._awaited and self._io_writer.transport.get_write_buffer_size() <= MOST_UNSENT:
            try:
                rest = self._take(data)
            except Exception as error:
                raise ConnectionAbortedError(f"cannot take what came: {error!r}") from error
        if rest:
            self._awaited = False  # what comes next must not overtake it
        return rest
