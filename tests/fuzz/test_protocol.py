"""What the server sends: the batch parser against nats-py's, and against anything at all."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from natscli.message import headers
from natscli.wire import nats_py
from natscli.wire.parser import BatchParser
from tests.fuzz.examples import Odd, fuzz, odd
from tests.wire.test_client import Recorder, SmallRoom, fed, split

_cuts = odd(lambda odd: odd.some(lambda: odd.randrange(10**6), 12))
_kinds = st.sampled_from([BatchParser, SmallRoom])
_CONTROL = (
    b"PING\r\n", b"PONG\r\n", b"+OK\r\n", b"PING  \r\n", b"-ERR 'Slow Consumer'\r\n", b'INFO {"max_payload":10}\r\n',
)  # fmt: skip
_GARBAGE = (b"HELLO\r\n", b"MSG a\r\n", b"MSG a 1 x\r\n", b"HMSG a 1 2\r\n", b"MSG a x 1\r\nb\r\n")
_PAYLOADS = (b"", b"\r\n", b"MSG a 1 2\r\nhi\r\n", b"PING\r\n", b"\r\n\r\n", b"x" * 5000)


def _part(odd: Odd) -> bytes:
    """A message or another line of the protocol."""
    if odd.random() < 0.3:
        return odd.choice(_CONTROL)
    body = odd.choice(_PAYLOADS) if odd.random() < 0.5 else odd.randbytes(odd.randrange(60))
    block = headers.encode(odd.some(lambda: (odd.choice("abc"), odd.choice("de")), 2))
    words = [odd.choice((b"a", b"a.b-c", b"$x")), odd.choice((b"1", b"2", b"3"))]
    words += odd.choice(([], [b"r.1"], [b"7"]))
    if block:
        return b"HMSG %b %d %d\r\n%b%b\r\n" % (b" ".join(words), len(block), len(block + body), block, body)
    return b"MSG %b %d\r\n%b\r\n" % (b" ".join(words), len(body), body)


def _stream(odd: Odd) -> bytes:
    return b"".join(odd.some(lambda: _part(odd), 8))


def _stream_and_end(odd: Odd) -> bytes:
    return _stream(odd) + odd.choice((b"", b"", *_GARBAGE))


@fuzz
@given(odd(_stream_and_end), _cuts, st.booleans(), _kinds)
def test_the_batch_parser_tells_what_nats_pys_parser_tells(
    stream: bytes, cuts: list[int], at_once: bool, kind: type[BatchParser]
) -> None:
    theirs, ours = Recorder(), Recorder()
    pieces = split(stream, cuts)
    assert fed(kind(ours), pieces, at_once=at_once) == fed(nats_py.Parser(theirs), pieces)
    assert ours.seen == theirs.seen


@fuzz
@given(odd(lambda odd: odd.damaged(_stream(odd))), _cuts, st.booleans(), _kinds)
def test_a_damaged_stream_is_a_protocol_error_or_messages(
    stream: bytes, cuts: list[int], at_once: bool, kind: type[BatchParser]
) -> None:
    give_up = (
        (ValueError, MemoryError) if at_once else ()
    )  # then the transport ends the connection, which is made anew
    with suppress(*give_up):
        fed(kind(Recorder()), split(stream, cuts), at_once=at_once)
