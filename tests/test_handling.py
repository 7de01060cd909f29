"""What a handler gets, and what is made of what it gives."""

from __future__ import annotations

import doctest
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli import Reply, Request, ServiceError, handling
from natscli.message import headers

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda children: st.lists(children) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), children),
)  # fmt: skip


def request(data: bytes = b"", header: bytes | None = None, subject: bytes = b"a.b") -> Request:
    return Request(subject, b"inbox", header, data, 7)


@given(JSON.filter(lambda value: value is not None and not isinstance(value, str)))
def test_what_json_can_hold_comes_back(value: Any) -> None:
    lines, payload = handling.encode(value)
    assert lines == b"Content-Type: application/json\r\n"
    assert request(payload).json() == value == json.loads(payload)


@given(st.binary())
def test_any_payload_is_text_or_json_or_an_error_400(data: bytes) -> None:
    for read in (lambda r: r.text, Request.json):
        with suppress(handling.PayloadError):  # which answers with 400
            read(request(data))


@pytest.mark.parametrize("data", [b"[" * 100_000, b"1" * 10_000, b"\xff", b""])
def test_json_that_is_too_deep_or_too_long_is_an_error_400(data: bytes) -> None:
    with pytest.raises(ServiceError, match=r"^400: the payload is not JSON: "):
        request(data).json()


def test_a_request_whose_bytes_are_not_utf_8_can_be_looked_at() -> None:
    odd = request(b"\xff", b"NATS/1.0\r\nA: \xff\r\nA:2\r\nb: 3\r\n\r\n", b"a.\xff")
    assert odd.tokens == ("a", "\udcff")
    assert odd.headers == {"A": "\udcff", "b": "3"}
    assert odd.header_pairs == (("A", "\udcff"), ("A", "2"), ("b", "3"))
    assert odd.reply_subject == "inbox"
    assert repr(odd) == "<Request #7 on 'a.\\udcff', 1 bytes>"


def test_headers_may_repeat_and_be_numbers() -> None:
    lines, payload = handling.encode(Reply(None, headers={"A": ["1", "2"], "Size": 3}))  # type: ignore[dict-item]
    assert headers.decode(b"NATS/1.0\r\n" + lines + b"\r\n") == (("A", "1"), ("A", "2"), ("Size", "3"))
    assert payload == b""


@pytest.mark.parametrize("value", [{"A B": "x"}, {"A": "x\r\ny"}, {"": "x"}, {"A": ["ok", "\0"]}])
def test_headers_that_cannot_be_sent_are_refused(value: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="header"):
        handling.encode(Reply(headers=value))


@pytest.mark.parametrize("value", [float("inf"), object(), {1, 2}, {("a",): 1}, "\ud800"])
def test_what_cannot_be_sent_is_an_error(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        handling.encode(value)


def test_the_examples_are_right() -> None:
    result = doctest.testmod(handling)
    assert (result.failed, result.attempted > 0) == (0, True)
