"""nats-py's client, with batch subscriptions and with corrections.

`Client` is nats-py's client with changes: a login and a way to the next connection of our own (`LoggingIn`,
`Reconnecting`), a SOCKS proxy, and subscriptions that may have a batch handler, which gets all messages of one network
read at once and can answer them with one write. That needs private names of nats-py; where these are not as expected,
none of it is used: messages go nats-py's own way, one at a time, through public names.
"""

from __future__ import annotations

import asyncio
from time import perf_counter_ns
from typing import Any

from natscli.message.message import LARGE, Message
from natscli.system.waiting import within
from natscli.wire import nats_py
from natscli.wire.delivering import BatchHandler, Delivering
from natscli.wire.login import LoggingIn
from natscli.wire.parser import BatchParser
from natscli.wire.protocol import Instead, Kept, encode, line_length
from natscli.wire.reconnect import Reconnecting
from natscli.wire.transport import ProxyError
from natscli.wire.trust import LenientTLS

#: What of the private names of nats-py is not as expected; if anything, no private name is used.
DIFFERENCES = nats_py.differences()

#: Bytes of a control line that nats-server takes unless `max_control_line` says otherwise; its INFO does not tell.
MAX_CONTROL_LINE = 4096
#: Bytes that a control line has around its subjects, at most: the sizes.
_AROUND = 24
#: The first version of nats-server that traces messages.
_FIRST_TRACING = (2, 11)


class UnsupportedError(nats_py.errors.Error):  # type: ignore[misc]
    """This nats-py cannot do what was asked for."""


class Client(LenientTLS, Delivering):
    """nats-py's client with batch subscriptions; see the module's docstring."""

    def __init__(
        self, *, require_tls: bool = False, socks_proxy: str = "", batches: bool | None = None
    ) -> None:
        super().__init__(require_tls=require_tls, socks_proxy=socks_proxy)
        self.batches = not DIFFERENCES if batches is None else batches
        self.dropped = 0
        self._publishing: set[asyncio.Task[None]] = set()
        # Bytes of the longest subject sent to others' choice and to our own, and of the longest the server takes.
        self._longest_reply = self._longest_own = 0
        self._longest_taken = 1 << 30
        if self.batches:
            self._ps = BatchParser(self)

    # -- what the rest of pynats uses ------------------------------------------------------------------------

    async def connect(self, servers: str | list[str] = "nats://localhost:4222", **options: Any) -> None:
        """Connect; see nats-py.

        Raises:
            UnsupportedError: TLS or a proxy is asked for, and this nats-py would go without.
        """
        if DIFFERENCES:
            urls = [servers] if isinstance(servers, str) else servers
            if self.require_tls or any(url.startswith("tls://") for url in urls):
                raise UnsupportedError(f"TLS cannot be enforced with nats-py {nats_py.version}")
            if self.socks_proxy:
                raise UnsupportedError(f"a SOCKS proxy cannot be used with nats-py {nats_py.version}")
        await super().connect(servers, **options)

    def know(self, urls: list[str]) -> None:
        """Reconnect to these servers too; with public names only, to those that the cluster tells of."""
        if not DIFFERENCES:
            super().know(urls)

    async def flush(self, timeout: float = 10) -> None:
        """Wait until the server has taken all that was sent.

        Raises:
            nats.errors.Error: the connection is lost, or there was no answer within `timeout` seconds.
        """
        if DIFFERENCES:
            await super().flush(timeout)  # the first PING overtakes what was sent before it
            await super().flush(timeout)
            return
        if not self.is_connected:
            closed = self.is_closed or not self.is_reconnecting
            raise (
                nats_py.errors.ConnectionClosedError if closed else nats_py.errors.ConnectionReconnectingError
            )
        pong: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        await self._send_ping(pong)
        try:
            await within(timeout, pong)
        except asyncio.TimeoutError:
            raise nats_py.errors.FlushTimeoutError from None

    async def drain(self) -> None:
        """Unsubscribe, wait for what is being handled, and close; see nats-py, which drops a cancellation here."""
        await within(None, super().drain())

    async def subscribe_batches(
        self, subject: str, queue: str, handler: BatchHandler, limit: int = 0, *, sort: bool = False,
        key: int | None = None,
    ) -> Any:  # fmt: skip
        """Subscribe; `handler` is called with the messages of each read, `limit` of them at most in all.

        Subscriptions with the same handler, and without a limit, may have their messages in one batch. With `sort`,
        those of a read come together, though messages of other subscriptions came between them, or with `key` go to
        `together`.
        """
        if self.batches:
            subscription = await self.subscribe(subject, queue=queue)
            sid = b"%d" % subscription._id
            self._handlers[sid] = (subscription, handler)
            if sort:
                self.sorted_sids.add(sid)
            if key is not None:
                self.keys[sid] = key
        else:
            from natscli.wire import plain

            async def one(message: Any) -> None:
                handler([plain.received(message)], perf_counter_ns())

            subscription = await self.subscribe(subject, queue=queue, cb=one)
        if limit:
            await subscription.unsubscribe(limit=limit)
        return subscription

    def send(self, messages: list[Message], instead: Instead | None = None) -> None:
        """Write `messages` at once. While reconnecting they are kept, as many as fit; the rest counts as dropped.

        With `instead`, they go to subjects that others chose, and it is asked about those that do not fit: now, or when
        a server is there that takes less than the one before. Without, those of the latter count as dropped too.
        """
        if not messages:
            return
        if not self.batches:
            self._publish_later(self._fitting(messages, instead) if instead is not None else messages)
            return
        data = self._encoded(messages, instead)
        self.stats["out_msgs"] += len(messages)
        self.stats["out_bytes"] += len(data)
        if not self._pending and self.is_connected and isinstance(self._transport, nats_py.TcpTransport):
            # asyncio copies what the socket does not take yet: twice, unless it gets a view.
            self._transport.write(memoryview(data) if len(data) > LARGE else data)
            return
        if not self.is_connected and self._pending_data_size + len(data) > self._max_pending_size:
            self.dropped += len(messages)
            return
        self._pending.append(Kept.of(data, messages, instead))
        self._pending_data_size += len(data)
        if self._flush_queue is not None and self._flush_queue.empty() and self.is_connected:
            self._flush_queue.put_nowait(asyncio.get_running_loop().create_future())

    def _encoded(self, messages: list[Message], instead: Instead | None, *, again: bool = False) -> bytes:
        """The bytes of `messages`, or of what is sent instead of those that do not fit; our own did, if not `again`."""
        data, longest = encode(messages)
        if (again or instead is not None) and (
            not self.takes_headers
            or longest + len(messages[0][1]) + _AROUND > min(self._longest_taken, MAX_CONTROL_LINE)
            or len(data) > self._max_payload
        ):
            data, longest = encode(self._fitting(messages, instead or self._drop))
        if instead is None:
            self._longest_own = max(self._longest_own, longest)
        elif longest > self._longest_reply:
            self._longest_reply = longest
        return data

    def unfit(self, header: bytes | None, payload: bytes) -> str:
        """Why the server would not take a message, as the end of a sentence; an empty string if it would."""
        size = len(payload) + len(header or b"")
        if size > self.max_payload:
            return f"has {size} bytes, the server takes {self.max_payload}"
        if header and not self.takes_headers:
            return "has headers, the server supports none (before 2.2, or no_header_support)"
        return ""

    def why_untraced(self) -> str:
        """Why the server would trace no message, but deliver it (ADR-41); an empty string if it traces."""
        version = str(self.server_info.get("version", ""))
        numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
        if numbers < _FIRST_TRACING:
            return f"nats-server {version} traces no messages, 2.11 and newer do"
        return "" if self.takes_headers else "the server supports no headers, and so traces no messages"

    def _fitting(self, messages: list[Message], instead: Instead) -> list[Message]:
        """What is sent of messages, some of which may not fit."""
        fitting = [instead(m, why) if (why := self._why_not(m)) else m for m in messages]
        return [message for message in fitting if message is not None]

    def fitting(self, message: Message) -> Message | None:
        """`message`, if the server takes it."""
        return None if self._why_not(message) else message

    def _why_not(self, message: Message) -> str:
        return self._too_long(message) or self.unfit(message[2], message[3])

    def _too_long(self, message: Message) -> str:
        """Why the control line of a message would end the connection: it is longer than that of the request was."""
        subject = len(message[0])
        # A server that has delivered a longer one than it takes by default takes more.
        usual = subject + len("s ") + len(" 0") <= MAX_CONTROL_LINE < line_length(message)
        if usual or subject > self._longest_taken:
            return f"has a subject of {subject} bytes, which does not fit into max_control_line"
        return ""

    def _drop(self, message: Message, why: str) -> None:  # noqa: ARG002
        self.dropped += 1

    def _shortened(self) -> bool:
        ours = max((len(s._subject) + len(s._queue or "") for s in self._subs.values()), default=0)
        if self._longest_reply <= max(ours, self._longest_own):
            return False
        self._longest_taken, self._longest_reply = self._longest_reply - 1, 0
        return True

    def _sends_own(self) -> bool:
        return super()._sends_own() or (self._longest_own > 0 and not self._longest_reply)

    @property
    def why_plain(self) -> str:
        """Why messages are handled one at a time, through public names of nats-py."""
        names = ", ".join(sorted(DIFFERENCES)) or "as asked for"
        return f"only public names of nats-py {nats_py.version} are used, without repeated headers ({names})"

    async def discard(self) -> None:
        """Close a connection that was never completed."""
        transport = getattr(self, "_transport", None)
        if transport:
            transport.close()
            if not DIFFERENCES:
                await self._hang_up()

    @property
    def trying_url(self) -> str:
        """The URL, with credentials, of the server that is connected to, or tried."""
        server = getattr(self, "_current_server", None)
        return str(server.uri.geturl()) if server is not None else ""

    @property
    def is_silent(self) -> bool:
        """Whether something accepted the connection and has sent no INFO."""
        return not self.server_info and self._writer() is not None

    def has_reached(self, error: BaseException) -> bool:
        """Whether something took the connection that failed with `error`."""
        if self._writer() is not None or getattr(getattr(self, "_transport", None), "_ws", None) is not None:
            return True
        # aiohttp's own errors, but for that of a connection that was not made, come as causes.
        is_proxy = isinstance(error, ProxyError)
        return error.__cause__ is not None and not is_proxy and not hasattr(error, "os_error")

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

    # -- called by the transport -----------------------------------------------------------------------------

    async def written(self) -> None:
        """Wait until the socket takes more, so that a slow network stops reading, not memory."""
        if self.batches and self.is_connected and self._transport:
            await self._transport.drain()

    def _read_handler(self) -> BatchParser | None:
        return self._ps if self.batches and self.is_connected else None

    # -- nats-py's own steps, corrected ----------------------------------------------------------------------

    async def _log_in(self, lines: Any) -> bytes:
        rest = await super()._log_in(lines)
        # What waited was made for the server before, which may have taken more than this one does.
        waiting, self._pending = self._pending, []
        for data in waiting:
            fitting = (
                self._encoded(data.messages, data.instead, again=True) if isinstance(data, Kept) else data
            )
            if fitting:
                self._pending.append(data if fitting == data else fitting)
        self._pending_data_size = sum(map(len, self._pending))
        return rest

    async def _send_ping(self, future: asyncio.Future[bool] | None = None) -> None:
        # nats-py writes the PING at once and leaves what was sent before it, a SUB or an UNSUB, to a task that runs
        # later: the PONG would not confirm it, and draining would lose messages.
        if self._pending and self._transport and self.is_connected:
            pending, self._pending, self._pending_data_size = self._pending, [], 0
            self._transport.writelines(pending)
        await super()._send_ping(future)

    async def _process_pong(self) -> None:
        # nats-py's reading ends with an exception, silently, when this is the PONG of a flush that was given up.
        if self._pongs:
            pong = self._pongs.pop(0)
            if not pong.done():
                pong.set_result(True)
        self._pongs_received += 1
        self._pings_outstanding = 0

    async def _flush_pending(self, force_flush: bool = False) -> None:
        # nats-py drops a cancellation here.
        if not self.is_connected or self._flush_queue is None:
            return
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self._flush_queue.put(written)
        if force_flush:
            try:
                await within(self._flush_timeout, written)
            except asyncio.TimeoutError:
                await self._error_cb(nats_py.errors.FlushTimeoutError())

    def _publish_later(self, messages: list[Message]) -> None:
        from natscli.wire import plain

        async def publish() -> None:
            self.dropped += await plain.publish(self, messages, self.on_failure)

        task = asyncio.get_running_loop().create_task(publish())
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def published(self) -> None:
        """Wait until everything given to `send` is on its way."""
        while self._publishing:
            await asyncio.gather(*self._publishing, return_exceptions=True)  # one may have been cancelled


if DIFFERENCES:
    for _owner in (LoggingIn, Reconnecting, Delivering, Client):
        for _name in [
            n for n in vars(_owner) if n[:1] == "_" and n[:2] != "__" and hasattr(nats_py.Client, n)
        ]:
            delattr(_owner, _name)
