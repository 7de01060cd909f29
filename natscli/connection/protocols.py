"""The port of another protocol: WebSockets where NATS was asked for, and the reverse, or with TLS and without."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import SplitResult, urlsplit

from natscli.errors import PynatsError, RefusedError
from natscli.text import for_programs

#: Seconds to wait for what a port says, at most, and bytes of it that are read.
_PATIENCE, _ENOUGH = 0.5, 1 << 14
_QUESTION = b"GET / HTTP/1.1\r\nHost: nats\r\nConnection: close\r\n\r\n"
#: Stands for the URL of a port for routes, gateways or leaf nodes.
_OF_SERVERS = "servers"
#: What the problem is called when TLS met something else.
_WITHOUT_TLS = "does not use TLS"


async def with_protocol(
    problem: PynatsError, cause: BaseException, url: str, *, silent: bool, seconds: float
) -> PynatsError:
    """`problem`, or that the port at `url` is one of the other protocol, and its URL.

    A port that is `silent`, closes without a greeting, or answers otherwise than its URL says is listened to, or asked
    a question in HTTP, for `seconds` at most.
    """
    seconds = min(seconds, _PATIENCE)
    parts = urlsplit(url)
    place, host = parts.netloc.rpartition("@")[2], parts.hostname or ""
    if parts.scheme in ("ws", "wss"):
        own = await _own_url(problem, cause, parts, seconds)
        if own == _OF_SERVERS:
            problem.what = "the port is one that other servers connect to, not clients"
        elif own:
            problem.what = f"the port is that of {own.partition('//')[0]}//, not of {parts.scheme}://"
            problem.hint = own
        return problem
    ungreeted = silent or "without a NATS greeting" in problem.what or _WITHOUT_TLS in problem.what
    if ungreeted and not isinstance(problem, RefusedError):
        heard = await _heard(host, parts.port or 4222, seconds, _QUESTION)
        if heard.startswith(b"HTTP/"):
            secure = _wants_tls(heard)
            with_tls = " with TLS" if secure else ""
            problem.what = f"what listens there speaks HTTP{with_tls}, as the WebSocket port of a server does"
            problem.hint = f"{'wss' if secure else 'ws'}://{place}, if it is that"
    return problem


async def _own_url(problem: PynatsError, cause: BaseException, url: SplitResult, seconds: float) -> str:
    """The URL by which the port of a `ws://` or `wss://` URL is reached; `_OF_SERVERS`, or empty if it is not known."""
    scheme, host, port, place = url.scheme, url.hostname or "", url.port, url.netloc.rpartition("@")[2]
    if "INFO {" in str(cause):  # after TLS with wss://
        if _is_of_servers(str(cause)):
            return _OF_SERVERS
        return f"nats://{place}" if scheme == "ws" else f"tls://{place} with --tlsfirst"
    if scheme == "wss" and _WITHOUT_TLS in problem.what:
        heard = await _heard(host, port or 443, seconds)
        if heard.startswith(b"INFO {"):
            if _is_of_servers(for_programs(heard)):
                return _OF_SERVERS
            secure = b'"tls_required":true' in heard or b'"tls_available":true' in heard
            return f"{'tls' if secure else 'nats'}://{place}"
    if scheme == "ws" and "no WebSocket connection" in problem.what:
        return f"wss://{place}" if _wants_tls(await _heard(host, port or 80, seconds, _QUESTION)) else ""
    return ""


def _is_of_servers(info: str) -> bool:
    """Whether an INFO is that of a port for routes, gateways or leaf nodes: a client would be told its number."""
    return '"client_id":' not in info or '"leafnode_urls":' in info


def _wants_tls(answer: bytes) -> bool:
    """Whether this is what a port that wants HTTP with TLS says to HTTP without, as those of Go and nginx do."""
    return answer.startswith(b"HTTP/") and b" 400 " in answer[:16] and b"HTTPS" in answer


async def _heard(host: str, port: int, seconds: float, question: bytes = b"") -> bytes:
    """What a port answers to a `question`, or its first line without one; what has come when the time is over."""
    heard = b""

    async def listen() -> None:
        nonlocal heard
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(question)
            while len(heard) < _ENOUGH and (question or b"\n" not in heard):
                more = await reader.read(_ENOUGH)
                if not more:
                    break
                heard += more
        finally:
            writer.close()

    with suppress(OSError, UnicodeError, asyncio.TimeoutError):
        await asyncio.wait_for(listen(), seconds)
    return heard
