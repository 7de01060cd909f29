"""Settings become a connected client: credentials, TLS, the fail-fast first connection, reconnecting, notices."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from natscli import __version__
from natscli.contexts import credentials
from natscli.duration import format_duration
from natscli.errors import ConnectionFailedError, InputError, PynatsError, RefusedError, explain
from natscli.nats_py import errors as nats_errors
from natscli.transport import ProxyError
from natscli.wire import Client, ComplaintError, NotNatsError, TLSNotOfferedError

if TYPE_CHECKING:
    import ssl
    from urllib.parse import ParseResult, SplitResult

    from natscli.environment import Environment
    from natscli.settings import Settings, Value

_FIRST_RETRY, _LAST_RETRY = 0.1, 5.0


@dataclass(frozen=True)
class Plan:
    """All that is needed to connect, with every reference resolved: nothing here waits or asks any more."""

    servers: list[str]
    options: dict[str, Any]
    timeout: float
    tls: bool
    client_certificate: bool
    socks_proxy: str
    context: str


def plan(settings: Settings, environ: Mapping[str, str]) -> Plan:
    """Resolve credentials and TLS files of `settings`.

    Raises:
        InputError: a reference that cannot be resolved, a file that cannot be used, a missing extra.
    """
    servers = settings.servers
    options: dict[str, Any] = {"name": settings.connection_name.value or f"pynats {__version__}"}
    if settings.inbox_prefix:
        options["inbox_prefix"] = _checked_prefix(settings.inbox_prefix.value, settings.inbox_prefix.source)
    if settings.nsc:
        creds_file, urls = credentials.nsc_profile(settings.nsc.value, environ)
        options.update(_creds(credentials.resolve_file(creds_file, environ), settings.nsc.source))
        if settings.server.source == "default" and urls:
            servers = [url.strip() for url in urls.split(",")]
    if settings.user:
        options["user"] = settings.user.value
        options["password"] = credentials.resolve_literal(settings.password.value, environ)
    if settings.token:
        options["token"] = credentials.resolve_literal(settings.token.value, environ)
    if settings.creds:
        options.update(_creds(credentials.resolve_file(settings.creds.value, environ), settings.creds.source))
    if settings.nkey:
        seed = credentials.resolve_file(settings.nkey.value, environ)
        options["nkeys_seed_str"] = _checked_seed(seed, settings.nkey.source)
    if settings.jwt:
        options.update(_jwt(settings, environ))
    context = _tls_context(settings, environ)
    if context is not None:
        options["tls"] = context
    if settings.tlsfirst:
        options["tls_handshake_first"] = True
    schemes = {urlsplit(url).scheme for url in servers}
    if schemes & {"ws", "wss"}:
        _check_websocket(settings, schemes)
    if settings.socks_proxy:
        _check_socks(settings.socks_proxy.value, settings.socks_proxy.source)
    return Plan(
        servers=list(dict.fromkeys(servers)),  # nats-py would try one that is there twice without a pause
        options=options,
        timeout=settings.timeout.value,
        tls=context is not None or settings.tlsfirst.value,
        client_certificate=bool(settings.tlscert),
        socks_proxy=settings.socks_proxy.value,
        context=settings.context.value,
    )


def prepare(settings: Settings, environment: Environment) -> Plan:
    """`plan`, whose secrets are never shown. It may run `op` or `nsc`: not for an event loop.

    Raises:
        InputError: as `plan`.
    """
    ready = plan(settings, environment.environ)
    environment.redactor.add(*(ready.options.get(name) for name in ("password", "token", "nkeys_seed_str")))
    return ready


@asynccontextmanager
async def connected(
    ready: Plan, environment: Environment, *, listener: bool = False
) -> AsyncIterator[Connection]:
    """A connection, closed at the end. A `listener` reconnects forever, and says so.

    Raises:
        PynatsError: ConnectionFailedError or RefusedError when no server took us.
    """
    _silence_loggers()
    asyncio.get_running_loop().set_exception_handler(_unhandled(environment))
    _leave_lookups_behind(ready.servers)
    try:
        connection = await connect(ready, environment, listener=listener)
    except RefusedError as error:
        given = "pynats context info" if ready.context else "give --user and --password, --token or --creds"
        error.hint = error.hint or given
        raise
    try:
        yield connection
    finally:
        await connection.close()


def _leave_lookups_behind(servers: list[str]) -> None:
    """Names are looked up in threads, and `asyncio.run` waits for them: not for one whose time is over."""
    if all(urlsplit(url).hostname in ("127.0.0.1", "::1") for url in servers):
        return
    from concurrent.futures import ThreadPoolExecutor

    class Lookups(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
            super().shutdown(wait=False, cancel_futures=True)

    asyncio.get_running_loop().set_default_executor(Lookups(4, "lookup"))


class Connection:
    """A connected client, and what happened to it: `lost` is done when it is gone for good.

    `client.on_failure` may be called from any thread.
    """

    def __init__(self, client: Client, environment: Environment) -> None:
        self.client = client
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[PynatsError] = self._loop.create_future()
        self.on_refusal: Callable[[PynatsError], None] = self._keep_refusal
        self._url = ""
        self._environment = environment
        self._refusal: PynatsError | None = None
        client.on_failure = self._failed

    @property
    def url(self) -> str:
        """The URL of the server, without credentials; of the last one, when there is no connection."""
        uri = self.client.connected_url
        if uri is not None:
            self._url = _shown(uri)
        return self._url

    async def confirm(self) -> None:
        """Wait until the server has taken everything sent so far.

        Raises:
            RefusedError: it refused something meanwhile, such as a subscription.
            ConnectionFailedError: the connection was lost, or there was no answer in time.
        """
        try:
            await self.client.flush(timeout=5)
        except (asyncio.TimeoutError, OSError, nats_errors.Error):
            if self.lost.done():
                raise self.lost.result() from None
            raise ConnectionFailedError("the server does not answer", where=self.url) from None
        if self._refusal is not None:
            raise self._refusal

    async def close(self) -> None:
        """Close; what was sent is on its way, nothing is waited for."""
        await self.client.published()
        if not self.client.is_closed:
            with suppress(OSError):  # it was lost already; who had to know has been told
                await self.client.close()

    def gone(self, error: BaseException | None) -> None:
        """The client closed by itself."""
        if not self.lost.done():
            reason = ConnectionFailedError("the connection was lost", where=self.url)
            self.lost.set_result(reason if error is None else classify(error, self.url))

    def refused(self, error: PynatsError) -> None:
        """The server refused a publish or a subscription."""
        self.on_refusal(error)

    def _keep_refusal(self, error: PynatsError) -> None:
        self._refusal = error

    def _failed(self, error: BaseException) -> None:
        report = explain(error)
        self._loop.call_soon_threadsafe(self._give_up, PynatsError(report.message, hint=report.hint))

    def _give_up(self, error: PynatsError) -> None:
        if not self.lost.done():
            self.lost.set_result(error)


async def connect(plan: Plan, environment: Environment, *, listener: bool = False) -> Connection:
    """Try every server once, all within the timeout; the first that takes us is it.

    Raises:
        ConnectionFailedError: none could be reached. RefusedError: one refused us.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + plan.timeout
    problems: list[PynatsError] = []
    for index, url in enumerate(plan.servers):
        remaining = max(deadline - loop.time(), 0.05) / (len(plan.servers) - index)
        client = Client(require_tls=plan.tls, socks_proxy=plan.socks_proxy)
        connection = Connection(client, environment)
        events = _Events(connection, environment)
        options = {
            **plan.options,
            **events.options(),
            "connect_timeout": plan.timeout,
        }
        try:
            await asyncio.wait_for(client.connect([url], **options), remaining)
        except Exception as error:
            cause = (events.first_error if isinstance(error, asyncio.TimeoutError) else None) or error
            problems.append(_with_tls_in_mind(classify(cause, url, plan.timeout), cause, client, plan))
            client.abandon()
            if environment.trace:
                environment.warn(f"trace: {url}: {type(error).__name__}: {error}")
            continue
        except BaseException:
            client.abandon()
            raise
        events.connecting = False
        client.options["allow_reconnect"] = listener
        if len(plan.servers) > 1:
            client.set_server_pool([*plan.servers, *(uri.geturl() for uri in client.discovered_servers)])
        url = connection.url
        if environment.trace:
            info = client.server_info
            tls = client.tls_version
            environment.warn(f"trace: connected to {url}, nats-server {info.get('version')} {tls}".rstrip())
        return connection
    raise _worst(problems)


def _with_tls_in_mind(problem: PynatsError, cause: BaseException, client: Client, plan: Plan) -> PynatsError:
    """`problem`, or what it rather is, when client and server do not agree on how TLS begins."""
    if client.server_info.get("tls_verify") and not plan.client_certificate and isinstance(cause, OSError):
        # The server hangs up on who has none, and the alert that says so is often lost with it.
        return RefusedError("the server wants a TLS client certificate", where=problem.where,
                            hint="--tlscert FILE --tlskey FILE")  # fmt: skip
    if client.is_silent and not problem.hint:
        # Both wait for the other to begin, or take what comes for something else.
        problem.hint = (
            "without --tlsfirst (tls_first in a context), if the server does not begin with TLS"
            if "tls_handshake_first" in plan.options
            else "--tlsfirst, if the server begins with TLS (handshake_first)"
        )
    return problem


def _worst(problems: list[PynatsError]) -> PynatsError:
    """The problem to report: a refusal tells more than a server that is away."""
    if not problems:
        return InputError("no server URL", where="--server")
    for problem in problems:
        if isinstance(problem, RefusedError):
            return problem
    if len(problems) > 1:
        problems[0].what += f" (nor could {len(problems) - 1} more be reached)"
    return problems[0]


class _Events:
    """nats-py's callbacks for one client: failing fast while connecting, notices afterwards."""

    def __init__(self, connection: Connection, environment: Environment) -> None:
        self.connection = connection
        self.environment = environment
        self.connecting = True
        self.told_refused = False
        self.first_error: Exception | None = None

    def options(self) -> dict[str, Any]:
        """Keyword arguments for nats-py's `connect`."""
        return {
            "allow_reconnect": False,
            "max_reconnect_attempts": -1,
            "error_cb": self.error,
            "disconnected_cb": self.disconnected,
            "reconnected_cb": self.reconnected,
            "closed_cb": self.closed,
            "reconnect_to_server_handler": _next_server,
        }

    async def error(self, error: Exception) -> None:
        if self.connecting:
            self.first_error = error
            raise error  # fail fast: nats-py would try again and again
        text = str(error).lower()
        if "permissions violation" in text:
            self.connection.refused(classify(error, self.connection.url))
        elif isinstance(error, ComplaintError):
            self.environment.warn(f"the server ended the connection: {text}")
        elif isinstance(error, nats_errors.SlowConsumerError):
            self.environment.warn("requests were dropped: they came faster than they could be handled")
        elif isinstance(error, nats_errors.Error) and "authorization" in text and not self.told_refused:
            self.told_refused = True  # once: it is tried again and again
            self.environment.warn("the server refused the credentials, still trying to reconnect")
        elif self.environment.trace:
            self.environment.warn(f"trace: {type(error).__name__}: {error}")

    async def disconnected(self) -> None:
        if not self.connecting and self.connection.client.is_reconnecting:
            self.environment.say("Disconnected, reconnecting...")

    async def reconnected(self) -> None:
        self.told_refused = False
        self.environment.say(f"Reconnected to {self.connection.url}")
        dropped, self.connection.client.dropped = self.connection.client.dropped, 0
        if dropped:
            self.environment.warn(f"{dropped} replies were lost while there was no connection")

    async def closed(self) -> None:
        if not self.connecting:
            self.connection.gone(self.connection.client.last_error)


def _next_server(pool: list[Any], info: dict[str, Any]) -> tuple[Any, float]:  # noqa: ARG001
    """nats-py's reconnect handler: the server tried least, after a growing, jittered pause (seconds)."""
    server = min(pool, key=lambda s: s.reconnects)
    if server.reconnects == 0:
        return server, 0.0
    pause = min(_FIRST_RETRY * 2 ** min(server.reconnects - 1, 10), _LAST_RETRY)
    return server, pause * random.uniform(0.75, 1.25)


def _shown(url: SplitResult | ParseResult) -> str:
    """A server URL without credentials."""
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    return f"{url.scheme}://{host}" + (f":{url.port}" if url.port else "")


def classify(error: BaseException, url: str, timeout: float | None = None) -> PynatsError:
    """What an exception of nats-py, TLS or the network means to the user. `timeout` in seconds, if one ran out."""
    import ssl

    if isinstance(error, PynatsError):
        return error
    parts = urlsplit(url)
    where = _shown(parts)
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
    if isinstance(error, ConnectionRefusedError) or "connect call failed" in lower:
        local = parts.hostname in ("127.0.0.1", "localhost", "::1")
        return ConnectionFailedError(
            "nothing listens there", where=where, hint="pynats server run" if local else ""
        )
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


def _creds(data: bytes, source: str) -> dict[str, Any]:
    """nats-py options for the text of a creds file: a decorated JWT and a decorated seed."""
    from nats.aio.client import RawCredentials

    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    if "BEGIN NATS USER JWT" not in text or "BEGIN USER NKEY SEED" not in text:
        raise InputError("not a credentials file: it holds no user JWT and seed", where=source)
    _checked_seed(text.split("BEGIN USER NKEY SEED", 1)[1].encode(), source)
    return {"user_credentials": RawCredentials(text if text.endswith("\n") else f"{text}\n")}


def _jwt(settings: Settings, environ: Mapping[str, str]) -> dict[str, Any]:
    jwt = credentials.resolve_literal(settings.jwt.value, environ).strip()
    if not settings.seed:  # a bearer JWT: nothing to sign with
        return {"user_jwt_cb": lambda: jwt.encode(), "signature_cb": lambda nonce: b""}
    seed = credentials.resolve_literal(settings.seed.value, environ)
    seed = _checked_seed(seed.encode(), settings.seed.source)
    text = (
        f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
    return _creds(text.encode(), settings.jwt.source)


def _checked_seed(data: bytes, source: str) -> str:
    """The seed in a plain or decorated seed file.

    Raises:
        InputError: there is none, or it is damaged.
    """
    import nkeys

    words = [w for w in data.decode("utf-8", "replace").split() if w.startswith("S") and len(w) > 40]
    try:
        nkeys.from_seed(bytearray(words[0].encode())).wipe()
    except Exception:
        raise InputError("no valid nkey seed", where=source) from None
    return words[0]


def _tls_context(settings: Settings, environ: Mapping[str, str]) -> ssl.SSLContext | None:
    if not (settings.tlsca or settings.tlscert or settings.tlskey):
        return None
    import ssl

    if bool(settings.tlscert) != bool(settings.tlskey):
        given = settings.tlscert or settings.tlskey
        raise InputError("a TLS certificate and its key go together", where=given.source)
    context = ssl.create_default_context()

    def use(load: Callable[..., None], *files: Value[str]) -> None:
        paths = [credentials.resolve_path(file.value, environ) for file in files]
        try:
            load(*paths)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not PEM"
            reason = "not PEM, or encrypted" if "PEM lib" in reason else reason
            raise InputError(f"cannot use {' with '.join(paths)}: {reason}", where=files[0].source) from None

    if settings.tlsca:
        use(context.load_verify_locations, settings.tlsca)
    if settings.tlscert:
        # Without a password OpenSSL would ask for one.
        use(partial(context.load_cert_chain, password=""), settings.tlscert, settings.tlskey)
    return context


def _checked_prefix(prefix: str, source: str) -> str:
    from natscli.message.subjects import check_publish_subject

    try:
        check_publish_subject(prefix.rstrip("."))
    except InputError as error:
        raise InputError(f"bad inbox prefix: {error.what}", where=source) from None
    return prefix.rstrip(".")


def _check_websocket(settings: Settings, schemes: set[str]) -> None:
    if schemes - {"ws", "wss"}:
        raise InputError("ws:// and nats:// servers cannot be mixed", where=settings.server.source)
    if settings.socks_proxy:
        raise InputError("a SOCKS proxy is for nats:// and tls:// only", where=settings.socks_proxy.source)
    _require("aiohttp", "ws:// and wss:// need the extra 'websocket'", "websocket", settings.server.source)


def _check_socks(proxy: str, source: str) -> None:
    try:
        parts = urlsplit(proxy)
        sound = parts.scheme in ("socks5", "socks5h", "socks4", "http") and parts.hostname and parts.port
    except ValueError:  # the port
        sound = False
    if not sound:
        raise InputError("a SOCKS proxy is given as socks5://host:port", where=source)
    _require("python_socks", "a SOCKS proxy needs the extra 'socks'", "socks", source)


def _require(module: str, message: str, extra: str, source: str) -> None:
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise InputError(message, where=source, hint=f"pip install 'pynats-cli[{extra}]'")


def _silence_loggers() -> None:
    """Nothing of nats-py's or asyncio's own logging reaches the user; notices are ours to give."""
    for name in ("nats", "asyncio"):
        logger = logging.getLogger(name)
        logger.addHandler(logging.NullHandler())
        logger.propagate = False


def _unhandled(environment: Environment) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    def handle(loop: asyncio.AbstractEventLoop, details: dict[str, Any]) -> None:  # noqa: ARG001
        if environment.trace:
            environment.warn(f"trace: {details.get('message')}: {details.get('exception')!r}")

    return handle
