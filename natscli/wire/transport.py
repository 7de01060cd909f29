"""The TCP connection under nats-py: asyncio's streams, and a shorter way for what can be handled at once.

nats-py reads in a task of its own, which runs one turn of the event loop after the bytes came. While that task waits,
a `ReadHandler` gets them first, in the call that read them; nats-py gets what it leaves.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Protocol

from natscli.system.waiting import within
from natscli.wire import nats_py
from natscli.wire.dial import addresses_of, dial

if TYPE_CHECKING:
    import socket
    import ssl
    from urllib.parse import ParseResult

#: Bytes of one read, unless a large message has more: as many as asyncio asks for, which makes a new buffer each
#: time; that costs as much as reading.
READ_SIZE = 256 * 1024

#: Bytes of a read that has left something behind. TLS gives whole records of up to 16 kB, so a little may be missing.
_FULL = READ_SIZE - 17 * 1024

#: Bytes that may wait for the socket before reading stops: some large replies, so that both directions stay busy.
MOST_UNSENT = 4 * 1024 * 1024


#: Seconds that the other side has to close.
_CLOSING = 0.5


class ReadHandler(Protocol):
    """Handles what a read brought. Both ways to do so give what is left of it for nats-py."""

    def feed(self, data: bytes) -> bytes:
        """Handle `data`."""

    def room(self) -> memoryview:
        """Where to read the next bytes to; empty if it does not matter."""

    def filled(self, count: int) -> bytes:
        """Handle `count` bytes that were read to `room`."""


#: Gives the handler of the next read; None leaves it to nats-py.
Choose = Callable[[], "ReadHandler | None"]


class ProxyError(OSError):
    """The SOCKS proxy cannot be reached, or cannot connect."""


class _Protocol(asyncio.StreamReaderProtocol, asyncio.BufferedProtocol):
    """asyncio's protocol for streams, with a handler that comes first.

    `awaited` is whether nats-py waits for more, having handled all that came before. Reads are counted: `full` ones
    left something behind in the socket, as they filled the whole buffer, others `emptied` it.
    """

    def __init__(self, reader: asyncio.StreamReader, choose: Choose) -> None:
        super().__init__(reader)
        self.awaited = False
        self.full = self.emptied = 0
        self._choose = choose
        self._read_handler: ReadHandler | None = None
        # Made for the first read: attempts to reconnect leave cycles, and the garbage collector, which counts objects
        # and not bytes, would let hundreds of buffers wait.
        self._buffer = self._room = memoryview(b"")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert isinstance(transport, asyncio.WriteTransport)
        self._unsent = transport.get_write_buffer_size
        self._socket = None if transport.get_extra_info("ssl_object") else transport.get_extra_info("socket")
        with suppress(
            AttributeError
        ):  # Python 3.10, when the server has closed meanwhile; reading raises the error
            transport.set_write_buffer_limits(high=MOST_UNSENT)

    def connection_lost(self, exc: Exception | None) -> None:
        if isinstance(exc, (ConnectionResetError, BrokenPipeError)) and (words := _last_words(self._socket)):
            self.data_received(words)
            exc = None
        super().connection_lost(exc)
        self._buffer = self._room = memoryview(b"")
        self._unsent, self._socket = int, None  # or they would hold the transport, which holds this

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        if not self._buffer:
            self._buffer = memoryview(bytearray(READ_SIZE))
        # While replies pile up it is nats-py's turn, which stops reading.
        self._read_handler = self._choose() if self.awaited and self._unsent() <= MOST_UNSENT else None
        try:
            self._room = self._read_handler.room() if self._read_handler else self._buffer[:0]
        except Exception as error:
            raise _aborted(error) from error
        return self._room or self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        try:
            if self._room:
                assert self._read_handler is not None
                rest = self._read_handler.filled(nbytes)
            else:
                self.full += nbytes >= _FULL
                self.emptied += nbytes < _FULL
                rest = bytes(self._buffer[:nbytes])
                if self._read_handler is not None:
                    rest = self._read_handler.feed(rest)
        except Exception as error:
            raise _aborted(error) from error
        finally:
            self._room = self._buffer[:0]  # or it would keep the memory of an unusually large one
        if rest:
            self.awaited = False  # what comes next must not overtake it
            self.data_received(rest)


def _last_words(connection: Any) -> bytes:
    """What the server has sent, and asyncio does not read when it could not write: why it has closed."""
    if connection is None:
        return b""
    with suppress(OSError), connection.dup() as rest:
        rest.setblocking(False)
        return bytes(rest.recv(READ_SIZE))
    return b""


def _aborted(error: Exception) -> ConnectionAbortedError:
    """What nats-py reconnects after, as after any OSError; anything else ends its reading for good."""
    return ConnectionAbortedError(f"cannot handle what was received: {error!r}")


def _unreachable(url: str, cause: BaseException | None) -> str:
    """Why there is no connection to the proxy at `url`."""
    import socket
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if isinstance(cause, socket.gaierror):
        return f"the name {parts.hostname!r} does not resolve"
    if isinstance(cause, ConnectionRefusedError):
        return f"nothing listens at {parts.hostname}:{parts.port}"
    reason = (
        os.strerror(cause.errno).lower() if isinstance(cause, OSError) and cause.errno else "cannot connect"
    )
    return f"{reason} at {parts.hostname}:{parts.port}"


async def _at_an_address(url: str) -> str:
    """The URL of a proxy with the address of its host that answers: python-socks would try the first only.

    Raises:
        ProxyError: none does.
    """
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    try:
        addresses = await addresses_of(parts.hostname or "", parts.port or 0)
        host = addresses[0][1][0]
        if len(addresses) > 1:
            with await dial(addresses) as found:
                host = found.getpeername()[0]
    except OSError as error:
        raise ProxyError(_unreachable(url, error)) from error
    login, at, _ = parts.netloc.rpartition("@")
    place = f"[{host}]:{parts.port}" if ":" in host else f"{host}:{parts.port}"
    # Names are always looked up by the proxy, which is all that socks5h says; python-socks does not know it.
    scheme = parts.scheme.removesuffix("h")
    return parts._replace(scheme=scheme, netloc=f"{login}{at}{place}").geturl()


class Transport(nats_py.TcpTransport):  # type: ignore[misc]
    """nats-py's TCP transport, through a SOCKS proxy if one is given.

    `steps` has when (`perf_counter_ns`) the last connection came to `resolved`, `connected`, `tls_started` and
    `tls_done`.
    """

    def __init__(self, choose: Choose, socks_proxy: str = "") -> None:
        super().__init__()
        self.steps: dict[str, int] = {}
        self._choose = choose
        self._socks_proxy = socks_proxy
        self._upgrading = False

    def __bool__(self) -> bool:
        return True  # or nats-py makes one of its own

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: float) -> None:  # noqa: ARG002
        """Connect within `connect_timeout` seconds.

        Raises:
            OSError, asyncio.TimeoutError: there is no connection.
        """
        await within(connect_timeout, self._connect(uri, connect_timeout))
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
            OSError, asyncio.TimeoutError: the handshake failed.
        """
        self._reached("tls_started")
        reader, protocol = self._streams()
        self._upgrading = True
        upgrade = asyncio.get_running_loop().start_tls(
            self._io_writer.transport, protocol, ssl_context,
            server_hostname=uri if isinstance(uri, str) else uri.hostname,
        )  # fmt: skip
        transport = await within(connect_timeout, upgrade)
        assert transport is not None
        protocol.connection_made(transport)  # start_tls does not, and nothing would ever pause the server
        self._use(transport, protocol, reader)
        self._upgrading = False
        self._reached("tls_done")

    async def wait_closed(self) -> None:
        """Wait until it is closed, not for long: TLS waits for the other side, which may be gone."""
        if self._io_writer is not None and self._upgrading:
            self.abort()  # nobody would tell that it is closed
        elif self._io_writer is not None:
            with suppress(OSError, asyncio.TimeoutError):
                await within(_CLOSING, self._io_writer.wait_closed())
            self.abort()
            # asyncio leaves a cycle, with half a megabyte of buffers, to the garbage collector, which counts objects.
            if hasattr(transport := self._io_writer.transport, "_ssl_protocol"):
                transport._ssl_protocol = None

    def abort(self) -> None:
        """Close at once; what was not sent is lost."""
        if self._io_writer is not None:
            self._io_writer.transport.abort()

    def writelines(self, payload: list[bytes]) -> None:
        """Write them all; does nothing on a connection that is lost, where asyncio of Python 3.12 raises TypeError."""
        self.write(b"".join(payload))

    @property
    def reads(self) -> tuple[int, int]:
        """How many reads left something behind in the socket, and how many emptied it."""
        return self._protocol.full, self._protocol.emptied

    async def read(self, buffer_size: int) -> bytes:  # noqa: ARG002
        """What was received and left to nats-py."""
        self._protocol.awaited = True
        try:
            return await self._io_reader.read(READ_SIZE)
        finally:
            self._protocol.awaited = False

    async def _connect(self, uri: ParseResult, timeout: float) -> None:
        self.steps.clear()
        reader, protocol = self._streams()
        if self._socks_proxy:
            sock = await self._connect_proxy(uri, timeout)
        else:
            addresses = await addresses_of(uri.hostname or "", uri.port or 0)
            self._reached("resolved")
            sock = await dial(addresses)
        self._reached("connected")
        transport, _ = await asyncio.get_running_loop().create_connection(lambda: protocol, sock=sock)
        self._use(transport, protocol, reader)

    def _reached(self, step: str) -> None:
        self.steps[step] = perf_counter_ns()

    async def _connect_proxy(self, uri: ParseResult, timeout: float) -> socket.socket:
        import python_socks
        from python_socks.async_.asyncio import Proxy

        try:
            proxy = Proxy.from_url(await _at_an_address(self._socks_proxy))
            connected: socket.socket = await proxy.connect(uri.hostname, uri.port, timeout=timeout)
        except python_socks.ProxyTimeoutError as error:
            raise ProxyError("no answer from it in time") from error
        except python_socks.ProxyConnectionError as error:
            raise ProxyError(_unreachable(self._socks_proxy, error.__cause__)) from error
        except python_socks.ProxyError as error:
            raise ProxyError(f"it reports: {str(error).lower()}") from error
        return connected

    def _streams(self) -> tuple[asyncio.StreamReader, _Protocol]:
        reader = asyncio.StreamReader(READ_SIZE)
        return reader, _Protocol(reader, self._choose)

    def _use(
        self, transport: asyncio.WriteTransport, protocol: _Protocol, reader: asyncio.StreamReader
    ) -> None:
        self._protocol, self._io_reader = protocol, reader
        self._io_writer = asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())
