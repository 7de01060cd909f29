"""What is recorded is answered again byte for byte, whatever bytes it is."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from natscli.message import headers
from natscli.message.message import Message
from natscli.reply.responders.parts.exchange_lines import lines
from natscli.reply.responders.parts.mock_file import read
from natscli.reply.responders.responder import Batch

TEXT = st.text(st.characters(codec="utf-8"), max_size=40).map(str.encode)
PAYLOAD = (
    st.binary(max_size=60)
    | TEXT
    | st.sampled_from([b"{{Count}}", b"%d %%", b"\x7f\x9b", b"\xc2\x9b\xe2\x80\xae"])
)
PAIRS = st.lists(
    st.tuples(
        st.sampled_from(["A", "a", "Content-Type", "X-%s", "{{1}}"]),
        TEXT.map(lambda raw: raw.decode().strip()),
    ),
    max_size=4,
).map(lambda pairs: tuple((name, value) for name, value in pairs if not {*"\r\n\0"} & {*value}))
BLOCK = (
    st.none()
    | PAIRS.map(headers.encode).map(lambda block: block or None)
    | st.binary(max_size=40).map(lambda middle: headers.LINE + b"\r\n" + middle + b"\r\n\r\n")
    | st.sampled_from([b"NATS/1.0\r\n\r\n", headers.service_error("no", 404), b"NATS/1.0 503\r\n\r\n"])
)


@example([(b"", None, b"", b"NATS/1.0\r\n\x80:\r\n\r\n")])
@given(st.lists(st.tuples(PAYLOAD, BLOCK, PAYLOAD, BLOCK), min_size=1, max_size=5))
def test_any_reply_comes_back_as_it_was(
    exchanges: list[tuple[bytes, bytes | None, bytes, bytes | None]],
) -> None:
    requests: list[Message] = [(b"a.b", b"inbox", block, payload) for payload, block, _, _ in exchanges]
    replies: list[Message] = [(b"inbox", b"", block, payload) for _, _, payload, block in exchanges]
    recorded = b"".join(lines(Batch(requests, 0, 5_000), replies, 9_000, 1_700_000_000_000_000_000))
    assert recorded.decode().isprintable() or recorded.count(b"\n") == len(exchanges)
    assert {json.loads(line)["duration_ns"] for line in recorded.splitlines()} == {4_000}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "calls.jsonl"
        file.write_bytes(recorded)
        mock = read(str(file))
    for request, reply in zip(requests, replies, strict=True):
        answer = mock.recorded[b"a.b", request[3]].popleft()
        assert answer.reply(request, 7) == reply


def test_times_are_in_utc_and_a_request_without_an_answer_is_null() -> None:
    (line,) = lines(Batch([(b"s", b"i", None, b"x")], 0, 0), [], 1, 1_767_225_600_123_456_000)
    assert json.loads(line) == {
        "time": "2026-01-01T00:00:00.123456Z",
        "duration_ns": 1,
        "subject": "s",
        "request": {"data": "x"},
        "reply": None,
    }


def test_nothing_in_a_line_drives_a_terminal() -> None:
    hostile = "\x1b]0;x\x07\x7f\x9b\u202e\u2028ok ä".encode()
    (line,) = lines(Batch([(b"s\x1b", b"i", None, hostile)], 0, 0), [(b"i", b"", None, hostile)], 1, 0)
    assert line.decode().removesuffix("\n").isprintable()
    assert json.loads(line)["reply"]["data"].encode() == hostile
