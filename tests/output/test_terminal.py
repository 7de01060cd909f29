"""What a person at a terminal sees of a message."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli.message import headers
from natscli.output.terminal import Painter

PLAIN, COLORED = Painter(colored=False), Painter(colored=True)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def uncolored(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_json_is_pretty_printed_and_coloured() -> None:
    payload = '{"b": [1, "grüße"], "a": null}'.encode()
    pretty = '{\n  "b": [\n    1,\n    "grüße"\n  ],\n  "a": null\n}\n'
    assert PLAIN.payload(payload) == pretty
    assert uncolored(COLORED.payload(payload)) == pretty
    assert "\x1b[" in COLORED.payload(payload)
    assert PLAIN.payload(b" \n[1]\n") == "[\n  1\n]\n"


@pytest.mark.parametrize(
    "payload",
    [
        b'{"a": 1, "a": 2}',
        b'{"a": 1.10}',
        b"[-0]",
        b"[" + b"9" * 5000 + b"]",
        b'{"a": 1e400}',
        b'{"a": NaN}',
        b'{"a": 1',
        b"[" * 100_000,
        b'"text"',
        b"1.50",
        b"[1] x",
    ],
)
def test_json_that_would_not_say_the_same_is_shown_as_it_came(payload: bytes) -> None:
    assert COLORED.payload(payload) == payload.decode() + "\n"


def test_large_json_is_shown_as_it_came() -> None:
    payload = json.dumps(["x" * 70_000]).encode()
    assert COLORED.payload(payload) == payload.decode() + "\n"


@given(st.dictionaries(st.text(), JSON_VALUES))
def test_json_says_the_same_and_drives_no_terminal(data: object) -> None:
    payload = json.dumps(data, ensure_ascii=False).encode("utf-8", "replace")
    shown = uncolored(COLORED.payload(payload))
    assert json.loads(shown) == json.loads(payload)
    assert "\x1b" not in shown
    assert "\x9b" not in shown


def test_json_that_is_asked_for_as_it_is_stays_so() -> None:
    assert COLORED.payload(b'{"a":1}', pretty=False) == '{"a":1}\n'


def test_text_is_escaped_and_ends_its_line_once() -> None:
    assert COLORED.payload(b"a\x1b[31mb") == "a\\x1b[31mb\n"
    assert COLORED.payload(b"a\n") == "a\n"
    assert COLORED.payload(b"") == ""
    assert COLORED.payload(b"\xff").startswith("00000000  ff ")


def test_headers_are_lines_whatever_is_in_them() -> None:
    block = headers.encode([("A", "1\x1b[2J\u202e"), ("B", "\udcff")])
    assert PLAIN.header_lines(block) == "A: 1\\x1b[2J\\u202e\nB: \\xff\n"
    assert uncolored(COLORED.header_lines(block)) == PLAIN.header_lines(block)
    assert PLAIN.header_lines(None) == ""


def test_rich_markup_is_text() -> None:
    assert PLAIN.paint(("[bold]x[/bold] :smile:", "")) == "[bold]x[/bold] :smile:\n"
