"""Settings become nats-py's options: every reference resolved, every file read, before anything connects."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from natscli import __version__
from natscli.connection.credentials import Credentials, of_context
from natscli.connection.tls import may_change, tls_context
from natscli.contexts.format import DEFAULT_URL, split_urls
from natscli.contexts.urls import check_host, check_login, complete_url
from natscli.errors import InputError
from natscli.frozen import Frozen

if TYPE_CHECKING:
    from natscli.environment import Environment
    from natscli.settings import Settings


class Plan(Frozen):
    """All that is needed to connect, with every reference resolved: nothing here waits or asks any more."""

    servers: list[str]
    options: dict[str, Any]
    timeout: float
    tls: bool
    socks_proxy: str
    context: str
    credentials: Credentials
    #: The settings that were given, as fields of `Settings`, and where the credentials among them are from.
    given: Mapping[str, str]
    #: nats-py's options for credentials and TLS as files and references have them now; None if there are none to read.
    read_credentials: Callable[[], Awaitable[dict[str, Any]]] | None = None

    def whereabouts(self, url: str, *, always: bool, to_person: bool) -> str:
        """A line of the log that says where `url`, the server that is connected to, is from.

        It is said of a context, `to_person` of a variable, which may have been set long ago, and else only `always`.
        """
        if self.context:
            return f"Connected to {url}, context {self.context!r}"
        source = self.given.get("server", "")
        if source.isupper():
            elsewhere = to_person and url != DEFAULT_URL
            return f"Connected to {url}, {source}" if always or elsewhere else ""
        return f"Connected to {url}" if always else ""

    @property
    def tls_first(self) -> bool:
        """Whether TLS begins before the server sends its INFO."""
        return "tls_handshake_first" in self.options

    @property
    def inboxes(self) -> str:
        """The subject that replies to all requesters with the same inbox prefix come on: `_INBOX.>`."""
        return f"{self.options.get('inbox_prefix', '_INBOX')}.>"


def plan(settings: Settings, environ: Mapping[str, str]) -> Plan:
    """Resolve credentials and TLS files of `settings`.

    Raises:
        InputError: a reference that cannot be resolved, a file that cannot be used, a missing extra.
    """
    options: dict[str, Any] = {"name": settings.connection_name.value or f"pynats {__version__}"}
    if settings.inbox_prefix:
        options["inbox_prefix"] = _checked_prefix(settings.inbox_prefix.value, settings.inbox_prefix.source)
    servers = settings.servers
    credentials = Credentials(settings, environ)
    options.update(credentials.options)
    if credentials.servers and settings.server.source == "default":
        servers = [complete_url(url, "nsc") for url in split_urls(credentials.servers) if url.strip()]
    if not servers:
        raise InputError("no server URL", where=settings.server.source)
    context = tls_context(settings, environ)
    if context is not None:
        options["tls"] = context
    if settings.tlsfirst:
        options["tls_handshake_first"] = True
    if any(urlsplit(url).scheme in ("ws", "wss") for url in servers):
        _check_websocket(settings, servers)
    if settings.socks_proxy:
        _check_socks(settings.socks_proxy.value, settings.socks_proxy.source)
    return Plan(
        servers=list(dict.fromkeys(servers)),  # nats-py would try one that is there twice without a pause
        options=options,
        timeout=settings.timeout.value,
        tls=context is not None or settings.tlsfirst.value,
        socks_proxy=settings.socks_proxy.value,
        context=settings.context.value,
        credentials=credentials,
        given=settings.given,
    )


def prepare(settings: Settings, environment: Environment) -> Plan:
    """`plan`, whose secrets are never shown. It may run `op` or `nsc`: not for an event loop.

    Raises:
        InputError: as `plan`.
    """
    ready = plan(settings, environment.environ)
    ready.credentials.hide_with(environment.redactor.add)
    ready.credentials.renew_context(partial(of_context, environment=environment))
    renewable_tls = may_change(settings, environment.environ)
    if not ready.credentials.can_change and not renewable_tls:
        return ready

    def read() -> dict[str, Any]:
        fresh = dict(ready.credentials.renew())
        context = tls_context(settings, environment.environ) if renewable_tls else None
        return fresh if context is None else {**fresh, "tls": context}

    from natscli.connection.renewal import Renewal

    renewal = Renewal(read, ready.timeout, ready.credentials.asked)
    return ready.replace(read_credentials=renewal.options)


def _checked_prefix(prefix: str, source: str) -> str:
    from natscli.message.subjects import check_publish_subject

    try:
        check_publish_subject(prefix.rstrip("."))
    except InputError as error:
        raise InputError(f"bad inbox prefix: {error.what}", where=source) from None
    return prefix.rstrip(".")


def _check_websocket(settings: Settings, servers: list[str]) -> None:
    schemes = {urlsplit(url).scheme for url in servers}
    if schemes - {"ws", "wss"}:
        raise InputError("ws:// and nats:// servers cannot be mixed", where=settings.server.source)
    if settings.socks_proxy:
        raise InputError("a SOCKS proxy is for nats:// and tls:// only", where=settings.socks_proxy.source)
    tls = settings.tlsca or settings.tlscert or settings.tlsfirst
    plain = [parts.netloc.rpartition("@")[2] for parts in map(urlsplit, servers) if parts.scheme == "ws"]
    if tls and plain:
        raise InputError(
            "TLS was asked for and ws:// is without it", where=tls.source, hint=f"wss://{plain[0]}"
        )
    _require("aiohttp", "ws:// and wss:// need the extra 'websocket'", "websocket", settings.server.source)
    import aiohttp

    _ = aiohttp.ClientSession  # executed here: it takes a while, which is no part of the time to connect


def _check_socks(proxy: str, source: str) -> None:
    check_login(proxy, source, "the SOCKS proxy")
    try:
        parts = urlsplit(proxy)
        sound = parts.scheme in ("socks5", "socks5h", "socks4", "http") and parts.hostname and parts.port
    except ValueError:  # the port
        sound = False
    if not sound:
        raise InputError("a SOCKS proxy is given as socks5://host:port", where=source)
    check_host(parts.hostname or "", proxy, source, "the SOCKS proxy")
    _require("python_socks", "a SOCKS proxy needs the extra 'socks'", "socks", source)


def _require(module: str, message: str, extra: str, source: str) -> None:
    from importlib.util import find_spec

    if find_spec(module) is None:
        from natscli.system.installing import extra_command

        raise InputError(message, where=source, hint=extra_command(extra))
