"""What a person at a terminal sees of a message."""

from __future__ import annotations

import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli.environment import BOLD, DIM, Environment
from natscli.message import headers
from natscli.output.live import Live
from natscli.output.terminal import Painter
from tests.terminal import Terminal

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
        b'{"a": NaN}',
        b"[Infinity]",
        b'{"a": 1',
        b"[" * 100_000,
        b'"text"',
        b"1.50",
        b"[1] x",
    ],
)
def test_what_is_no_json_object_or_array_is_shown_as_it_came(payload: bytes) -> None:
    assert COLORED.payload(payload) == payload.decode() + "\n"


@pytest.mark.parametrize(
    "literal",
    ["2.50", "1e3", "1E+3", "-0", "-0.0", "9" * 5000, "1e400", '"\\u0041\\/"', "true", '" , : [ { "'],
)
def test_every_literal_of_json_is_kept(literal: str) -> None:
    payload = f'{{"a":{literal},"b":[{literal}]}}'.encode()
    assert PLAIN.payload(payload) == f'{{\n  "a": {literal},\n  "b": [\n    {literal}\n  ]\n}}\n'
    assert uncolored(COLORED.payload(payload)) == PLAIN.payload(payload)


def test_every_member_of_json_is_kept_and_empty_ones_stay_short() -> None:
    payload = b'{"a": 1, "a": 2, "": {}, "b": [ ], "c": [[], {"d": []}]}'
    pretty = """{
  "a": 1,
  "a": 2,
  "": {},
  "b": [],
  "c": [
    [],
    {
      "d": []
    }
  ]
}
"""
    assert PLAIN.payload(payload) == pretty


@pytest.mark.parametrize("payload", [b"[" * 900 + b"]" * 900, b"[" * 30_000 + b"]" * 30_000])
def test_json_that_is_nested_deep_is_shown_as_it_came(payload: bytes) -> None:
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


def test_markup_is_text() -> None:
    assert PLAIN.paint(("[bold]x[/bold] :smile:", "")) == "[bold]x[/bold] :smile:\n"


def test_a_style_ends_with_its_text() -> None:
    parts = [("a", BOLD), ("", DIM), ("b\n", "")]
    assert COLORED.paint(*parts) == "\x1b[1ma\x1b[0mb\\n\n"
    assert PLAIN.paint(*parts) == "ab\\n\n"


def test_nothing_is_drawn_again_and_again_on_a_dumb_terminal() -> None:
    terminal = Terminal()
    with open(terminal.slave, "wb", closefd=False) as stream:
        for name, drawn in (("dumb", False), ("xterm", True), ("", True)):
            environment = Environment(io.BytesIO(), stream, stream, {"TERM": name})
            assert environment.draws_on(stream) == drawn
            assert (Live.on_stdout(environment) is not None) == drawn
    terminal.close()
