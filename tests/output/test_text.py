"""Nothing from the network drives the terminal."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli.output.text import hex_dump, payload_text, visible, visible_json, visible_line

CONTROLS = {
    "\x1b[2J": "\\x1b[2J",
    "\x9b31m": "\\x9b31m",
    "\0": "\\x00",
    "\a": "\\x07",
    "\b": "\\x08",
    "\r": "\\r",
    "\x7f": "\\x7f",
    "\x85": "\\x85",
    "\u202e": "\\u202e",
    "\u2066": "\\u2066",
    "\u061c": "\\u061c",
    "\u200f": "\\u200f",
    "\u2028": "\\u2028",
}
UNSAFE = set("".join(map(chr, [*range(32), *range(127, 160)])) + "\u061c\u200e\u200f\u2028\u2029") | {
    chr(c) for c in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


@pytest.mark.parametrize(("control", "shown"), CONTROLS.items())
def test_a_control_character_is_shown_as_an_escape(control: str, shown: str) -> None:
    assert visible(f"a{control}b") == f"a{shown}b"
    assert visible_line(f"a{control}b") == f"a{shown}b"


def test_tabs_and_line_breaks_are_left_alone_but_in_a_line() -> None:
    assert visible("a\tb\nc\r\nd") == "a\tb\nc\nd"
    assert visible_line("a\tb\nc\r\nd") == "a\\tb\\nc\\r\\nd"


def test_a_backslash_and_an_r_are_no_carriage_return() -> None:
    assert visible("C:\\r\n") == "C:\\r\n"


def test_any_other_text_stays_as_it_is() -> None:
    for text in ("plain", "grüße, 日本, 👩‍🚀", "a\\x1bb"):
        assert visible(text) == visible_line(text) == text


def test_bytes_that_are_not_utf_8_are_shown_in_hex() -> None:
    assert visible_line(b"a\xff\x9b".decode("utf-8", "surrogateescape")) == "a\\xff\\x9b"


@given(st.text(st.characters(exclude_categories=[])))
def test_no_text_gets_a_control_character_through(text: str) -> None:
    assert not UNSAFE & (set(visible(text)) - set("\t\n"))
    assert not UNSAFE & set(visible_line(text))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_stays_the_same_json(text: str) -> None:
    shown = visible_json(json.dumps(text, ensure_ascii=False))
    assert not UNSAFE & set(shown)
    assert json.loads(shown) == text


def test_a_payload_that_is_text_is_shown_as_text() -> None:
    assert payload_text("grüße\x1b\n".encode()) == "grüße\\x1b\n"


def test_any_other_payload_is_a_hex_dump() -> None:
    assert payload_text(b"\xff" + b"ABCDEFGHIJKLMNOP\x1b") == (
        "00000000  ff 41 42 43 44 45 46 47  48 49 4a 4b 4c 4d 4e 4f  |.ABCDEFGHIJKLMNO|\n"
        "00000010  50 1b                                             |P.|"
    )


def test_a_hex_dump_is_short() -> None:
    assert hex_dump(bytes(256)).count("\n") == 15
    assert hex_dump(bytes(257)).splitlines()[-1] == "... 257 bytes in all"
    assert hex_dump(b"") == ""
