"""nats-py, made to work on whole network reads. Only this module and `transport` touch its private names.

`Client` is nats-py's client (connect, auth, TLS, ping, reconnect, subscriptions) with three changes: TLS that was
asked for is never skipped, a SOCKS proxy can be used, and a subscription may have a batch handler, which gets all
messages of one network read at once and can answer them with one write. The last needs `BatchParser` and `Transport`
in place of nats-py's own, and is used with the versions it was tested with; with any other, messages go nats-py's own
way, one at a time, through public names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import repeat
from operator import itemgetter
from time import perf_counter_ns
from typing import Any
from urllib.parse import ParseResult, unquote

from natscli import nats_py
from natscli.memory import keep_large_blocks
from natscli.message import headers
from natscli.transport import READ_SIZE, Transport

#: nats-py releases that `BatchParser` was compared with, message by message; see tests/test_wire.py.
TESTED = ((2, 15), (2, 17))

#: Bytes from which on copying costs more than anything else that is done with a message.
LARGE = 32 * 1024

#: Bytes of room that are kept for the next large message; room is up to twice what was needed.
MOST_ROOM_KEPT = 16 * 1024 * 1024

#: A message as it comes and goes: subject, reply subject, header block, payload. A tuple, because the hot path
#: makes hundreds of thousands of them a second.
Message = tuple[bytes, bytes, "bytes | None", bytes]

#: Gets all messages of one network read for a subscription, and when they arrived (`perf_counter_ns`).
BatchHandler = Callable[[list[Message], int], None]


class TLSNotOfferedError(nats_py.errors.Error):  # type: ignore[misc]
    """TLS was asked for and the server does not offer it."""


class ComplaintError(nats_py.errors.Error):  # type: ignore[misc]
    """The server ended the connection, and said why."""


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

    #: An incomplete message of more bytes than this is put together in `room`, any other in `_part`.
    read_size = READ_SIZE

    _resets = 0

    def reset(self) -> None:
        super().reset()
        self._resets += 1
        # Of an incomplete message its bytes, and how many are needed before it is worth another look.
        self._part = bytearray()
        self._least = 0
        # Of one in `room` what its control line says, that line's length, and how many bytes are needed and there.
        self._head = b"", b"", b"", 0, 0
        self._start = self._needed = self._filled = 0
        self._room = memoryview(b"")

    def room(self) -> memoryview:
        """Where to read the rest of a large message to, and what comes after it; `filled` wants to know how much.

        Empty if none has begun. It grows with what came, as the size in a control line may be a lie.
        """
        if not self._needed:
            return memoryview(b"")
        least = self._filled + self.read_size
        if len(self._room) < least:
            larger = memoryview(bytearray(2 * least))
            larger[: self._filled] = self._room[: self._filled]
            self._room = larger
        return self._room[self._filled : max(self._needed, least)]

    def filled(self, count: int) -> bytes:
        """Handle `count` bytes that were put into `room`; gives what is left of them, as `take` does."""
        self._filled += count
        if self._filled < self._needed:
            return b""
        arrived = perf_counter_ns()
        came = self._room[: self._filled]
        self._needed = self._filled = 0
        if len(self._room) > MOST_ROOM_KEPT:
            self._room = memoryview(b"")
        subject, sid, reply, header_size, size = self._head
        start, body, stop = self._start, self._start + header_size, self._start + size
        header = bytes(came[start:body]) if header_size else None
        self.nc.hand_on(sid, [(subject, reply, header, bytes(came[body:stop]))], arrived)
        return self.take(bytes(came[stop + 2 :]))

    def take(self, data: bytes) -> bytes:
        """Hand on the messages that batch handlers want, up to the first thing that is for nats-py.

        Gives what is left, from there on. A part of a message at the end is kept until the rest of it comes.
        """
        if self._needed and not (data := self._put(data)):
            return b""
        arrived = perf_counter_ns()
        large = False
        if self._part:
            self._part += data
            if len(self._part) < self._least:
                return b""
            data, large = bytes(self._part), self._least > LARGE
            self._part, self._least = bytearray(), 0
        run = None if large or not self._wants_first(data) else _plain_run(data)
        if run is not None:
            self.nc.hand_on(run[0], run[1], arrived)
            return b""
        batch: list[Message] = []
        batch_sid = b""
        position, end = 0, len(data)
        rest = b""
        while position < end:
            line_end = data.find(b"\r\n", position)
            if line_end < 0:
                break
            head = _head(data[position:line_end])
            if head is None:
                rest = data[position:]
                break
            subject, sid, reply, header_size, size = head
            start = line_end + 2
            body, stop = start + header_size, start + size
            if stop + 2 > end:
                if size > LARGE:
                    keep_large_blocks()
                self._least = stop + 2 - position
                if size > self.read_size and self.nc.wants(sid):
                    self._head, self._start = head, start - position
                    self._needed, self._least = self._least, 0
                break
            if sid != batch_sid:
                if batch:
                    self.nc.hand_on(batch_sid, batch, arrived)
                    batch = []
                if not self.nc.wants(sid):
                    rest = data[position:]
                    break
                batch_sid = sid
            batch.append((subject, reply, data[start:body] if header_size else None, data[body:stop]))
            position = stop + 2
        if batch:
            self.nc.hand_on(batch_sid, batch, arrived)
        if self._needed:
            self._put(data[position:])
        elif position < end and not rest:
            self._part += data[position:]
        return rest

    def _wants_first(self, data: bytes) -> bool:
        head = _head(data[: max(data.find(b"\r\n"), 0)])
        return head is not None and bool(self.nc.wants(head[1]))

    def _put(self, data: bytes) -> bytes:
        """Put what was read elsewhere into `room`, up to the end of the message; gives the rest."""
        while data and (room := self.room()):
            count = min(len(data), len(room), self._needed - self._filled)
            room[:count] = data[:count]
            data = self.filled(count) + data[count:]
        return data

    async def parse(self, data: bytes = b"") -> None:
        """Parse what arrived, in order: nats-py relies on a PONG coming after the messages before it.

        Raises:
            nats_py.errors.ProtocolError: it is not the NATS protocol, or cannot be handled. nats-py reconnects after
                that, and after some other errors it never reads again.
        """
        if not self.nc.is_connected:
            return  # what was read from the last connection must not go into the next
        try:
            await self._parse(data)
        except (ValueError, MemoryError) as error:
            raise nats_py.errors.ProtocolError from error

    async def _parse(self, data: bytes) -> None:
        resets = self._resets
        rest = self.take(data)
        while rest:
            end = await self._pass_on(rest)
            if resets != self._resets:
                return  # an error ended the connection: the rest must not go into the next
            rest = self.take(rest[end:])
        await self.nc.written()

    async def _pass_on(self, data: bytes) -> int:
        """Give nats-py what `take` left: a control line, or messages up to one that `take` wants; gives its end."""
        resets, end = self._resets, 0
        while resets == self._resets and (line_end := data.find(b"\r\n", end)) >= 0:
            line, start = data[end:line_end], line_end + 2
            head = _head(line)
            if head is None:
                await self._control(line)
                return start
            subject, sid, reply, header_size, size = head
            if start + size + 2 > len(data) or (end and self.nc.wants(sid)):
                break
            if not sid.isdigit():
                raise nats_py.errors.ProtocolError
            body, end = start + header_size, start + size + 2
            await self.nc._process_msg(
                int(sid), subject, reply, data[body : end - 2], data[start:body] or None
            )
        return end

    async def _control(self, line: bytes) -> None:
        operation = line.split(b" ")[0]
        if operation in (b"MSG", b"HMSG"):
            raise nats_py.errors.ProtocolError
        if operation == b"-ERR":
            # nats-py's own parser would put it into lower case, subjects too.
            await self.nc._process_err(line[len(operation) :].strip().decode("utf-8", "replace"))
            return
        # nats-py's own parser knows what to do with any other control line; it gets exactly one.
        await super().parse(line + b"\r\n")
        if self.buf:
            raise nats_py.errors.ProtocolError


def _head(line: bytes) -> tuple[bytes, bytes, bytes, int, int] | None:
    """Subject, sid, reply subject, size of the header block and of all, if it is the control line of a message."""
    words = line.split(b" ")  # other white space may be part of a subject
    count = len(words)
    if words[0] == b"MSG" and 4 <= count <= 5 and words[-1].isdigit():
        return words[1], words[2], words[3] if count == 5 else b"", 0, int(words[-1])
    if words[0] == b"HMSG" and 5 <= count <= 6 and words[-1].isdigit() and words[-2].isdigit():
        return words[1], words[2], words[3] if count == 6 else b"", int(words[-2]), int(words[-1])
    return None


def _plain_run(data: bytes) -> tuple[bytes, list[Message]] | None:
    """The sid and the messages, if `data` is whole `MSG subject sid reply size` messages of one subscription.

    That is what a busy responder reads, and C code can take it apart. Nothing in a payload can pass for a control
    line: the first line is one; if it has these five words and its size is that of the part after it, then that part
    is the whole payload, and the next line is a control line again. One without a reply subject would shift all the
    words after it, but has its size where the reply subject belongs.
    """
    if not data.startswith(b"MSG ") or not data.endswith(b"\r\n"):
        return None
    parts = data.split(b"\r\n")
    bodies = parts[1::2]
    words = b" ".join(parts[:-1:2]).split(b" ")
    count = len(bodies)
    if len(parts) != 2 * count + 1 or len(words) != 5 * count:
        return None
    sid, replies = words[2], words[3::5]
    if (
        words[::5].count(b"MSG") != count
        or words[2::5].count(sid) != count
        or any(map(bytes.isdigit, replies))
    ):
        return None
    sizes = set(zip(words[4::5], map(len, bodies), strict=True))
    if not all(size.isdigit() and int(size) == length for size, length in sizes):
        return None
    return sid, list(zip(words[1::5], replies, repeat(None), bodies, strict=False))


class _ServerURL(ParseResult):
    """A server URL with percent escapes in its user info decoded, which nats-py sends as they are.

    Without any it has what it was `lent`: nats-py tells servers apart by the text, which must stay as it is.
    """

    lent: tuple[str | None, str | None] = None, None

    @property
    def username(self) -> str | None:
        return unquote(super().username or "") or self.lent[0]

    @property
    def password(self) -> str | None:
        password = super().password
        return self.lent[1] if password is None else unquote(password)


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
        self._login: tuple[str | None, str | None] = None, None
        self._handlers: dict[bytes, tuple[Any, BatchHandler]] = {}
        self._publishing: set[asyncio.Task[None]] = set()
        if self.batches:
            self._ps = BatchParser(self)

    # -- what the rest of pynats uses ------------------------------------------------------------------------

    async def subscribe_batches(self, subject: str, queue: str, handler: BatchHandler, limit: int = 0) -> Any:
        """Subscribe; `handler` is called with the messages of each read, `limit` of them at most in all."""
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

    def abandon(self) -> None:
        """Let go of a connection that was never completed."""
        if self._transport:
            self._transport.close()

    @property
    def is_silent(self) -> bool:
        """Whether something listens there, and has not said what it is."""
        return not self.server_info and getattr(self._transport, "_io_writer", None) is not None

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

    def wants(self, sid: bytes) -> bool:
        """Whether this subscription has a batch handler."""
        return sid in self._handlers

    def hand_on(self, sid: bytes, batch: list[Message], arrived: int) -> None:
        """Give a run of messages of one subscription to its handler."""
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
        if self.is_connected and self._transport:
            await self._transport.drain()

    def _taker(self) -> BatchParser | None:
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
        said, words = err_msg.strip("'"), err_msg.lower()
        if "permissions violation" in words:
            self._err = nats_py.errors.Error(f"nats: {said}")
            await self._error_cb(self._err)
        elif (
            self.options["allow_reconnect"]
            and self.is_connected
            and not any(word in words for word in ("authorization", "authentication", "stale"))
        ):
            # nats-py would close for good, when all that a requester did was to choose a very long reply subject.
            await self._error_cb(ComplaintError(said))
            await self._process_op_err(ComplaintError(said))
        else:
            await super()._process_err(words)

    async def _connect_to_server(self, s: Any) -> None:
        s.uri = _ServerURL(*s.uri)
        if s.uri.username:
            self._login = s.uri.username, s.uri.password
        elif s.discovered:
            s.uri.lent = self._login
        if not self._transport and s.uri.scheme in ("nats", "tls") and (self.batches or self.socks_proxy):
            self._transport = Transport(self._taker, self.socks_proxy)
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
