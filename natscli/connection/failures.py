"""What an exception of nats-py, TLS or the network means to the user."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from natscli.duration import format_duration
from natscli.errors import ConnectionFailedError, InputError, PynatsError, RefusedError
from natscli.message.subjects import IMPORTERS
from natscli.wire.client import UnsupportedError
from natscli.wire.login import NotNatsError, TLSNotOfferedError
from natscli.wire.nats_py import errors as nats_errors
from natscli.wire.reconnect import TOO_LATE, PermanentError
from natscli.wire.transport import ProxyError

if TYPE_CHECKING:
    from urllib.parse import ParseResult, SplitResult


#: What comes before the words of the server that does not permit something.
NOT_PERMITTED = "the server does not permit this: "


#: What is said of replies that go where the user may not subscribe.
IMPORTERS_UNSEEN = (
    f"replies to requests of other accounts are not seen: not permitted to subscribe to [{IMPORTERS}]"
)


class CredentialsRefusedError(RefusedError):
    """The server refused the credentials."""


def names(error: PynatsError, subject: str) -> bool:
    """Whether the server's words in `error` name this subject; some have them in lower case."""
    return f'"{subject}"'.lower() in error.what.lower()


def shown_url(url: SplitResult | ParseResult) -> str:
    """A server URL without credentials."""
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    return f"{url.scheme}://{host}" + (f":{url.port}" if url.port else "")


def classify(
    error: BaseException, url: str, timeout: float | None = None, given: Mapping[str, str] | None = None
) -> PynatsError:
    """What an exception of nats-py, TLS or the network means to the user.

    `timeout` in seconds, if one ran out; the settings that were `given` are not suggested.
    """
    import ssl

    if isinstance(error, PynatsError):
        return error
    parts = urlsplit(url)
    where = shown_url(parts)
    text = str(error).removeprefix("nats: ").strip("' ")
    cause = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error  # aiohttp's own have one
    if isinstance(cause, (TLSNotOfferedError, ssl.SSLError)) or "ssl" in type(error).__name__.lower():
        from natscli.connection.certificates import classify_tls

        return classify_tls(cause, str(cause), where, given or {})
    if isinstance(error, PermanentError):
        kind = RefusedError if "subscriptions" in text.lower() else InputError
        return kind(f"the server reported: {text}", where=where)
    refusal = _refusal(error, text, where)
    if refusal is not None:
        return refusal
    if isinstance(error, UnsupportedError):
        from natscli.system.installing import install_command

        return ConnectionFailedError(text, where=where, hint=install_command("nats-py<2.17"))
    problem = _connection_problem(error, text, parts.hostname, timeout)
    if not problem and (
        isinstance(error, ConnectionRefusedError)
        or "connect call failed" in text.lower()
        or "winerror 1225" in text.lower()
    ):
        return ConnectionFailedError("nothing listens there", where=where, hint=_how_to_start(parts))
    return ConnectionFailedError(
        problem or _server_problem(error, text), where=where, hint=_port_in_address(parts)
    )


def _refusal(error: BaseException, text: str, where: str) -> RefusedError | None:
    """What the server refused, if it refused something."""
    lower = text.lower()
    if "permissions violation" in lower:
        # First: the text goes on with the subject, which may hold any of the words below.
        return RefusedError(f"{NOT_PERMITTED}{text}", where=where)
    words = "authorization" in lower or "authentication" in lower
    if TOO_LATE in lower:  # the server has seen no credentials
        return None
    if not words and not isinstance(error, nats_errors.AuthorizationError):
        return None
    reason = f": {lower}" if "expired" in lower or "revoked" in lower else ""
    return CredentialsRefusedError(f"the server refused the credentials{reason}", where=where)


def _connection_problem(error: BaseException, text: str, host: str | None, timeout: float | None) -> str:
    """Why there is no connection, if it is that."""
    if isinstance(error, (asyncio.TimeoutError, nats_errors.TimeoutError)):
        within = f" within {format_duration(timeout)}" if timeout is not None else ""
        return f"no answer from the server{within}"
    if isinstance(error, ProxyError):
        return f"no connection through the SOCKS proxy: {text}"
    if isinstance(error, socket.gaierror):
        return f"the name {host!r} does not resolve"
    if isinstance(error, (nats_errors.UnexpectedEOF, nats_errors.StaleConnectionError, ConnectionResetError)):
        return "the connection was lost"
    return ""


def _server_problem(error: BaseException, text: str) -> str:
    """What is wrong with what listens there; or the error as it is."""
    lower = text.lower()
    if "empty response" in lower:
        return "the connection was closed without a NATS greeting"
    if isinstance(error, NotNatsError) or "expecting info" in lower or "json parse error" in lower:
        return "what listens there is not a NATS server"
    if isinstance(error, nats_errors.ProtocolError):
        return "the server sent something that is not the NATS protocol"
    of_http = error.__cause__ or error
    if type(of_http).__module__.startswith("aiohttp"):
        status = getattr(of_http, "status", 0)
        said = (str(getattr(of_http, "message", "")).lower() if status else "") or text
        shown = said.partition("\n")[0][:100]
        return f"no WebSocket connection: {shown}" + (f" (HTTP {status})" if status else "")
    if isinstance(error, OSError):
        return f"cannot connect: {(error.strerror or text).lower()}"
    if isinstance(error, nats_errors.Error) and text:
        return f"the server reported: {text}"
    return f"cannot connect: {text or type(error).__name__}"


def _port_in_address(url: SplitResult | ParseResult) -> str:
    """How to write the port of an IPv6 address, if what was meant as one may have been taken for a part of it."""
    from ipaddress import IPv6Address

    address, _, last = (url.hostname or "").rpartition(":")
    try:
        IPv6Address(address)
    except ValueError:
        return ""
    return f"if {last} is the port: '[{address}]:{last}'" if last.isdigit() and len(last) > 3 else ""


def _how_to_start(url: SplitResult | ParseResult) -> str:
    """The command that would start a server at `url`; empty if it is not one of this machine."""
    if url.scheme != "nats" or url.hostname not in ("127.0.0.1", "localhost", "::1"):
        return ""
    host = " --host ::1" if url.hostname == "::1" else ""
    return f"pynats server run{host}" + (f" --port {url.port}" if url.port not in (None, 4222) else "")
