"""The servers that a client knows: those given, and those that the cluster tells it of."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any
from urllib.parse import ParseResult, unquote, urlparse

from natscli.wire.nats_py import Srv

#: What tells servers apart: one that is given with a login is the one that the cluster tells without.
Key = tuple[str, int]


class ServerURL(ParseResult):
    """A server URL with percent escapes in its user info decoded, which nats-py sends as they are.

    Without any it has the `default_login`: nats-py compares servers by the text of the URL, which must not change.
    """

    default_login: tuple[str | None, str | None] = None, None

    @property
    def username(self) -> str | None:
        return unquote(super().username or "") or self.default_login[0]

    @property
    def password(self) -> str | None:
        password = super().password
        return self.default_login[1] if password is None else unquote(password)


def key(server: Any) -> Key:
    """What tells this server from others."""
    return server.uri.hostname or "", server.uri.port or 0


def with_given(pool: list[Any], urls: Iterable[str]) -> list[Any]:
    """`pool` with servers that are given by their URLs, in place of discovered ones."""
    given = [Srv(ServerURL(*urlparse(url))) for url in urls]
    kept = {key(server): server for server in pool if not server.discovered}
    first = {key(server): kept.get(key(server), server) for server in given}
    return [*first.values(), *(server for server in pool if key(server) not in first)]


def with_discovered(pool: list[Any], told: object, teller: Any) -> list[Any]:
    """`pool` with the servers that `teller` told of (`host:port`), and without those of which it told before only.

    They are reached as the teller is: by its scheme, with its login, and their certificates have to be for its name,
    if they have none of their own.
    """
    if not isinstance(told, list):
        return pool
    login = teller.uri.username, teller.uri.password
    found: dict[Key, Any] = {}
    for address in told:
        try:
            server = Srv(ServerURL(*urlparse(f"{teller.uri.scheme}://{address}")))
            found[key(server)] = server
        except ValueError:  # the port is none
            continue
        server.discovered = True
        server.uri.default_login = login
        if _is_address(server.uri.hostname):
            server.tls_name = teller.tls_name or _name(teller.uri.hostname)
    kept = [server for server in pool if not server.discovered or server is teller or key(server) in found]
    known = {key(server) for server in kept}
    return [*kept, *(server for server in found.values() if key(server) not in known)]


def _name(host: str | None) -> str | None:
    return None if _is_address(host) else host


def _is_address(host: str | None) -> bool:
    try:
        ipaddress.ip_address((host or "").partition("%")[0])
    except ValueError:
        return False
    return True
