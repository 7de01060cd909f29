"""The lines of `--pipe`: what a program reads and writes, whatever is in it."""

from __future__ import annotations

import json
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli.programs.lines import Lines
from natscli.reply.responders.parts.pipe_lines import (
    NoAnswerError,
    _same_headers,
    answer_object,
    id_of,
    plain_payload,
    request_line,
)

SEPARATORS = "\n \r \r\n \v \f \x1c \x85 \u2028 \u2029"


def request(payload: bytes = b"", subject: bytes = b"a.b", block: bytes | None = None) -> dict[str, object]:
    line = request_line(7, (subject, b"inbox", block, payload))
    assert line.isascii()
    assert line.splitlines(keepends=True) == [line]
    assert line.endswith("\n")
    value: dict[str, object] = json.loads(line)
    return value


def test_a_request_has_id_subject_headers_and_payload() -> None:
    block = b"NATS/1.0\r\nA: 1\r\nb: x\r\nA: 2\r\n\r\n"
    assert request("é".encode(), b"a.b", block) == {
        "id": 7, "subject": "a.b", "headers": {"A": ["1", "2"], "b": ["x"]}, "data": "é",
    }  # fmt: skip
    assert request() == {"id": 7, "subject": "a.b", "headers": {}, "data": ""}


@pytest.mark.parametrize("text", [SEPARATORS, "\0\x1b[2J\x7f", '"}\n{"id":0,"data":"', "\U0001f600"])
def test_no_text_ends_a_line(text: str) -> None:
    assert request(text.encode())["data"] == text


@given(st.binary())
def test_every_payload_is_there_byte_for_byte(payload: bytes) -> None:
    value = request(payload)
    if "data" in value:
        assert str(value["data"]).encode() == payload
    else:
        assert b64decode(str(value["data_base64"])) == payload


def test_subjects_and_headers_that_are_not_utf_8_have_replacements() -> None:
    value = request(b"\xff", b"a.\xff", b"NATS/1.0\r\nA\xff: \xfe\x1b\r\n\r\n")
    assert (value["subject"], value["headers"]) == ("a.�", {"A�": ["�\x1b"]})
    assert value["data_base64"] == "/w=="


def test_large_header_blocks_are_not_kept() -> None:
    _same_headers.cache_clear()
    for size in (10, 2000):
        before = _same_headers.cache_info().currsize
        assert request(block=b"NATS/1.0\r\nA: %b\r\n\r\n" % (b"x" * size))["headers"] == {"A": ["x" * size]}
        assert _same_headers.cache_info().currsize == before + (size < 1000)


@given(st.lists(st.binary(max_size=30).filter(lambda b: b"\n" not in b)), st.integers(1, 9))
def test_lines_do_not_depend_on_where_reads_are_cut(parts: list[bytes], size: int) -> None:
    data = b"".join(part + b"\n" for part in parts) + b"rest"
    lines = Lines(100)
    found = [line for i in range(0, len(data), size) for line in lines.feed(data[i : i + size])]
    assert (found, lines.end(), lines.end()) == (parts, [b"rest"], [])


def test_a_line_that_is_too_long_is_kept_in_part_and_the_next_is_whole() -> None:
    lines = Lines(10)
    assert [lines.feed(b"x" * 4) for _ in range(1000)] == [[]] * 1000
    (long, short) = lines.feed(b"x\nshort\n")
    assert 10 < len(long) < 20
    assert short == b"short"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"hello", "not an object"),
        (b"[1]", "not an object"),
        (b"{", "not JSON"),
        (b'{"id": 1} {"id": 2}', "not JSON"),
        (b"{" * 100_000, "not JSON"),
        (b'{"id": ' + b"[" * 100_000, "not JSON"),
        (b'{"data": "x"}', 'no "id"'),
        (b'{"id": null}', 'no "id"'),
        (b'{"id": "1"}', '"id" is not a number'),
        (b'{"id": true}', '"id" is not a number'),
        (b'{"id": 1.0}', '"id" is not a number'),
    ],
)
def test_a_line_that_is_no_answer_says_why(line: bytes, why: str) -> None:
    with pytest.raises(NoAnswerError, match=f"^{why}"):
        answer_object(line)


def test_an_answer_of_text_only_is_plain() -> None:
    number, value = answer_object(' {"data":"é\\u0000", "id":3}\r'.encode())
    assert (number, plain_payload(value)) == (3, "é\0".encode())


@pytest.mark.parametrize(
    "rest", [b'"data":"\\ud800"', b'"data":"\xff"', b'"data":1', b'"status":404', b'"data":"","status":1']
)
def test_any_other_is_not_plain(rest: bytes) -> None:
    number, value = answer_object(b'{"id":3,%b}' % rest)
    assert (number, plain_payload(value)) == (3, None)


def test_the_id_of_a_long_line_is_found_when_it_comes_first() -> None:
    assert id_of(b' { "id" : 12 , "data": "xxx') == 12
    assert id_of(b'{"data": "{\\"id\\": 1,') is None
    assert id_of(b'{"id":' + b"1" * 200) is None
