"""Messages and errors as lines of JSON."""

from __future__ import annotations

import json
from base64 import b64decode

from hypothesis import given
from hypothesis import strategies as st

from natscli.errors import ExitStatus, Report
from natscli.message import headers
from natscli.output import json_lines


def test_a_reply_that_is_text() -> None:
    block = headers.encode([("A", "1"), ("A", "2"), ("b", "\udcff")])
    assert json_lines.reply_record("s", 2, 3, 4_000, block, b"hi") == {
        "subject": "s", "request": 2, "reply": 3, "rtt_ns": 4_000,
        "headers": {"A": ["1", "2"], "b": ["\ufffd"]}, "data": "hi", "encoding": "utf-8", "size": 2,
    }  # fmt: skip


@given(st.binary(), st.booleans())
def test_every_payload_can_be_had_back_from_one_line(payload: bytes, ascii_only: bool) -> None:
    record = json_lines.reply_record("s", 1, 1, 1, None, payload)
    line = json_lines.line(record, ascii_only=ascii_only)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    found = json.loads(line)
    data = b64decode(found["data"]) if found["encoding"] == "base64" else found["data"].encode()
    assert data == payload
    assert found["size"] == len(payload)
    if ascii_only:
        assert all(0x20 <= byte < 0x7F for byte in line[:-1])


def test_an_error_has_its_name_and_its_status() -> None:
    record = json_lines.error_record("s", 2, Report("no responders (s)", ExitStatus.NO_RESPONDERS, "a hint"))
    assert record == {
        "subject": "s", "request": 2, "error": "no_responders", "message": "no responders (s)", "status": 3,
    }  # fmt: skip
