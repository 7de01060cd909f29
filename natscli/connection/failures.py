"""What an exception of nats-py, TLS or the network means to the user."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from natscli.duration import format_duration
from natscli.errors import ConnectionFailedError, PynatsError, RefusedError
from natscli.wire.client import NotNatsError, TLSNotOfferedError, UnsupportedError
from natscli.wire.nats_py import errors as nats_errors
from natscli.wire.transport import ProxyError

if TYPE_CHECKING:
    from urllib.parse import ParseResult, SplitResult


def shown_url(url: SplitResult | ParseResult) -> str:
    """A server URL without credentials."""
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    return f"{url.scheme}://{host}" + (f":{url.port}" if url.port else "")


def classify(error: BaseException, url: str, timeout: float | None = None) -> PynatsError:
    """What an exception of nats-py, TLS or the network means to the user. `timeout` in seconds, if one ran out."""
    import ssl

    if isinstance(error, PynatsError):
        return error
    parts = urlsplit(url)
    where = shown_url(parts)
    if isinstance(error, UnsupportedError):
        return ConnectionFailedError(str(error), where=where, hint="pip install 'nats-py<2.17'")
    text = str(error).removeprefix("nats: ").strip("' ")
    lower = text.lower()
    if isinstance(error, (TLSNotOfferedError, ssl.SSLError)) or "ssl" in type(error).__name__.lower():
        return _classify_tls(error, text, where)
    if "permissions violation" in lower:
        # First: the text goes on with the subject, which may hold any of the words below.
        return RefusedError(f"the server does not permit this: {text}", where=where)
    if (
        isinstance(error, nats_errors.AuthorizationError)
        or "authorization" in lower
        or "authentication" in lower
    ):
        if "expired" in lower or "revoked" in lower:
            return RefusedError(f"the server refused the credentials: {lower}", where=where)
        return RefusedError("the server refused the credentials", where=where)
    if isinstance(error, (asyncio.TimeoutError, nats_errors.TimeoutError)):
        within = f" within {format_duration(timeout)}" if timeout is not None else ""
        return ConnectionFailedError(f"no answer from the server{within}", where=where)
    if isinstance(error, ProxyError):
        return ConnectionFailedError(f"no connection through the SOCKS proxy: {text}", where=where)
    if isinstance(error, socket.gaierror):
        return ConnectionFailedError(f"the name {parts.hostname!r} does not resolve", where=where)
    if (
        isinstance(error, ConnectionRefusedError)
        or "connect call failed" in lower
        or "winerror 1225" in lower
    ):
        return ConnectionFailedError("nothing listens there", where=where, hint=_how_to_start(parts))
    if "empty response" in lower:
        return ConnectionFailedError("the connection was closed without a NATS greeting", where=where)
    if isinstance(error, NotNatsError) or "expecting info" in lower or "json parse error" in lower:
        return ConnectionFailedError("what listens there is not a NATS server", where=where)
    if isinstance(error, (nats_errors.UnexpectedEOF, nats_errors.StaleConnectionError, ConnectionResetError)):
        return ConnectionFailedError("the connection was lost", where=where)
    if type(error.__cause__ or error).__module__.startswith("aiohttp"):
        return ConnectionFailedError(f"no WebSocket connection: {text.splitlines()[0][:100]}", where=where)
    if isinstance(error, OSError):
        return ConnectionFailedError(f"cannot connect: {(error.strerror or text).lower()}", where=where)
    if isinstance(error, nats_errors.Error) and text:
        return ConnectionFailedError(f"the server said: {text}", where=where)
    return ConnectionFailedError(f"cannot connect: {text or type(error).__name__}", where=where)


def _how_to_start(url: SplitResult | ParseResult) -> str:
    """The command that would start a server at `url`; empty if it is not one of this machine."""
    if url.scheme != "nats" or url.hostname not in ("127.0.0.1", "localhost", "::1"):
        return ""
    host = " --host ::1" if url.hostname == "::1" else ""
    return f"pynats server run{host}" + (f" --port {url.port}" if url.port not in (None, 4222) else "")


def _classify_tls(error: BaseException, text: str, where: str) -> PynatsError:
    lower = text.lower()
    if isinstance(error, TLSNotOfferedError):
        return ConnectionFailedError("TLS was asked for and the server does not offer it", where=where)
    reason = getattr(error, "verify_message", "") or getattr(error, "reason", "") or text
    if "alert" in lower and "protocol version" not in lower:
        return RefusedError(f"the server refused the TLS client certificate: {_tls_words(reason)}", where=where,
                            hint="--tlscert FILE --tlskey FILE")  # fmt: skip
    if "wrong_version_number" in lower or "record layer" in lower:
        return ConnectionFailedError("what listens there does not answer with TLS", where=where)
    hint = "--tlsca FILE names the authority to trust" if "certificate" in lower else ""
    return ConnectionFailedError(f"TLS problem: {_tls_words(reason)}", where=where, hint=hint)


def _tls_words(reason: str) -> str:
    return reason.lower().replace("_", " ") if reason.isupper() else reason
