"""nats-py's parser, for whole reads: messages are delivered in batches, not one at a time."""

from __future__ import annotations

from itertools import repeat
from time import perf_counter_ns

from natscli.message.message import LARGE, Message
from natscli.system.memory import keep_large_blocks
from natscli.text import for_programs
from natscli.wire import nats_py
from natscli.wire.transport import READ_SIZE

#: Bytes of room that are kept for the next large message; room is up to twice what was needed.
MOST_ROOM_KEPT = 16 * 1024 * 1024

#: A read of up to this number of bytes holds a message or two: walking over them is faster than taking a run apart.
_SHORT = 256

#: Subject, sid, reply subject, size of the header block and of all, from the control line of a message.
_Head = tuple[bytes, bytes, bytes, int, int]


class BatchParser(nats_py.Parser):  # type: ignore[misc]
    """nats-py's parser, for whole reads: delivers the messages of one read in batches."""

    #: An incomplete message of more bytes than this is put together in `room`, any other in `_part`.
    read_size = READ_SIZE

    _resets = 0

    def reset(self) -> None:
        super().reset()
        self._resets += 1
        # Of an incomplete message its bytes, and how many are needed before it is worth another look.
        self._part = bytearray()
        self._least = 0
        # Of one in `room` its control line, that line's length, and how many bytes are needed and there.
        self._head: _Head = b"", b"", b"", 0, 0
        self._start = self._needed = self._filled = 0
        self._room = memoryview(b"")

    def room(self) -> memoryview:
        """Where to read the rest of a large message to, and what comes after it; `filled` is called with how much.

        Empty if none has begun. It grows with what was received, as the size in a control line may be wrong.
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
        """Handle `count` bytes that were put into `room`; gives what is left of them, as `feed` does."""
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
        self.nc.deliver(sid, [(subject, reply, header, bytes(came[body:stop]))], arrived)
        return self.feed(bytes(came[stop + 2 :]))

    def feed(self, data: bytes) -> bytes:
        """Deliver the messages that have a batch handler, up to the first thing that is for nats-py.

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
        run = None
        if not large and len(data) > _SHORT and self._wants_first(data):
            run = _plain_run(data)
        if run is None:
            return self._walk(data, arrived)
        sids, messages = run
        if sids.count(sids[0]) == len(sids):
            self.nc.deliver(sids[0], messages, arrived)
        elif not self.nc.deliver_sorted(sids, messages, arrived):
            return self._walk(data, arrived)
        return b""

    def _walk(self, data: bytes, arrived: int) -> bytes:
        """`feed` for anything: one message after the other."""
        batch: list[Message] = []
        sorted_out: tuple[list[bytes], list[Message]] = [], []
        batch_sid: bytes | None = None  # an odd line may have an empty one
        joined_sid: bytes | None = None
        position, end, rest, is_sorted = 0, len(data), b"", self.nc.sorted_sids
        while (line_end := data.find(b"\r\n", position)) >= 0:
            head = _head(data[position:line_end])
            if head is None:
                rest = data[position:]
                break
            subject, sid, reply, header_size, size = head
            start, body, stop = line_end + 2, line_end + 2 + header_size, line_end + 2 + size
            if stop + 2 > end:
                self._expect(head, start - position)
                break
            into = sorted_out[1] if sid in is_sorted else batch
            if into is not batch:
                sorted_out[0].append(sid)
            elif sid != batch_sid and sid != joined_sid:
                if batch and self.nc.same_handler(batch_sid, sid):
                    joined_sid = sid
                else:
                    if batch:
                        self.nc.deliver(batch_sid, batch, arrived)
                        batch, joined_sid = [], None
                        into = batch
                    if not self.nc.has_handler(sid):
                        rest = data[position:]
                        break
                    batch_sid = sid
            into.append((subject, reply, data[start:body] if header_size else None, data[body:stop]))
            position = stop + 2
        if batch:
            self.nc.deliver(batch_sid, batch, arrived)
        if sorted_out[0]:
            self.nc.deliver_sorted(*sorted_out, arrived)
        self._keep(data[position:], unread=bool(rest))
        return rest

    def _keep(self, data: bytes, *, unread: bool) -> None:
        """Keep the beginning of a message, unless it is `unread`: then somebody else reads it."""
        if self._needed:
            self._put(data)
        elif data and not unread:
            self._part += data

    def _expect(self, head: _Head, start: int) -> None:
        """Prepare for the rest of a message that begins `start` bytes after its control line does."""
        _, sid, _, _, size = head
        if size > LARGE:
            keep_large_blocks()
        self._least = start + size + 2
        if size > self.read_size and self.nc.has_handler(sid):
            self._head, self._start = head, start
            self._needed, self._least = self._least, 0

    def _wants_first(self, data: bytes) -> bool:
        """Whether the first message, if that is what it begins with, is of a subscription with a batch handler."""
        words = data[:_SHORT].split(b" ", 3)
        return len(words) == 4 and bool(self.nc.has_handler(words[2]))

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
            nats_py.errors.ProtocolError: it is not the NATS protocol, or cannot be handled.
        """
        if not self.nc.is_connected:
            return  # what was read from the last connection must not go into the next
        try:
            await self._parse(data)
        except (ValueError, MemoryError) as error:
            raise nats_py.errors.ProtocolError from error

    async def _parse(self, data: bytes) -> None:
        resets = self._resets
        rest = self.feed(data)
        while rest:
            end = await self._pass_on(rest)
            if resets != self._resets:
                return  # an error ended the connection: the rest must not go into the next
            rest = self.feed(rest[end:])
        await self.nc.written()

    async def _pass_on(self, data: bytes) -> int:
        """Give nats-py what `feed` left: a control line, or messages up to one that `feed` delivers; gives its end."""
        resets, end = self._resets, 0
        while resets == self._resets and (line_end := data.find(b"\r\n", end)) >= 0:
            line, start = data[end:line_end], line_end + 2
            head = _head(line)
            if head is None:
                await self._control(line)
                return start
            subject, sid, reply, header_size, size = head
            if start + size + 2 > len(data) or (end and self.nc.has_handler(sid)):
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
            await self.nc._process_err(for_programs(line[len(operation) :].strip()))
            return
        # nats-py's own parser knows what to do with any other control line; it gets exactly one.
        await super().parse(line + b"\r\n")
        if self.buf:
            raise nats_py.errors.ProtocolError


def _head(line: bytes) -> _Head | None:
    """The parts of the control line of a message; None if it is another, or a bad one."""
    words = line.split(b" ")  # other white space may be part of a subject
    count = len(words)
    if words[0] == b"MSG" and 4 <= count <= 5 and words[-1].isdigit():
        return words[1], words[2], words[3] if count == 5 else b"", 0, int(words[-1])
    if words[0] == b"HMSG" and 5 <= count <= 6 and words[-1].isdigit() and words[-2].isdigit():
        header_size, size = int(words[-2]), int(words[-1])
        if header_size <= size:
            return words[1], words[2], words[3] if count == 6 else b"", header_size, size
    return None


def _plain_run(data: bytes) -> tuple[list[bytes], list[Message]] | None:
    """The sids and the messages, if `data` is whole `MSG subject sid [reply] size` messages, all with as many words.

    That is what a busy responder or requester reads, and C code can take it apart. Nothing in a payload can pass for a
    control line: the first line is one; if it has as many words as all have and its size is that of the part after it,
    then that part is the whole payload, and the next line is a control line again. One with fewer or more words would
    shift all the words after it, but has its size where the reply subject, or the next `MSG`, belongs.
    """
    if not data.startswith(b"MSG ") or not data.endswith(b"\r\n"):
        return None
    parts = data.split(b"\r\n")
    bodies = parts[1::2]
    words = b" ".join(parts[:-1:2]).split(b" ")
    count = len(bodies)
    each = len(words) // count
    if len(parts) != 2 * count + 1 or each * count != len(words) or each not in (4, 5):
        return None
    replies = words[3::5] if each == 5 else [b""] * count
    if words[::each].count(b"MSG") != count or any(map(bytes.isdigit, replies)):
        return None
    sizes = set(zip(words[each - 1 :: each], map(len, bodies), strict=True))
    if not all(size.isdigit() and int(size) == length for size, length in sizes):
        return None
    return words[2::each], list(zip(words[1::each], replies, repeat(None), bodies, strict=False))
