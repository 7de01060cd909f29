"""The port of another protocol: WebSockets where NATS was asked for, and the reverse."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from natscli.errors import PynatsError

#: Seconds to wait for an answer to a question in HTTP, at most.
_PATIENCE = 0.5


async def with_protocol(problem: PynatsError, cause: BaseException, url: str, *, silent: bool) -> PynatsError:
    """`problem`, or that the port at `url` is one of the other protocol, and its URL.

    A port that is `silent`, or closes without a greeting, is asked a question in HTTP.
    """
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    if parts.scheme in ("ws", "wss") and "INFO {" in str(cause):
        problem.what = f"the port is that of nats://, not of {parts.scheme}://"
        problem.hint = f"nats://{place}"
        return problem
    ungreeted = silent or "without a NATS greeting" in problem.what
    if parts.scheme == "nats" and ungreeted and await _speaks_http(parts.hostname or "", parts.port or 4222):
        problem.what = "what listens there speaks HTTP, as the WebSocket port of a server does"
        problem.hint = f"ws://{place}, if it is that"
    return problem


async def _speaks_http(host: str, port: int) -> bool:
    async def ask() -> bool:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(b"GET / HTTP/1.1\r\nHost: nats\r\nConnection: close\r\n\r\n")
            return await reader.readexactly(5) == b"HTTP/"
        finally:
            writer.close()

    try:
        return await asyncio.wait_for(ask(), _PATIENCE)
    except (OSError, EOFError, UnicodeError, asyncio.TimeoutError):
        return False
