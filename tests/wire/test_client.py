"""The batch parser against nats-py's own, and the plain path for a nats-py with other private names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from natscli.message import headers
from natscli.message.message import Message
from natscli.wire import nats_py, parser
from natscli.wire.client import Client
from natscli.wire.parser import MOST_ROOM_KEPT, BatchParser
from natscli.wire.protocol import encode
from tests.servers import Server

token = st.text("abcXYZ_$-09", min_size=1, max_size=8)
subject = st.lists(token, min_size=1, max_size=4).map(".".join).map(str.encode)
payload = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\r\n", b"MSG a 1 2\r\nhi\r\n", b"PING\r\n", b"\r\n\r\n", b"x" * 5000]),
)
header = st.lists(st.tuples(token, token), max_size=3).map(headers.encode)


@st.composite
def message(draw: st.DrawFn) -> bytes:
    body, block = draw(payload), draw(header)
    reply = draw(st.one_of(st.just(b""), subject))
    words = [draw(subject), b"%d" % draw(st.integers(1, 3))] + ([reply] if reply else [])
    if block:
        words += [b"%d" % len(block), b"%d" % (len(block) + len(body))]
        return b"HMSG " + b" ".join(words) + b"\r\n" + block + body + b"\r\n"
    return b"MSG " + b" ".join([*words, b"%d" % len(body)]) + b"\r\n" + body + b"\r\n"


control = st.sampled_from(
    [
        b"PING\r\n", b"PONG\r\n", b"+OK\r\n", b"PING  \r\n", b"-ERR 'Slow Consumer'\r\n",
        b"-ERR 'Permissions Violation for Subscription to \"a\"'\r\n", b'INFO {"server_id":"x","max_payload":10}\r\n',
    ]
)  # fmt: skip
garbage = st.sampled_from(
    [b"HELLO\r\n", b"MSG a\r\n", b"MSG a 1 x\r\n", b"HMSG a 1 2\r\n", b"MSG a x 1\r\nb\r\n"]
)


class Recorder:
    """Stands where the parsers expect a client, and writes down what they tell it."""

    is_connected = True

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.sorted_sids: set[bytes] = set()

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, payload: bytes, header: bytes | None
    ) -> None:
        self.seen.append((sid, subject, reply, payload, header))

    def has_handler(self, sid: bytes) -> bool:
        return sid in (b"1", b"2")

    def same_handler(self, sid: bytes, other: bytes) -> bool:
        return False

    def deliver(self, sid: bytes, batch: list[Message], arrived: int) -> None:
        assert batch
        for subject, reply, header, payload in batch:
            self.seen.append((int(sid), subject, reply, payload, header))

    def deliver_sorted(self, sids: list[bytes], messages: list[Message], arrived: int) -> bool:
        if not self.sorted_sids.issuperset(sids):
            return False
        for wanted in dict.fromkeys(sids):
            self.deliver(
                wanted,
                [message for sid, message in zip(sids, messages, strict=True) if sid == wanted],
                arrived,
            )
        return True

    async def written(self) -> None:
        pass

    async def _process_err(self, text: str) -> None:
        self.seen.append(("err", text.lower()))  # as nats-py has it

    async def _process_ping(self) -> None:
        self.seen.append("ping")

    async def _process_pong(self) -> None:
        self.seen.append("pong")

    async def _process_info(self, info: dict[str, Any]) -> None:
        self.seen.append(("info", info))


class OneHandler(Recorder):
    """Has one handler for all, so that what it gets is in the batches of one subscription."""

    def same_handler(self, sid: bytes, other: bytes) -> bool:
        return self.has_handler(sid) and self.has_handler(other)


class SmallRoom(BatchParser):
    read_size = 20


def fed(parser: Any, pieces: list[bytes], *, at_once: bool = False) -> str:
    """Feed the pieces, if asked the way the transport does; says whether, and as what, the parser gave up."""

    async def feed_at_once(piece: bytes) -> None:
        while piece:
            if room := parser.room():
                count = min(len(room), len(piece))
                room[:count] = piece[:count]
                rest, piece = parser.filled(count), piece[count:]
            else:
                rest, piece = parser.feed(piece), b""
            if rest:
                await parser.parse(rest)

    async def feed() -> str:
        try:
            for piece in pieces:
                await (feed_at_once(piece) if at_once else parser.parse(piece))
        except nats_py.errors.ProtocolError:
            return "protocol error"
        return ""

    return asyncio.run(feed())


def kept_by(parser: BatchParser) -> bytes:
    return bytes(parser._part) + bytes(parser._room[: parser._filled])


def split(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(stream) + 1) for cut in cuts} | {0, len(stream)})
    return [stream[a:b] for a, b in pairwise(places)]


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(
        st.lists(st.one_of(message(), message(), control), max_size=12),
        st.lists(payload, max_size=12).map(
            lambda bodies: [b"MSG a 1 r %d\r\n%b\r\n" % (len(b), b) for b in bodies]
        ),
    ),
    st.one_of(st.just(b""), st.just(b""), garbage),
    st.lists(st.integers(0, 10**6), max_size=12),
    st.integers(0, 400),
    st.booleans(),
    st.sampled_from([BatchParser, SmallRoom]),
)
def test_the_batch_parser_gives_what_nats_pys_parser_gives(
    parts: list[bytes], end: bytes, cuts: list[int], missing: int, at_once: bool, kind: type[BatchParser]
) -> None:
    stream = b"".join(parts) + end
    kept = stream[: len(stream) - missing] if not end and missing < len(stream) else stream
    theirs, ours = Recorder(), Recorder()
    their_parser, our_parser = nats_py.Parser(theirs), kind(ours)
    pieces = split(kept, cuts)
    assert fed(our_parser, pieces, at_once=at_once) == fed(their_parser, pieces)
    assert ours.seen == theirs.seen
    if end:
        return
    # What is left: nats-py has taken the control line of an incomplete message, we have not.
    left = kept_by(our_parser)
    assert left.endswith(bytes(their_parser.buf))
    if their_parser.state == 1:
        assert left == bytes(their_parser.buf)
    rest = stream[len(kept) :]
    if rest:
        assert fed(our_parser, [rest], at_once=at_once) == fed(their_parser, [rest]) == ""
        assert ours.seen == theirs.seen
    assert not kept_by(our_parser)


@settings(deadline=None)
@given(
    st.lists(st.one_of(message(), message(), control), max_size=12),
    st.lists(st.integers(0, 10**6), max_size=12),
    st.booleans(),
)
def test_subscriptions_with_one_handler_have_their_messages_in_order(
    parts: list[bytes], cuts: list[int], at_once: bool
) -> None:
    theirs, ours = Recorder(), OneHandler()
    pieces = split(b"".join(parts), cuts)
    assert fed(BatchParser(ours), pieces, at_once=at_once) == fed(nats_py.Parser(theirs), pieces)
    assert [_without_sid(seen) for seen in ours.seen] == [_without_sid(seen) for seen in theirs.seen]


def _without_sid(seen: Any) -> Any:
    return seen[1:] if isinstance(seen, tuple) and isinstance(seen[0], int) else seen


def test_an_empty_payload_is_whole_only_with_its_line_break() -> None:
    recorder = Recorder()
    assert fed(BatchParser(recorder), [b"MSG a 1 r 0\r\n", b"\r\nMSG a 1 r 0\r\n\r\n"]) == ""
    assert recorder.seen == [(1, b"a", b"r", b"", None)] * 2


@pytest.mark.parametrize(
    "body",
    [
        b"X\r\n1 MSG evil 1 r 2\r\nhi",  # after a message without a reply subject, all words are shifted by one
        b"X\r\n1 MSG evil 1 r 2\r\nhi\r\n",
        b"XX\r\nMSG evil 1 r 2\r\nhi",
        b"\r\nMSG evil 1 r 2\r\nhi",
        b"\r\n0 MSG evil 1 r\r\n",
    ],
)
@pytest.mark.parametrize("reply", [b"", b"7 ", b"inbox.1 "])
def test_a_payload_cannot_pass_for_messages(body: bytes, reply: bytes) -> None:
    recorder = Recorder()
    stream = b"MSG a 1 %b%d\r\n%b\r\n" % (reply, len(body), body)
    plain = b"MSG b 1 r 2\r\nhi\r\n"
    forged, other = (1, b"a", reply.strip(), body, None), (1, b"b", b"r", b"hi", None)
    # Short reads are walked over, long ones taken apart as a run.
    for many in ([stream], [stream, plain], [plain, stream, stream], [stream] * 20, [plain, stream] * 20):
        recorder.seen.clear()
        assert fed(BatchParser(recorder), [b"".join(many)]) == ""
        assert recorder.seen == [forged if part is stream else other for part in many]


def test_white_space_other_than_a_space_is_part_of_a_subject() -> None:
    recorder = Recorder()
    stream = b"MSG x.a\x0bb 1 inb.\x0c1 2\r\nhi\r\n"
    assert fed(BatchParser(recorder), [stream, stream[:9], stream[9:], b"PING\r\n" + stream]) == ""
    message = (1, b"x.a\x0bb", b"inb.\x0c1", b"hi", None)
    assert recorder.seen == [message, message, "ping", message]


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("sid", [1, 3], ids=["wanted", "for nats-py"])
@pytest.mark.parametrize("read", [1000, 300_000])
def test_large_messages_come_in_many_reads(read: int, sid: int, at_once: bool) -> None:
    recorder = Recorder()
    parser = BatchParser(recorder)
    body, block = bytes(range(256)) * 4096, headers.encode([("A", "b")])
    stream = b"MSG a %d %d\r\n%b\r\nPING\r\n" % (sid, len(body), body)
    stream += b"HMSG a %d r %d %d\r\n%b%b\r\n" % (sid, len(block), len(block + body), block, body)
    stream = stream * 3
    assert fed(parser, [stream[i : i + read] for i in range(0, len(stream), read)], at_once=at_once) == ""
    assert recorder.seen == [(sid, b"a", b"", body, None), "ping", (sid, b"a", b"r", body, block)] * 3


def test_a_message_that_comes_in_small_pieces_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[bytes] = []
    take_apart, plain_run = parser._head, parser._plain_run

    def counted(line: bytes) -> Any:
        looks.append(line)
        return take_apart(line)

    def counted_run(data: bytes) -> Any:
        looks.append(data[:20])
        return plain_run(data)

    monkeypatch.setattr(parser, "_head", counted)
    monkeypatch.setattr(parser, "_plain_run", counted_run)
    recorder = Recorder()
    body = b"\r\n" * 100_000
    stream = b"MSG a 1 r %d\r\n%b\r\n" % (len(body), body)
    assert fed(BatchParser(recorder), [stream[i : i + 1448] for i in range(0, len(stream), 1448)]) == ""
    assert recorder.seen == [(1, b"a", b"r", body, None)]
    assert len(looks) == 3, looks  # at what came first, in two ways, and at the whole


def test_messages_for_nats_py_are_looked_at_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    take_apart, plain_run = parser._head, parser._plain_run

    def counted(line: bytes) -> Any:
        looks.append(len(line))
        return take_apart(line)

    def counted_run(data: bytes) -> Any:
        looks.append(len(data))
        return plain_run(data)

    monkeypatch.setattr(parser, "_head", counted)
    monkeypatch.setattr(parser, "_plain_run", counted_run)
    recorder = Recorder()
    assert fed(BatchParser(recorder), [b"MSG a 3 r 2\r\nhi\r\n" * 5000]) == ""
    assert recorder.seen == [(3, b"a", b"r", b"hi", None)] * 5000
    assert sum(looks) < 5010 * len(b"MSG a 3 r 2")


def test_nothing_is_left_of_a_message_when_the_connection_is_made_anew() -> None:
    recorder = Recorder()
    parser = SmallRoom(recorder)
    for begun in (b"MSG a 1 r 10\r\nhal", b"MSG a 1 r 100\r\nhal"):
        assert fed(parser, [begun]) == ""
        parser.reset()
        assert fed(parser, [b"MSG a 1 r 2\r\nhi\r\n"]) == ""
    assert recorder.seen == [(1, b"a", b"r", b"hi", None)] * 2


@pytest.mark.parametrize("path", ["at once", "in pieces", "not wanted"])
def test_a_header_longer_than_its_message_is_a_protocol_error(path: str) -> None:
    sid = b"3" if path == "not wanted" else b"1"
    stream = b"HMSG a %b r 17 12\r\nNATS/1.0\r\nA: 1\r\n\r\nPING\r\n" % sid
    recorder = Recorder()
    pieces = [stream] if path != "in pieces" else split(stream, list(range(5, 60, 7)))
    assert fed(BatchParser(recorder), pieces) == "protocol error"
    assert recorder.seen == []


def test_a_message_that_is_all_header_is_none() -> None:
    recorder = Recorder()
    assert fed(BatchParser(recorder), [b"HMSG a 1 r 12 12\r\nNATS/1.0\r\n\r\n\r\n"]) == ""
    assert recorder.seen == [(1, b"a", b"r", b"", b"NATS/1.0\r\n\r\n")]


def test_a_size_that_no_number_can_hold_is_a_protocol_error() -> None:
    recorder = Recorder()
    assert fed(BatchParser(recorder), [b"PING\r\nMSG a 1 r " + b"9" * 5000 + b"\r\nx\r\n"]) in (
        "protocol error",
        "",  # Python 3.10 has a number for it; the message is never whole
    )
    assert recorder.seen == ["ping"]


def test_what_comes_with_the_end_of_a_large_message_is_taken_too() -> None:
    recorder = Recorder()
    parser = SmallRoom(recorder)
    begun, end = b"MSG a 1 r 30\r\n" + b"x" * 29, b"x\r\nMSG a 1 r 2\r\nhi\r\n"
    assert parser.feed(begun) == b""
    parser.room()[: len(end)] = end
    assert parser.filled(len(end)) == b""
    assert [payload for _, _, _, payload, _ in recorder.seen] == [b"x" * 30, b"hi"]


def test_memory_grows_with_what_came_and_not_with_what_was_announced() -> None:
    recorder = Recorder()
    parser = BatchParser(recorder)
    assert fed(parser, [b"MSG a 1 999999999999\r\nx"], at_once=True) == ""
    assert len(parser.room()) < 1 << 20
    assert fed(parser, [bytes(1 << 22)], at_once=True) == ""
    assert len(kept_by(parser)) > 1 << 22
    assert len(parser.room()) < 1 << 24
    assert recorder.seen == []


def test_what_an_unusually_large_message_needed_is_given_back() -> None:
    recorder = Recorder()
    parser = BatchParser(recorder)
    body = bytes(MOST_ROOM_KEPT)
    assert fed(parser, [b"MSG a 1 %d\r\n" % len(body), body, b"\r\n"], at_once=True) == ""
    assert recorder.seen == [(1, b"a", b"", body, None)]
    assert not parser._room


def test_messages_before_a_pong_are_handed_on_before_it() -> None:
    recorder = Recorder()
    assert fed(BatchParser(recorder), [b"MSG a 1 1\r\nx\r\nPONG\r\nMSG a 1 1\r\ny\r\n"]) == ""
    assert [s if isinstance(s, str) else s[3] for s in recorder.seen] == [b"x", "pong", b"y"]


def test_what_came_after_an_error_that_ends_the_connection_is_not_kept_for_the_next() -> None:
    class Reconnecting(Recorder):
        async def _process_err(self, text: str) -> None:
            own.reset()

    recorder = Reconnecting()
    own = BatchParser(recorder)
    assert fed(own, [b"-ERR 'Stale Connection'\r\nMSG a 1 r 10\r\nhal", b"MSG a 1 r 2\r\nhi\r\n"]) == ""
    assert recorder.seen == [(1, b"a", b"r", b"hi", None)]


def test_no_more_than_the_limit_is_handed_on(nats_server: Server) -> None:
    async def go() -> list[int]:
        sizes: list[int] = []
        async with Client() as client:
            await client.connect(nats_server.url)
            subscription = await client.subscribe_batches(
                "limit", "", lambda batch, _: sizes.append(len(batch)), 3
            )
            sid = b"%d" % subscription._id
            for _ in range(3):  # as it is when messages were on their way before the server knew the limit
                client.deliver(sid, [(b"limit", b"", None, b"")] * 2, 0)
        return sizes

    assert asyncio.run(go()) == [2, 1]


def test_commands_are_encoded_as_the_protocol_says() -> None:
    block = headers.encode([("A", "b")])
    assert encode([(b"a", b"", None, b"hi"), (b"a", b"r", None, b""), (b"a", b"r", block, b"hi")])[0] == (
        b"PUB a 2\r\nhi\r\nPUB a r 0\r\n\r\nHPUB a r %d %d\r\n%bhi\r\n" % (len(block), len(block) + 2, block)
    )


def test_the_same_to_many_is_encoded_like_anything_else() -> None:
    assert encode([]) == (b"", 0)
    for body in (b"", b"OK", b"a\r\nb"):
        same: list[Message] = [(b"a.%d" % number, b"", None, body) for number in range(3)]
        assert encode(same)[0] == b"".join(encode([message])[0] for message in same)
        assert encode(same)[0] == b"".join(b"PUB a.%d %d\r\n%b\r\n" % (n, len(body), body) for n in range(3))


def test_messages_of_subscriptions_that_are_sorted_come_together_and_before_what_follows() -> None:
    recorder = Recorder()
    recorder.sorted_sids = {b"1", b"2"}
    part = b"MSG a 1 r 1\r\n%d\r\nMSG b 2 r 1\r\n%d\r\n"
    stream = b"".join(part % (number, number) for number in range(9)) + b"PING\r\nMSG a 1 r 2\r\nhi\r\n"
    assert fed(BatchParser(recorder), [stream]) == ""
    first, second = (
        [(sid, name, b"r", b"%d" % n, None) for n in range(9)] for sid, name in ((1, b"a"), (2, b"b"))
    )
    assert recorder.seen == [*first, *second, "ping", (1, b"a", b"r", b"hi", None)]


@pytest.mark.parametrize("payload", [b"", b"OK", b"a\r\nb"])
def test_the_same_request_again_is_encoded_like_anything_else(payload: bytes) -> None:
    inboxes = [b"inbox.%d" % number for number in range(3)]
    same: list[Message] = [(b"a", inbox, None, payload) for inbox in inboxes]
    separately = [b"PUB a %b %d\r\n%b\r\n" % (inbox, len(payload), payload) for inbox in inboxes]
    assert encode(same) == (b"".join(separately), 1)
    for other in ((b"bc", b"r", None, payload), (b"a", b"", None, payload), (b"a", b"r", None, b"other")):
        assert encode([*same, other])[0] == b"".join(separately) + encode([other])[0]


@pytest.mark.parametrize("reply", [b"", b"r "], ids=["replies", "requests"])
def test_a_read_of_messages_alike_is_taken_apart_at_once(
    reply: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parser, "_head", None)  # nothing is walked over
    recorder = Recorder()
    bodies = [b"%d" % number * 5 for number in range(100)]
    stream = b"".join(b"MSG a 1 %b%d\r\n%b\r\n" % (reply, len(body), body) for body in bodies)
    assert fed(BatchParser(recorder), [stream]) == ""
    assert recorder.seen == [(1, b"a", reply.strip(), body, None) for body in bodies]


@pytest.mark.parametrize("batches", [True, False], ids=["batches", "plain"])
def test_both_paths_answer_with_headers_and_bytes(nats_server: Server, batches: bool) -> None:
    name = f"wire.{batches}".encode()
    block = headers.encode([("A", "b"), ("C", "d")])

    async def go() -> tuple[list[Message], list[Message]]:
        responder, requester = Client(batches=batches), Client(batches=batches)
        for client in (responder, requester):
            await client.connect(nats_server.url)
        requests: list[Message] = []
        replies: list[Message] = []
        done = asyncio.Event()

        def on_requests(batch: list[Message], arrived: int) -> None:
            requests.extend(batch)
            responder.send([(reply, b"", header, body[::-1]) for _, reply, header, body in batch])

        def on_replies(batch: list[Message], arrived: int) -> None:
            replies.extend(batch)
            if len(replies) == 3:
                done.set()

        await responder.subscribe_batches(name.decode(), "q", on_requests)
        await responder.flush()
        await requester.subscribe_batches("wire.inbox.*", "", on_replies)
        requester.send(
            [(name, b"wire.inbox.%d" % i, block if i else None, b"\x00\xff%d" % i) for i in range(2)]
        )
        requester.send([(b"nobody.there", b"wire.inbox.9", None, b"")])
        await asyncio.wait_for(done.wait(), 10)
        await responder.published()
        for client in (responder, requester):
            await client.close()
        return requests, replies

    requests, replies = asyncio.run(go())
    assert [(r[0], r[2], r[3]) for r in requests] == [(name, None, b"\x00\xff0"), (name, block, b"\x00\xff1")]
    by_subject = {r[0]: r for r in replies}
    assert by_subject[b"wire.inbox.0"][3] == b"0\xff\x00"
    assert headers.decode(by_subject[b"wire.inbox.1"][2]) == (("A", "b"), ("C", "d"))
    assert headers.status(by_subject[b"wire.inbox.9"][2]) == "503"


def test_nats_pys_own_subscriptions_still_work(nats_server: Server) -> None:
    async def go() -> bytes:
        client = Client()
        await client.connect(nats_server.url)

        async def answer(message: Any) -> None:
            await message.respond(b"own " + message.data)

        await client.subscribe("wire.own", cb=answer)
        reply = await client.request("wire.own", b"way", timeout=5, headers={"A": "b"})
        await client.drain()
        return bytes(reply.data)

    assert asyncio.run(go()) == b"own way"


def test_jetstream_is_imported_when_it_is_used(nats_server: Server) -> None:
    async def go() -> str:
        async with Client() as client:
            await client.connect(nats_server.url)
            return type(client.jetstream()).__name__

    assert asyncio.run(go()) == "JetStreamContext"


def test_a_flush_confirms_the_subscription_before_it(nats_server: Server) -> None:
    async def go() -> list[int]:
        sent = []
        async with Client() as responder, Client() as requester:
            for client in (responder, requester):
                await client.connect(nats_server.url)
            for number in range(50):
                got = asyncio.Event()
                await responder.subscribe_batches(
                    f"wire.flush.{number}", "", lambda batch, arrived, got=got: got.set()
                )
                await responder.flush()
                requester.send([(b"wire.flush.%d" % number, b"", None, b"")])
                await asyncio.wait_for(got.wait(), 5)
                sent.append(number)
        return sent

    assert len(asyncio.run(go())) == 50


@pytest.mark.parametrize(
    "line", [b"MSG a  1\r\nx\r\n", b"MSG a x 1\r\nx\r\n", b"HMSG a  12 13\r\nNATS/1.0\r\n\r\nx\r\n"]
)
def test_an_odd_line_never_ends_the_reading_silently(nats_server: Server, line: bytes) -> None:
    """The client reconnects, as after any other line that is not of the protocol."""

    async def go() -> int:
        client, seen = Client(), 0

        def handler(batch: list[Message], arrived: int) -> None:
            nonlocal seen
            seen += len(batch)

        again = asyncio.Event()

        async def reconnected() -> None:
            again.set()

        await client.connect(nats_server.url, reconnected_cb=reconnected)
        await client.subscribe_batches("odd.line", "", handler)
        await client.flush()
        client._transport._protocol.data_received(line)
        await asyncio.wait_for(again.wait(), 10)
        client.send([(b"odd.line", b"", None, b"x")])
        await client.flush()
        await client.close()
        return seen

    assert asyncio.run(go()) == 1


def test_a_pong_that_comes_too_late_does_not_end_the_reading(server_factory: Callable[..., Server]) -> None:
    async def go() -> bool:
        server = server_factory()
        client = Client()
        await client.connect(server.url)
        with server.paused(), pytest.raises(nats_py.errors.FlushTimeoutError):
            await client.flush(0.2)
        await client.flush()
        await client.close()
        return True

    assert asyncio.run(go())
