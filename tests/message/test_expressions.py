"""Expressions on messages: compiled first, then evaluated; a value or one line that says why not."""

from __future__ import annotations

import json
from contextlib import suppress
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli.errors import ExitStatus, InputError
from natscli.message.expressions import (
    FailedExpressionError,
    MessageView,
    as_bytes,
    compile_expression,
)

BLOCK = b"NATS/1.0\r\nContent-Type: a\r\ncontent-type: b\r\nX: caf\xe9\r\n\r\n"
ORDER = MessageView(BLOCK, b'{"status": "failed", "items": [{"price": 2}, {"price": 3}]}')


def unmet(text: str, view: MessageView = ORDER) -> str:
    return compile_expression(text, MessageView.NAMES, "--expect").unmet(view)


@pytest.mark.parametrize(
    "text",
    [
        'json["status"] == "failed"',
        'sum(item["price"] for item in json["items"]) == 5',
        "max(map(lambda item: item['price'], json['items'])) == 3",
        'headers["CONTENT-type"] == "a" and "x" in headers',
        "size == len(data) == 59",
        '"failed" in text',
        "error is None and status is None",
        '(items := json["items"]) and len(items) == 2',
        "  size > 1  ",
    ],
)
def test_what_is_true_is_met(text: str) -> None:
    assert unmet(text) == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('json["status"] == "ok"', """expected json["status"] == "ok", got 'failed'"""),
        ('size > 1 and json["status"] == "ok"', """expected json["status"] == "ok", got 'failed'"""),
        ("size > 1000 and undefined_is_not_reached", ""),
        ('json["nothing"]', "expected json[\"nothing\"], got KeyError: 'nothing'"),
        ("not json", "expected not json, got False"),
        ("1 / 0", "expected 1 / 0, got ZeroDivisionError: division by zero"),
        ("'a' * 1000 == text", f"expected 'a' * 1000 == text, got '{'a' * 199}..."),
    ],
)
def test_what_is_not_true_says_which_value_it_had(text: str, why: str) -> None:
    if not why:
        with pytest.raises(InputError, match="unknown name 'undefined_is_not_reached'"):
            unmet(text)
        return
    assert unmet(text) == why


def test_a_payload_that_is_no_json_is_said_so() -> None:
    assert unmet("json", MessageView(None, b"\xff<html>")) == "expected json, got no JSON: '\ufffd<html>'"


def test_errors_and_status_lines() -> None:
    failed = MessageView(
        b"NATS/1.0\r\nNats-Service-Error-Code: 500\r\nNats-Service-Error: no paper\r\n\r\n", b""
    )
    assert (failed.error, failed.status) == ("500: no paper", None)
    nothing = MessageView(b"NATS/1.0 404 No Messages\r\n\r\n", b"")
    assert (nothing.error, nothing.status) == ("404: No Messages", 404)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("json[", "'[' was never closed at character 5"),
        ("a b", "invalid syntax"),
        (
            "jsn == 1",
            "unknown name 'jsn' in 'jsn == 1': there are data, error, headers, json, size, status, text",
        ),
        ("", "invalid syntax"),
        ("x = 1", "invalid syntax"),
        ("\0", "null bytes"),
        ("(" * 5_000, "too many nested parentheses"),
    ],
)
def test_what_is_no_expression_is_refused_with_the_position(text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        compile_expression(text, MessageView.NAMES, "--expect")
    assert says in str(caught.value)
    assert str(caught.value).endswith("(--expect)")
    assert caught.value.status is ExitStatus.USAGE


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (b"\xff", b"\xff"), ("\u00e9", b"\xc3\xa9"), ({"a": [1, None]}, b'{"a": [1, null]}'), (3.5, b"3.5"),
        (None, b"null"), ("\udc80", b"\xef\xbf\xbd"), (["\udc80"], b'["\xef\xbf\xbd"]'),
        ({3, 1, 2}, b"[1, 2, 3]"), (frozenset({1, "a"}), b'["a", 1]'), ((1, (2,)), b"[1, [2]]"),
        (range(3), b"[0, 1, 2]"), ({"a": 1}.keys(), b'["a"]'), (iter("ab"), b'["a", "b"]'),
        (MappingProxyType({"a": {1}}), b'{"a": [1]}'), (bytearray(b"\xff"), b"\xff"), (memoryview(b"x"), b"x"),
        (ORDER.headers, b'{"Content-Type": ["a"], "content-type": ["b"], "X": ["caf\xef\xbf\xbd"]}'),
        ([MessageView(None, b"").headers, 10**20], b"[{}, 100000000000000000000]"),
    ],
)  # fmt: skip
def test_what_a_query_writes(value: object, data: bytes) -> None:
    assert as_bytes(value) == data


class Odd:
    """Nothing of it can be shown, or be true."""

    def __repr__(self) -> str:
        raise KeyError(self)

    def __bool__(self) -> bool:
        raise SystemExit("no")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (float("nan"), "it has neither NaN nor infinity"),
        ({"a": [float("-inf")]}, "it has neither NaN nor infinity"),
        (10**5000, "a number has too many digits"),
        ([{"a": -(10**5000)}], "a number has too many digits"),
        (len, "builtin_function_or_method <built-in function len>"),
        (json, "module <module 'json' from "),
        ([b"x"], "bytes b'x'"),
        ({(1, 2): 3}, "keys must be str, int, float, bool or None, not tuple"),
        (Odd(), "Odd a value that cannot be shown (KeyError)"),
        ([b"x" * 10_000_000], f"bytes b'{'x' * 150}"),
        (1j, "complex 1j"),
        ((1 / 0 for _ in "a"), "ZeroDivisionError: division by zero"),
        ((exit() for _ in "a"), "SystemExit: None"),
    ],
    ids=map(str, range(13)),  # not all of them can be shown
)
def test_what_is_nothing_that_json_has(value: object, why: str) -> None:
    with pytest.raises(FailedExpressionError) as caught:
        as_bytes(value)
    assert str(caught.value).startswith(f"no JSON: {why}")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("10**5000 == 1", "a value that cannot be shown (ValueError)"),
        ("text * 100_000 == 1", f"'{ORDER.text}{ORDER.text}{ORDER.text}{ORDER.text}"[:200] + "..."),
        ("json['x' * 10_000_000]", f"KeyError: '{'x' * 199}..."),
        ("json[10**5000]", "KeyError"),
        ("exit()", "SystemExit: None"),
        ("float('nan') == 1", "nan"),
        ("type('Odd', (), {'__bool__': lambda self: 1 / 0})()", "ZeroDivisionError: division by zero"),
        ("(_ for _ in ()).throw(type('E', (Exception,), {'__str__': lambda self: 1 / 0}))", "E"),
    ],
)
def test_odd_values_are_said_on_one_short_line(text: str, got: str) -> None:
    assert unmet(text) == f"expected {text}, got {got}"
    expression = compile_expression(text, MessageView.NAMES, "--where")
    with suppress(FailedExpressionError):
        assert not expression.is_true(ORDER)


def test_json_with_a_number_that_python_does_not_read() -> None:
    assert (
        unmet("json", MessageView(None, b"9" * 5000))
        == "expected json, got no JSON: a number has too many digits"
    )


@given(st.text(max_size=40))
def test_any_text_is_an_expression_or_a_clear_error(text: str) -> None:
    with suppress(InputError):
        compile_expression(text, MessageView.NAMES, "--query")
