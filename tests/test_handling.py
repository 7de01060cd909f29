"""What a handler gets, and what is made of what it gives."""

from __future__ import annotations

import doctest
import json
import re
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli import Reply, Request, ServiceError, handling
from natscli.message import headers
from natscli.reply.python.received import ReceivedRequest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda children: st.lists(children) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), children),
)  # fmt: skip


def request(data: bytes = b"", header: bytes | None = None, subject: bytes = b"a.b") -> Request:
    made: Request = ReceivedRequest().filled((subject, b"inbox", header, data), 7, None)
    return made


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


@pytest.mark.parametrize(("value", "kind"), [(b"x", "bytes"), (None, "NoneType"), (["a", b"x"], "bytes")])
def test_a_header_that_is_no_text_is_a_type_error(value: Any, kind: str) -> None:
    with pytest.raises(TypeError, match=f"the value of header 'A' is str, not {kind}"):
        Reply(headers={"A": value}).encode()


def test_the_code_of_an_error_is_a_number() -> None:
    with pytest.raises(TypeError, match="the code of a ServiceError is int, not str"):
        ServiceError("404", "x")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [float("inf"), object(), {1, 2}, {("a",): 1}, "\ud800"])
def test_what_cannot_be_sent_is_an_error(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        handling.encode(value)


def test_the_examples_are_right() -> None:
    result = doctest.testmod(handling)
    assert (result.failed, result.attempted > 0) == (0, True)


def test_a_test_makes_requests_as_it_thinks_of_them() -> None:
    asked = Request(
        "users.get", json={"id": 1}, headers={"X-Trace": "7", "A": ["1", "2"]}, state="db", count=3
    )
    assert (asked.subject, asked.tokens, asked.json()) == ("users.get", ("users", "get"), {"id": 1})
    assert asked.header_pairs == (
        ("X-Trace", "7"), ("A", "1"), ("A", "2"), ("Content-Type", "application/json"),
    )  # fmt: skip
    assert (asked.count, asked.state, asked.reply_subject) == (3, "db", "_INBOX.test")
    assert (Request("s", data=b"\xff").data, Request("s", text="é").text, Request().data) == (
        b"\xff",
        "é",
        b"",
    )
    assert (Request("s", json=None).data, Request("s", json="x").data) == (b"null", b'"x"')


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"body": b"x"}, "takes no 'body'; it takes subject, data, text, json, headers"),
        ({"data": "x"}, "data of a Request is bytes, not str"),
        ({"text": b"x"}, "text of a Request is str, not bytes"),
        ({"subject": b"a"}, "subject of a Request is str, not bytes"),
        ({"data": b"x", "json": 1}, "data and json are all the payload"),
        ({"headers": [("A", "1")]}, "headers are names and values, such as {'Trace': '7'}, not list"),
        ({"json": {1, 2}}, "not JSON serializable"),
    ],
)
def test_a_request_says_what_it_takes(given: dict[str, Any], what: str) -> None:
    with pytest.raises(TypeError, match=re.escape(what)):
        Request(**given)


def test_a_reply_shows_what_would_be_sent() -> None:
    assert Reply({"a": 1}, headers={"A": "1"}).encode() == (
        (("A", "1"), ("Content-Type", "application/json")), b'{"a": 1}',
    )  # fmt: skip
    assert Reply("é").encode() == ((), "é".encode())
    for value in (float("nan"), datetime.now(timezone.utc), "\ud800"):
        with pytest.raises((TypeError, ValueError)):
            Reply(value).encode()
    with pytest.raises(TypeError, match="headers are names and values"):
        Reply(headers=[("A", "1")])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "given", [{"subject": "a..b"}, {"subject": "a", "name": "a b"}, {"subject": "a", "queue": "a b"}]
)
def test_an_endpoint_that_cannot_be_is_refused_where_it_is_written(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        handling.endpoint(**given)
