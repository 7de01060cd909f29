"""Server URLs: what people write becomes a full URL, or one clear line says why it cannot be one."""

from __future__ import annotations

import re

from natscli.errors import InputError

_SCHEMES = ("nats", "tls", "ws", "wss")
#: A scheme without its colon, or with too few slashes.
_NO_COLON = r"(?i)(nats|tls|wss?)(?:/{1,3}|:/|;//?)(?!/)"
#: Characters that no name of a host has.
_NOT_IN_NAMES = frozenset((*map(chr, range(0x21)), *'\x7f"#%/:;<>?@[\\]^`{|}'))
_LONGEST_LABEL, _LONGEST_NAME = 63, 253


def complete_url(url: str, source: str = "") -> str:
    """A full server URL: a bare `host`, `host:port`, `:port` or `::1` gets `nats://`, the local host, port 4222.

    Raises:
        InputError: an unknown scheme, an unescaped login, no host, one that cannot be, or a port that is not one;
            `source` gave the URL.
    """
    from urllib.parse import urlsplit

    text = _with_scheme(url.strip(), source)
    check_login(text, source, "the server URL")
    try:
        parts = urlsplit(_bracketed(text))
        host = parts.hostname or ""
    except ValueError:
        raise InputError(
            "bad host in the server URL: brackets are for IPv6 addresses", where=source
        ) from None
    if parts.scheme not in _SCHEMES:
        raise InputError(
            f"unknown scheme {parts.scheme!r} in the server URL: use nats, tls, ws or wss", where=source
        )
    if not host:
        raise InputError("no host in the server URL", where=source)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise InputError("bad port in the server URL: a number from 1 to 65535", where=source)
    check_host(host, text, source, "the server URL")
    if port is None and parts.scheme in ("nats", "tls"):
        parts = parts._replace(netloc=f"{parts.netloc.rstrip(':')}:4222")
    return parts.geturl()


def check_host(host: str, url: str, source: str, what: str) -> None:
    """Raises InputError for a `host` of `url`, which is called `what`, that nothing can have."""
    reason = _impossible(host)
    if reason:
        shown = "what is" if "@" in url else f"{host[:100]!r}"  # part of a password may be taken for it
        raise InputError(f"{shown} in {what} cannot be a host: {reason}", where=source)


def check_login(url: str, source: str, what: str) -> None:
    """Raises InputError for a login in `url`, which is called `what`, that ends too early: at a `/`, `?` or `#`.

    What stands before that would be taken for the host, looked up and shown.
    """
    login = url.partition("://")[2].rpartition("@")[0]
    odd = next((character for character in login if character in "/?#"), "")
    if odd:
        hint = "write %2F for /, %3F for ? and %23 for #"
        raise InputError(f"an unescaped {odd!r} in the login of {what}", where=source, hint=hint)


def _with_scheme(text: str, source: str) -> str:
    """`text` with `nats://` before a bare host or port. Raises InputError, as `complete_url` does."""
    if any(character.isspace() for character in text):
        raise InputError("a blank in the server URL", where=source, hint="separate several URLs with commas")
    mistyped = re.match(_NO_COLON, text) if "://" not in text and "/" in text else None
    if mistyped:
        scheme = mistyped[1].lower()
        raise InputError(
            f"the server URL has no '://' after {scheme!r}", where=source, hint=f"{scheme}://HOST:PORT"
        )
    if "://" not in text:
        only_a_port = text.startswith(":") and not text.startswith("::")
        text = f"nats://{'127.0.0.1' if only_a_port else ''}{text}"
    return text


def _bracketed(url: str) -> str:
    """`url` with brackets around an IPv6 address, and its zone as it is, not as `%25`."""
    scheme, _, rest = url.partition("://")
    netloc, slash, path = rest.partition("/")
    login, at, place = netloc.rpartition("@")
    if place.count(":") > 1 and not place.startswith("["):
        address, percent, zone = place.partition("%")
        if percent and ":" in zone and _is_ipv6(address):  # a zone has no colon: what follows one is a port
            zone, _, port = zone.partition(":")
            place = f"[{address}%{zone}]:{port}"
        elif _is_ipv6(place):
            place = f"[{place}]"
    if place.startswith("["):
        place = place.replace("%25", "%", 1)
        if re.fullmatch(r"\[[^]]*][^:].*", place):  # Python would leave it out
            raise ValueError("something between the bracket and the port")
    return f"{scheme}://{login}{at}{place}{slash}{path}"


def _is_ipv6(text: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(text.replace("%25", "%", 1)).version == 6
    except ValueError:
        return False


def _impossible(host: str) -> str:
    """Why nothing can have this name; empty if something may."""
    if ":" in host:
        return "" if _is_ipv6(host) else "it is no IPv6 address"
    odd = next((character for character in host if character in _NOT_IN_NAMES), None)
    if odd is not None:
        return f"no name has {odd!r}"
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            return "it is no international name"
    labels = host.removesuffix(".").split(".")
    if "" in labels:
        return "a name has something between its dots"
    if max(map(len, labels)) > _LONGEST_LABEL or len(host) > _LONGEST_NAME:
        return f"a name has {_LONGEST_NAME} characters at most, {_LONGEST_LABEL} between dots"
    return ""
