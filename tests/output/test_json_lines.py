"""Messages and errors as lines of JSON."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli.duration import timestamp
from natscli.errors import ExitStatus, Report
from natscli.message import headers
from natscli.request.events import Received
from natscli.request.show import json as request_json


def record(payload: bytes, header: bytes | None = None, *, ascii_only: bool = False) -> dict[str, Any]:
    """The record of a reply, which is one line; with `ascii_only` there is no control character in it."""
    line = request_json.replies(ascii_only=ascii_only)(
        Received("s", 2, 3, 4_000, header, payload, 1_700_000_000.5)
    )
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert not ascii_only or all(0x20 <= byte < 0x7F for byte in line[:-1])
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


def test_a_reply_that_is_text() -> None:
    block = headers.encode([("A", "1"), ("A", "2"), ("b", "\udcff")])
    assert record(b"hi", block) == {
        "time": "2023-11-14T22:13:20.500000Z", "subject": "s", "request": 2, "reply": 3, "rtt_ns": 4_000,
        "headers": {"A": ["1", "2"], "b": ["\ufffd"]}, "data": "hi", "encoding": "utf-8", "size": 2,
    }  # fmt: skip


@given(st.binary() | st.text().map(str.encode), st.booleans())
def test_every_payload_can_be_had_back_from_one_line(payload: bytes, ascii_only: bool) -> None:
    found = record(payload, ascii_only=ascii_only)
    data = b64decode(found["data"]) if found["encoding"] == "base64" else found["data"].encode()
    assert data == payload
    assert found["size"] == len(payload)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON, st.booleans(), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_a_json_payload_also_comes_parsed(
    value: object, ascii_payload: bool, indent: int | str | None, ascii_only: bool
) -> None:
    payload = json.dumps(value, ensure_ascii=ascii_payload, indent=indent).encode("utf-8", "replace")
    assert record(payload, ascii_only=ascii_only)["json"] == json.loads(payload)


@pytest.mark.parametrize("literal", ["2.50", "1e3", "-0", "12345678901234567890123", "1e400", '"\\u001b"'])
def test_the_literals_of_a_json_payload_are_kept(literal: str) -> None:
    line = request_json.replies(ascii_only=True)(
        Received("s", 1, 1, 1, None, f'{{"a" : {literal}}}'.encode(), 0.0)
    )
    assert line.endswith(f', "json": {{"a":{literal}}}}}\n'.encode())


@pytest.mark.parametrize(
    "payload",
    [
        b"hello",
        b"",
        b" ",
        b"nothing",
        b"NaN",
        b"[NaN]",
        b"[Infinity, -Infinity]",
        b'{"a": 1, "a": 2}',
        b"[" * 65 + b"]" * 65,
        b"[" * 100_000,
        b"[" + b"9" * 5000 + b"]",
        b'{"a": 1',
        b"[1] x",
        b'["\x01"]',
        b'["' + b"x" * 1024 * 1024 + b'"]',
        b'["\\ud800"]',
        b'{"\\uDC00\\ud83d": 1}',
    ],
    ids=range(17),
)
def test_what_not_every_parser_reads_comes_as_text_only(payload: bytes) -> None:
    found = record(payload)
    assert "json" not in found
    assert found["data"].encode() == payload


def test_pairs_of_surrogates_are_characters() -> None:
    assert record(b'["\\ud83d\\ude00", "\\\\ud800"]')["json"] == ["\U0001f600", "\\ud800"]


def test_nested_json_comes_parsed_as_long_as_any_parser_reads_it() -> None:
    assert record(b"[" * 64 + b"]" * 64)["json"] is not None
    assert record(b"[" + b"[]," * 500 + b"[]]")["json"] == [[]] * 501


def test_an_error_has_its_name_and_its_status() -> None:
    report = Report("no responders (s\x1b)", ExitStatus.NO_RESPONDERS, "a hint")
    for ascii_only in (False, True):
        assert json.loads(request_json.error_line("s", 2, report, 0.0, ascii_only=ascii_only)) == {
            "time": "1970-01-01T00:00:00.000000Z", "subject": "s", "request": 2, "error": "no_responders",
            "message": "no responders (s\x1b)", "status": 3,
        }  # fmt: skip


def test_bytes_that_are_not_utf8_in_an_error_leave_json_that_any_parser_reads() -> None:
    report = Report("the service answered with error 5: \udcff", ExitStatus.SERVICE_ERROR)
    for ascii_only in (False, True):
        found = json.loads(request_json.error_line("s\udcfe", 2, report, 0.0, ascii_only=ascii_only))
        assert (found["subject"], found["message"]) == (
            "s\ufffd",
            "the service answered with error 5: \ufffd",
        )


def test_times_are_rfc_3339() -> None:
    at = 1_763_999_999.999999
    parsed = datetime.fromisoformat(timestamp(at).replace("Z", "+00:00"))
    assert parsed == datetime.fromtimestamp(at, timezone.utc)
