"""nats-py, made to work on whole network reads. The one module that touches its private names.

`Client` is nats-py's client (connect, auth, TLS, ping, reconnect, subscriptions) with three changes: TLS that was
asked for is never skipped, a SOCKS proxy can be used, and a subscription may have a batch handler, which gets all
messages of one network read at once and can answer them with one write. The last needs `BatchParser` in place of
nats-py's parser, and is used with the versions it was tested with; with any other, messages go nats-py's own way, one
at a time, through public names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import repeat
from operator import itemgetter
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from natscli import nats_py
from natscli.message import headers

if TYPE_CHECKING:
    from urllib.parse import ParseResult

#: nats-py releases that `BatchParser` was compared with, message by message; see tests/test_wire.py.
TESTED = ((2, 14), (2, 17))

#: A message as it comes and goes: subject, reply subject, header block, payload. A tuple, because the hot path
#: makes hundreds of thousands of them a second.
Message = tuple[bytes, bytes, "bytes | None", bytes]

#: Gets all messages of one network read for a subscription, and when they arrived (`perf_counter_ns`).
BatchHandler = Callable[[list[Message], int], None]


class TLSNotOfferedError(nats_py.errors.Error):  # type: ignore[misc]
    """TLS was asked for and the server does not offer it."""


class NotNatsError(nats_py.errors.Error):  # type: ignore[misc]
    """What listens on the port does not speak the NATS protocol."""


def batches_supported(version: str = nats_py.version) -> bool:
    """Whether this nats-py is one whose private names `BatchParser` knows."""
    try:
        major_minor = tuple(int(part) for part in version.split(".")[:2])
    except ValueError:
        return False
    return TESTED[0] <= major_minor < TESTED[1]


def encode(messages: list[Message]) -> bytes:
    """PUB and HPUB commands for `messages`, in order."""
    if not messages:
        return b""
    subjects, replies, blocks, payloads = zip(*messages, strict=True)
    if payloads.count(payloads[0]) == len(payloads) and not any(replies) and not any(blocks):
        # The same to many, as a mock answers: nothing but the subjects differs.
        end = b" %d\r\n%b\r\n" % (len(payloads[0]), payloads[0])
        return b"PUB " + (end + b"PUB ").join(subjects) + end
    return b"".join(
        [
            b"PUB %b %d\r\n%b\r\n" % (subject, len(payload), payload)
            if not header and not reply
            else _encode_one(subject, reply, header, payload)
            for subject, reply, header, payload in messages
        ]
    )


def _encode_one(subject: bytes, reply: bytes, header: bytes | None, payload: bytes) -> bytes:
    reply = reply + b" " if reply else b""
    if not header:
        return b"PUB %b %b%d\r\n%b\r\n" % (subject, reply, len(payload), payload)
    size = len(header)
    return b"HPUB %b %b%d %d\r\n%b%b\r\n" % (subject, reply, size, size + len(payload), header, payload)


class BatchParser(nats_py.Parser):  # type: ignore[misc]
    """nats-py's parser, for whole reads: walks over the bytes that came and hands on runs of messages."""

    def reset(self) -> None:
        super().reset()
        self._chunks: list[bytes] = []
        self._size = 0
        self._needed = 0

    async def parse(self, data: bytes = b"") -> None:
        """Parse what arrived; an incomplete message is kept until the rest of it came.

        Raises:
            nats_py.errors.ProtocolError: it is not the NATS protocol.
        """
        arrived = perf_counter_ns()
        if self._chunks:
            # Large messages come in many reads: put them together once, when all is there.
            self._chunks.append(data)
            self._size += len(data)
            if self._size < self._needed:
                return
            data = b"".join(self._chunks)
            self._chunks = []
        run = _plain_run(data)
        if run is not None:
            await self.nc.dispatch(run[0], run[1], arrived)
            await self.nc.written()
            return
        batch: list[Message] = []
        batch_sid = b""
        position, end, needed = 0, len(data), 0
        find = data.find
        while position < end:
            line_end = find(b"\r\n", position)
            if line_end < 0:
                break
            words = data[position:line_end].split(b" ")  # other white space may be part of a subject
            count = len(words)
            if (
                count >= 4
                and words[-1].isdigit()
                and (
                    (words[0] == b"MSG" and count <= 5)
                    or (words[0] == b"HMSG" and 5 <= count <= 6 and words[-2].isdigit())
                )
            ):
                subject, sid, size = words[1], words[2], int(words[-1])
                if words[0] == b"MSG":
                    reply, header_size = words[3] if count == 5 else b"", 0
                else:
                    reply, header_size = words[3] if count == 6 else b"", int(words[-2])
                start = line_end + 2
                stop = start + size
                if stop + 2 > end:
                    needed = stop + 2 - position
                    break
                if sid != batch_sid:
                    if batch:
                        await self.nc.dispatch(int(batch_sid), batch, arrived)
                        batch = []
                    if not sid.isdigit():
                        raise nats_py.errors.ProtocolError
                    batch_sid = sid
                if header_size:
                    body = start + header_size
                    batch.append((subject, reply, data[start:body], data[body:stop]))
                else:
                    batch.append((subject, reply, None, data[start:stop]))
                position = stop + 2
                continue
            if batch:
                # Whatever came before a PONG is handled before it: draining relies on that order.
                await self.nc.dispatch(int(batch_sid), batch, arrived)
                batch = []
            if words[0] in (b"MSG", b"HMSG"):
                raise nats_py.errors.ProtocolError
            # nats-py's own parser knows what to do with any other control line; it gets exactly one.
            await super().parse(data[position : line_end + 2])
            if self.buf:
                raise nats_py.errors.ProtocolError
            position = line_end + 2
        if batch:
            await self.nc.dispatch(int(batch_sid), batch, arrived)
        if position < end:
            self._chunks = [data[position:] if position else data]
            self._size = end - position
            self._needed = needed or self._size + 1
        await self.nc.written()


def _plain_run(data: bytes) -> tuple[int, list[Message]] | None:
    """The sid and the messages, if `data` is whole `MSG subject sid reply size` messages of one subscription.

    That is what a busy responder reads, and C code can take it apart. A line break within a payload makes the part
    after it shorter than its control line says, so a split in the wrong place cannot go unseen.
    """
    if not data.startswith(b"MSG ") or not data.endswith(b"\r\n"):
        return None
    parts = data.split(b"\r\n")
    if len(parts) % 2 == 0:  # the line break after the last payload is still to come
        return None
    bodies = parts[1::2]
    try:
        kinds, subjects, sids, replies, sizes = zip(*[line.split(b" ") for line in parts[:-1:2]], strict=True)
        if list(map(int, sizes)) != list(map(len, bodies)) or set(kinds) != {b"MSG"} or len(set(sids)) != 1:
            return None
        return int(sids[0]), list(zip(subjects, replies, repeat(None), bodies, strict=False))
    except ValueError:
        return None


class SocksTransport(nats_py.TcpTransport):  # type: ignore[misc]
    """A TCP transport that connects through a SOCKS proxy."""

    def __init__(self, proxy: str) -> None:
        super().__init__()
        self._proxy_url = proxy

    def __bool__(self) -> bool:
        return True  # or nats-py makes one of its own

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: float) -> None:
        from python_socks import ProxyError
        from python_socks.async_.asyncio import Proxy

        try:
            sock = await Proxy.from_url(self._proxy_url).connect(
                uri.hostname, uri.port, timeout=connect_timeout
            )
        except ProxyError as error:
            raise OSError(f"the SOCKS proxy cannot connect: {error}") from error
        reader, writer = await asyncio.open_connection(sock=sock, limit=buffer_size)
        self._bare_io_reader = self._io_reader = reader
        self._bare_io_writer = self._io_writer = writer


class Client(nats_py.Client):  # type: ignore[misc]
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
        self.batches = batches_supported() if batches is None else batches
        self.on_failure: Callable[[BaseException], None] = lambda error: None
        self.dropped = 0
        self._handlers: dict[int, BatchHandler] = {}
        self._publishing: set[asyncio.Task[None]] = set()
        if self.batches:
            self._ps = BatchParser(self)

    # -- what the rest of pynats uses ------------------------------------------------------------------------

    async def subscribe_batches(self, subject: str, queue: str, handler: BatchHandler, limit: int = 0) -> Any:
        """Subscribe; `handler` is called with the messages of each read, `limit` of them at most in all."""
        if self.batches:
            subscription = await self.subscribe(subject, queue=queue)
            self._handlers[subscription._id] = handler
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
            self._transport.write(data)
            return
        if not self.is_connected and self._pending_data_size + len(data) > self._max_pending_size:
            self.dropped += len(messages)
            return
        self._pending.append(data)
        self._pending_data_size += len(data)
        if self._flush_queue is not None and self._flush_queue.empty() and self.is_connected:
            self._flush_queue.put_nowait(asyncio.get_running_loop().create_future())

    def abandon(self) -> None:
        """Let go of a connection that was never completed."""
        if self._transport:
            self._transport.close()

    @property
    def server_info(self) -> dict[str, Any]:
        """What the server said of itself in INFO."""
        return dict(self._server_info) if isinstance(self._server_info, dict) else {}

    @property
    def tls_version(self) -> str:
        """`TLSv1.3` and the like, or an empty string for a connection in the clear."""
        writer = getattr(self._transport, "_io_writer", None)
        ssl_object = writer.get_extra_info("ssl_object") if writer is not None else None
        if ssl_object is not None:
            return str(ssl_object.version() or "TLS")
        return "TLS" if getattr(self._transport, "_using_tls", False) else ""

    # -- called by the parser --------------------------------------------------------------------------------

    async def dispatch(self, sid: int, batch: list[Message], arrived: int) -> None:
        """Hand a run of messages of one subscription to its handler, or one by one to nats-py."""
        handler = self._handlers.get(sid)
        if handler is None:
            for subject, reply, header, payload in batch:
                await self._process_msg(sid, subject, reply, payload, header)
            return
        subscription = self._subs.get(sid)
        if subscription is None:
            return
        self.stats["in_msgs"] += len(batch)
        self.stats["in_bytes"] += sum(map(len, map(itemgetter(3), batch)))
        subscription._received += len(batch)
        if 0 < subscription._max_msgs <= subscription._received:
            self._subs.pop(sid, None)
        try:
            handler(batch, arrived)
        except Exception as error:
            self.on_failure(error)

    async def written(self) -> None:
        """Wait until the socket takes more, so that a slow network stops reading, not memory."""
        if self.is_connected and self._transport:
            await self._transport.drain()

    # -- nats-py's own steps, corrected ----------------------------------------------------------------------

    async def _send_ping(self, future: asyncio.Future[bool] | None = None) -> None:
        # nats-py writes the PING at once and leaves what was sent before it, a SUB or an UNSUB, to a task that runs
        # later: the PONG would not confirm it, and draining would lose messages.
        if self._pending and self._transport and self.is_connected:
            pending, self._pending, self._pending_data_size = self._pending, [], 0
            self._transport.writelines(pending)
        await super()._send_ping(future)

    async def _connect_to_server(self, s: Any) -> None:
        if self.socks_proxy and not self._transport:
            self._transport = SocksTransport(self.socks_proxy)
        await super()._connect_to_server(s)

    async def _process_connect_init(self) -> None:
        try:
            await super()._process_connect_init()
        except (ValueError, TypeError, AssertionError, AttributeError) as error:
            if isinstance(error, OSError):  # a certificate that is not trusted is both
                raise
            raise NotNatsError("the server does not speak NATS") from error

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


def _from_nats_py(message: Any) -> Message:
    pairs = dict(message.headers or {})
    status = pairs.pop("Status", "")
    block = headers.encode(pairs.items())
    if status:
        block = b"%b %b\r\n%b" % (headers.LINE, status.encode(), block[len(headers.LINE) + 2 :] or b"\r\n")
    return message.subject.encode(), message.reply.encode(), block or None, message.data
