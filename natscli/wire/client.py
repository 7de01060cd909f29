"""nats-py's client, with batch subscriptions and with corrections.

`Client` is nats-py's client (connect, auth, TLS, ping, reconnect, subscriptions) with three changes: TLS that was
asked for is never skipped, a SOCKS proxy can be used, and a subscription may have a batch handler, which gets all
messages of one network read at once and can answer them with one write. That needs `BatchParser` and `Transport`
in place of nats-py's own, and private names of nats-py; where these are not as expected, messages go nats-py's own way,
one at a time, through public names, and each correction is made only if what it needs is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from operator import itemgetter
from time import perf_counter_ns
from typing import Any
from urllib.parse import ParseResult, unquote

from natscli.message import headers
from natscli.message.message import LARGE, Message
from natscli.wire import nats_py
from natscli.wire.parser import BatchParser
from natscli.wire.protocol import encode
from natscli.wire.transport import Transport
from natscli.wire.trust import LenientTLS

#: What of the private names of nats-py is not as expected, and thus not used.
DIFFERENCES = nats_py.differences()

#: The steps of nats-py's client that are corrected, and the other private names that each correction uses.
_CORRECTIONS = {
    "_connect_to_server": ("_transport",),
    "_process_connect_init": (),
    "_process_err": ("_process_op_err", "_err", "_error_cb"),
    "_process_info": ("_current_server",),
    "_send_ping": ("_pending", "_pending_data_size", "_transport"),
}

#: Gets all messages of one network read for a subscription, and when they arrived (`perf_counter_ns`).
BatchHandler = Callable[[list[Message], int], None]


class TLSNotOfferedError(nats_py.errors.Error):  # type: ignore[misc]
    """TLS was asked for and the server does not offer it."""


class ServerError(nats_py.errors.Error):  # type: ignore[misc]
    """The server ended the connection with an error."""


class NotNatsError(nats_py.errors.Error):  # type: ignore[misc]
    """What listens on the port is not a NATS server."""


class UnsupportedError(nats_py.errors.Error):  # type: ignore[misc]
    """This nats-py cannot do what was asked for."""


class _ServerURL(ParseResult):
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


class Client(LenientTLS, nats_py.Client):  # type: ignore[misc]
    """nats-py's client with batch subscriptions; see the module's docstring."""

    # The private names of nats-py that are used here, and what they are.
    _transport: Any
    _pending: list[bytes]
    _pending_data_size: int

    def __init__(
        self, *, require_tls: bool = False, socks_proxy: str = "", batches: bool | None = None
    ) -> None:
        super().__init__()
        self.require_tls = require_tls
        self.socks_proxy = socks_proxy
        self.batches = not DIFFERENCES if batches is None else batches
        self.on_failure: Callable[[BaseException], None] = lambda error: None
        self.dropped = 0
        self._login: tuple[str | None, str | None] = None, None
        self._handlers: dict[bytes, tuple[Any, BatchHandler]] = {}
        self._publishing: set[asyncio.Task[None]] = set()
        if self.batches:
            self._ps = BatchParser(self)

    # -- what the rest of pynats uses ------------------------------------------------------------------------

    async def connect(self, servers: str | list[str] = "nats://localhost:4222", **options: Any) -> None:
        """Connect; see nats-py.

        Raises:
            UnsupportedError: TLS or a proxy is asked for, and this nats-py would go without.
        """
        urls = [servers] if isinstance(servers, str) else servers
        if (self.require_tls or any(url.startswith("tls://") for url in urls)) and not _corrected(
            "_process_info"
        ):
            raise UnsupportedError(f"TLS cannot be enforced with nats-py {nats_py.version}")
        if self.socks_proxy and not _own_transport():
            raise UnsupportedError(f"a SOCKS proxy cannot be used with nats-py {nats_py.version}")
        await super().connect(servers, **options)

    async def flush(self, timeout: float = 10) -> None:
        """Wait until the server has taken all that was sent; see nats-py."""
        if not _corrected("_send_ping"):
            await super().flush(timeout)  # the first PING overtakes what was sent before it
        await super().flush(timeout)

    async def subscribe_batches(self, subject: str, queue: str, handler: BatchHandler, limit: int = 0) -> Any:
        """Subscribe; `handler` is called with the messages of each read, `limit` of them at most in all.

        Subscriptions with the same handler, and without a limit, may have their messages in one batch.
        """
        if self.batches:
            subscription = await self.subscribe(subject, queue=queue)
            self._handlers[b"%d" % subscription._id] = (subscription, handler)
        else:

            async def one(message: Any) -> None:
                handler([_from_nats_py(message)], perf_counter_ns())

            subscription = await self.subscribe(subject, queue=queue, cb=one)
        if limit:
            await subscription.unsubscribe(limit=limit)
        return subscription

    def send(self, messages: list[Message], too_large: Callable[[Message], Message] | None = None) -> None:
        """Write `messages` at once. While reconnecting they are kept, as many as fit; the rest counts as dropped.

        With `too_large`, what it gives is sent instead of a message that has more than `max_payload` bytes.
        """
        data = encode(messages) if self.batches else b""
        if too_large is not None and (len(data) > self.max_payload or not self.batches):
            most = self.max_payload  # only looked for when all together have more
            messages = [m if len(m[3]) + len(m[2] or b"") <= most else too_large(m) for m in messages]
            data = encode(messages)
        if not self.batches:
            self._publish_later(messages)
            return
        self.stats["out_msgs"] += len(messages)
        self.stats["out_bytes"] += len(data)
        if not self._pending and self.is_connected and isinstance(self._transport, nats_py.TcpTransport):
            # asyncio copies what the socket does not take yet: twice, unless it gets a view.
            self._transport.write(memoryview(data) if len(data) > LARGE else data)
            return
        if not self.is_connected and self._pending_data_size + len(data) > self._max_pending_size:
            self.dropped += len(messages)
            return
        self._pending.append(data)
        self._pending_data_size += len(data)
        if self._flush_queue is not None and self._flush_queue.empty() and self.is_connected:
            self._flush_queue.put_nowait(asyncio.get_running_loop().create_future())

    @property
    def why_plain(self) -> str:
        """Why messages are handled one at a time, through public names of nats-py."""
        names = ", ".join(sorted(DIFFERENCES)) or "as asked for"
        return f"only public names of nats-py {nats_py.version} are used, without repeated headers ({names})"

    def discard(self) -> None:
        """Close a connection that was never completed."""
        transport = getattr(self, "_transport", None)
        if transport:
            transport.close()

    @property
    def is_silent(self) -> bool:
        """Whether something accepted the connection and has sent no INFO."""
        return not self.server_info and self._writer() is not None

    @property
    def server_info(self) -> dict[str, Any]:
        """The INFO of the server."""
        info = getattr(self, "_server_info", None)
        return dict(info) if isinstance(info, dict) else {}

    @property
    def reads(self) -> tuple[int, int]:
        """How many reads of this connection left something behind in the socket, and how many emptied it."""
        full, emptied = getattr(getattr(self, "_transport", None), "reads", (0, 0))
        return full, emptied

    @property
    def steps(self) -> dict[str, int]:
        """When the connection came to what, see `Transport`; nothing over WebSockets."""
        return dict(getattr(getattr(self, "_transport", None), "steps", {}))

    @property
    def tls_version(self) -> str:
        """`TLSv1.3` and the like, or an empty string for a connection in the clear."""
        writer = self._writer()
        ssl_object = writer.get_extra_info("ssl_object") if writer is not None else None
        if ssl_object is not None:
            return str(ssl_object.version() or "TLS")
        return "TLS" if getattr(getattr(self, "_transport", None), "_using_tls", False) else ""

    def _writer(self) -> Any:
        return getattr(getattr(self, "_transport", None), "_io_writer", None)

    # -- called by the parser --------------------------------------------------------------------------------

    def has_handler(self, sid: bytes) -> bool:
        """Whether this subscription has a batch handler."""
        return sid in self._handlers

    def same_handler(self, sid: bytes, other: bytes) -> bool:
        """Whether messages of two subscriptions can be in one batch: both are without a limit."""
        first, second = self._handlers.get(sid), self._handlers.get(other)
        if first is None or second is None or first[1] is not second[1]:
            return False
        return not (first[0]._max_msgs or second[0]._max_msgs)

    def deliver(self, sid: bytes, batch: list[Message], arrived: int) -> None:
        """Give messages of one subscription to its handler."""
        subscription, handler = self._handlers[sid]
        if subscription._id not in self._subs:
            return
        self.stats["in_msgs"] += len(batch)
        self.stats["in_bytes"] += sum(map(len, map(itemgetter(3), batch)))
        subscription._received += len(batch)
        if 0 < subscription._max_msgs <= subscription._received:
            self._subs.pop(subscription._id, None)
            batch = batch[: len(batch) - (subscription._received - subscription._max_msgs)]
        try:
            handler(batch, arrived)
        except Exception as error:
            self.on_failure(error)

    async def written(self) -> None:
        """Wait until the socket takes more, so that a slow network stops reading, not memory."""
        if self.batches and self.is_connected and self._transport:
            await self._transport.drain()

    def _read_handler(self) -> BatchParser | None:
        return self._ps if self.batches and self.is_connected else None

    # -- nats-py's own steps, corrected ----------------------------------------------------------------------

    async def _send_ping(self, future: asyncio.Future[bool] | None = None) -> None:
        # nats-py writes the PING at once and leaves what was sent before it, a SUB or an UNSUB, to a task that runs
        # later: the PONG would not confirm it, and draining would lose messages.
        if self._pending and self._transport and self.is_connected:
            pending, self._pending, self._pending_data_size = self._pending, [], 0
            self._transport.writelines(pending)
        await super()._send_ping(future)

    async def _process_err(self, err_msg: str) -> None:
        text, words = err_msg.strip("'"), err_msg.lower()
        if "permissions violation" in words:
            self._err = nats_py.errors.Error(f"nats: {text}")
            await self._error_cb(self._err)
        elif (
            self.options["allow_reconnect"]
            and self.is_connected
            and not any(word in words for word in ("authorization", "authentication", "stale"))
        ):
            # nats-py would close for good, when all that a requester did was to choose a very long reply subject.
            await self._error_cb(ServerError(text))
            await self._process_op_err(ServerError(text))
        else:
            await super()._process_err(words)

    async def _connect_to_server(self, s: Any) -> None:
        s.uri = _ServerURL(*s.uri)
        if s.uri.username:
            self._login = s.uri.username, s.uri.password
        elif s.discovered:
            s.uri.default_login = self._login
        ours = self.batches or self.socks_proxy
        if not self._transport and s.uri.scheme in ("nats", "tls") and ours:
            self._transport = Transport(self._read_handler, self.socks_proxy)
        try:
            await super()._connect_to_server(s)
        except (OSError, asyncio.TimeoutError, nats_py.errors.Error):
            raise
        except Exception as error:  # aiohttp's own: nats-py would stop reconnecting, for good
            raise ConnectionError(str(error)) from error

    async def _process_connect_init(self) -> None:
        try:
            await super()._process_connect_init()
        except (ValueError, TypeError, AssertionError, AttributeError) as error:
            if isinstance(error, OSError):  # a certificate that is not trusted is both
                raise
            raise NotNatsError("it is not a NATS server") from error

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        # nats-py connects in the clear to a tls:// server that only offers TLS, or none; credentials would follow.
        scheme = self._current_server.uri.scheme if self._current_server else ""
        if (
            initial_connection
            and (self.require_tls or scheme == "tls")
            and scheme not in ("ws", "wss")
            and not info.get("tls_required")
            and not self.options.get("tls_handshake_first")
        ):
            if not info.get("tls_available"):
                raise TLSNotOfferedError("the server does not offer TLS")
            info["tls_required"] = True
        await super()._process_info(info, initial_connection)

    def _publish_later(self, messages: list[Message]) -> None:
        async def publish() -> None:
            for subject, reply, header, payload in messages:
                pairs = dict(headers.decode(header)) if header else None
                try:
                    await self.publish(subject.decode(), payload, reply.decode(), pairs)
                except nats_py.errors.OutboundBufferLimitError:
                    self.dropped += 1
                except Exception as error:
                    self.on_failure(error)

        task = asyncio.get_running_loop().create_task(publish())
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def published(self) -> None:
        """Wait until everything given to `send` is on its way."""
        while self._publishing:
            await asyncio.gather(*self._publishing)


def _corrected(step: str) -> bool:
    """Whether this step of nats-py's client is corrected."""
    return not DIFFERENCES.intersection(f"Client.{name}" for name in (step, *_CORRECTIONS[step]))


def _own_transport() -> bool:
    """Whether `Transport` can take the place of nats-py's own."""
    return _corrected("_connect_to_server") and not any(n.startswith("TcpTransport.") for n in DIFFERENCES)


for _step in _CORRECTIONS:
    if not _corrected(_step):
        delattr(Client, _step)


def _from_nats_py(message: Any) -> Message:
    pairs = dict(message.headers or {})
    status = pairs.pop("Status", "")
    block = headers.encode(pairs.items())
    if status:
        block = b"%b %b\r\n%b" % (headers.LINE, status.encode(), block[len(headers.LINE) + 2 :] or b"\r\n")
    return message.subject.encode(), message.reply.encode(), block or None, message.data
