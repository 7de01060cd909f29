"""Servers that take a connection and end it at once are met with pauses that grow, on every transport."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field

import pytest

import natscli
from tests.certificates import Certificates
from tests.servers import Server, free_port

#: How a connection ends: after how many writes of the client, and how.
WAYS = {
    "closed at once": (0, "close"),
    "reset at once": (0, "reset"),
    "garbage at once": (0, "garbage"),
    "silent": (0, "stall"),
    "closed at the first words": (1, "close"),
    "reset at the first words": (1, "reset"),
    "closed after some words": (2, "close"),
    "half closed after some words": (2, "half"),
    "garbage after some words": (2, "garbage"),
    "closed at the third write": (3, "close"),
    "reset at the third write": (3, "reset"),
    "closed after a while": (1_000_000, "close"),
}
#: Seconds that are looked at. In them, the pauses of 0.1, 0.2, 0.4 ... seconds and their jitter leave room for so many.
SECONDS, MOST = 3.0, 8


@dataclass
class Dying:
    """A TCP proxy that passes on everything until `dying` is set; then each connection ends in its way."""

    target: int
    writes: int
    how: str
    dying: bool = False
    accepted: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        dying = self.dying
        self.accepted += dying
        upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self.target)
        self.writers += [writer, upstream]
        back = asyncio.ensure_future(self.pass_on(upstream_reader, writer))
        try:
            if not dying:
                await self.pass_on(reader, upstream)
                return
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.pass_on(reader, upstream, self.writes), 0.3)
            await self.end(writer)
        finally:
            back.cancel()
            upstream.close()

    async def pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, writes: int = 1 << 62
    ) -> None:
        with suppress(OSError):
            while writes and (data := await reader.read(65536)):
                writes -= 1
                writer.write(data)
                await writer.drain()
                if not writes:
                    await asyncio.sleep(0.02)  # so that what it causes is seen

    async def end(self, writer: asyncio.StreamWriter) -> None:
        if self.how == "stall":
            await asyncio.sleep(SECONDS)
        elif self.how == "garbage":
            writer.write(b"\x00nonsense\r\n\r\n" * 10)
            await asyncio.sleep(0.05)
        elif self.how == "half":
            with suppress(OSError, RuntimeError):
                writer.write_eof()
            await asyncio.sleep(0.2)
        elif self.how == "reset":
            sock = writer.get_extra_info("socket")
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        writer.close()

    def cut(self) -> None:
        self.dying = True
        for writer in self.writers:
            writer.close()


@pytest.mark.parametrize("transport", ["tcp", "tls", "ws"])
def test_no_connection_is_tried_faster_than_the_pauses_allow(
    server_factory: Callable[..., Server], certificates: Certificates, transport: str
) -> None:
    target = free_port()
    config = {
        "tcp": "",
        "tls": certificates.server_config(),
        "ws": f"websocket {{ host: 127.0.0.1, port: {target}, no_tls: true }}",
    }[transport]
    server = server_factory(config)
    scheme = {"tcp": "nats", "tls": "tls", "ws": "ws"}[transport]
    tlsca = str(certificates.ca) if transport == "tls" else None

    async def go() -> dict[str, int]:
        proxies = {
            name: Dying(target if transport == "ws" else server.port, *way) for name, way in WAYS.items()
        }
        async with AsyncExitStack() as stack:
            for proxy in proxies.values():
                listening = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
                stack.callback(listening.close)
                port = listening.sockets[0].getsockname()[1]
                url = f"{scheme}://127.0.0.1:{port}"
                client = await stack.enter_async_context(
                    natscli.connect(server=url, timeout=2.0, no_context=True, tlsca=tlsca)
                )
                await client.subscribe("dying.young")
                await client.flush()
            for proxy in proxies.values():
                proxy.cut()
            await asyncio.sleep(SECONDS)
            return {name: proxy.accepted for name, proxy in proxies.items()}

    tried = asyncio.run(go())
    print(transport, tried)
    most = MOST * (2 if transport == "ws" else 1)  # aiohttp asks once more when it gets no answer
    assert all(1 <= count <= most for count in tried.values()), tried
