"""What a failed TLS handshake means: certificates that are not trusted, expired, for another name, or refused."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from natscli.errors import ConnectionFailedError, PynatsError, RefusedError
from natscli.system.waiting import within
from natscli.wire.login import TLSNotOfferedError
from natscli.wire.trust import lenient

if TYPE_CHECKING:
    import ssl

#: OpenSSL's X509_V_ERR_*: no issuer that is trusted, and a name or an address that is not in the certificate.
_UNTRUSTED, _OTHER_NAME = (2, 18, 19, 20, 21, 24, 27), (62, 64)
#: Words of the alerts that are about the client's certificate (RFC 8446, 6.2).
_REFUSED = ("certificate", "unknown ca", "access denied")
#: Names of a certificate that are listed, at most, and bytes of the INFO that comes before TLS.
_MOST_NAMES, _LARGEST_INFO = 6, 1 << 20


def classify_tls(error: BaseException, text: str, where: str, given: Mapping[str, str]) -> PynatsError:
    """What an exception of TLS means to the user, who has `given` these settings."""
    lower = text.lower()
    if isinstance(error, TLSNotOfferedError):
        return ConnectionFailedError("TLS was asked for and the server does not offer it", where=where)
    cause = certificate_error(error)
    code = getattr(cause, "verify_code", 0)
    reason = getattr(cause, "verify_message", "") or getattr(error, "reason", "") or text
    if code in _OTHER_NAME:
        return ConnectionFailedError("the certificate of the server is for another name", where=where)
    if "alert" in lower and any(words in lower for words in _REFUSED):
        what = f"the server refused the TLS client certificate: {_words(reason)}"
        if "tlscert" not in given:
            what = "the server requires a TLS client certificate"
        return RefusedError(what, where=where, hint=about_client_certificate(given))
    if "wrong_version_number" in lower or "record layer" in lower:
        return ConnectionFailedError("the server there does not use TLS", where=where)
    hint = ""
    if code in _UNTRUSTED:
        hint = "--tlsca FILE names the authority to trust"
        if "tlsca" in given:
            hint = f"the authority that {given['tlsca']} names has not signed it"
    return ConnectionFailedError(f"TLS problem: {_words(reason)}", where=where, hint=hint)


def about_client_certificate(given: Mapping[str, str]) -> str:
    """What to do when a server does not take the client's certificate, where these settings are `given`."""
    sources = dict.fromkeys(given[name] for name in ("tlscert", "tlskey") if name in given)
    named = " and ".join(sources)
    return f"check {named}, and that this is the server for it" if named else "--tlscert FILE --tlskey FILE"


def certificate_error(error: BaseException | None) -> BaseException | None:
    """The error of OpenSSL about the server's certificate that is `error` or its cause, also aiohttp's."""
    for one in (error, getattr(error, "__cause__", None), getattr(error, "certificate_error", None)):
        if getattr(one, "verify_code", 0):
            return one
    return None


async def with_names(
    problem: PynatsError,
    cause: BaseException,
    url: str,
    options: Mapping[str, Any],
    first: bool,
    seconds: float,
) -> PynatsError:
    """`problem`, and when the certificate of the server at `url` is for another name, which ones are in it.

    They are asked for with a connection that checks everything but the name, and sends nothing else, for `seconds` at
    most. `options` are those of the first one, for nats-py; `first` is whether TLS begins before INFO.
    """
    if getattr(certificate_error(cause), "verify_code", 0) not in _OTHER_NAME:
        return problem
    host = options.get("tls_hostname") or urlsplit(url).hostname or ""
    problem.what = f"the certificate of the server is not for {host!r}"
    try:
        names = await within(seconds, asyncio.to_thread(_names, url, options.get("tls"), first, seconds))
    except (OSError, ValueError, asyncio.TimeoutError):
        return problem
    if host in names:
        problem.what = f"the certificate of the server has {host} as a DNS name, not as an address"
    elif names:
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        problem.what += f" but for {', '.join(names[:_MOST_NAMES])}{more}"
        problem.hint = f"connect to the server by a name in its certificate: {_example(url, names)}"
    return problem


def _example(url: str, names: list[str]) -> str:
    parts = urlsplit(url)
    name = next((name for name in names if "*" not in name), names[0].replace("*", "NAME"))
    host = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


def _names(url: str, context: ssl.SSLContext | None, first: bool, seconds: float) -> list[str]:
    """The names and addresses in the certificate of a server, which must be trusted."""
    import socket

    parts = urlsplit(url)
    secure_websocket = parts.scheme == "wss"
    port = parts.port or (443 if secure_websocket else 4222)
    with socket.create_connection((parts.hostname or "", port), seconds) as connection:
        if not first and not secure_websocket:
            info = b""
            while b"\n" not in info and len(info) < _LARGEST_INFO:
                info += connection.recv(1)
        with _nameless(context).wrap_socket(connection, server_hostname=parts.hostname) as tls:
            certificate = tls.getpeercert() or {}
    alternatives: Any = certificate.get("subjectAltName", ())
    return [name for kind, name in alternatives if kind in ("DNS", "IP Address")]


def _nameless(context: ssl.SSLContext | None) -> ssl.SSLContext:
    """A context that trusts the authorities of `context` and does not look at the name."""
    import ssl

    fresh = lenient(ssl.create_default_context())
    authorities = context.get_ca_certs(binary_form=True) if context is not None else []
    if authorities:
        fresh.load_verify_locations(cadata=b"".join(authorities))
    fresh.check_hostname = False
    return fresh


def _words(reason: str) -> str:
    return reason.lower().replace("_", " ") if reason.isupper() else reason
