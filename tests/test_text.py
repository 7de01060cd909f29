"""Nothing from the network drives the terminal."""

from __future__ import annotations

import json
import re
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli.environment import Environment
from natscli.errors import ExitStatus, Report
from natscli.output.tables import Screen, show_table
from natscli.text import (
    bytes_for_people,
    bytes_for_programs,
    exact,
    exact_bytes,
    for_people,
    for_programs,
    hex_dump,
    payload_text,
    replaced,
    visible,
    visible_json,
    visible_line,
)

ROOT = Path(__file__).resolve().parent.parent

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


def test_a_byte_that_is_not_utf_8_is_the_same_escape_wherever_people_see_it(tmp_path: Path) -> None:
    kept = exact(b"a\xff")
    assert exact_bytes(kept) == b"a\xff"
    assert for_people(b"a\xff") == visible_line(kept) == visible(kept) == "a\\xff"
    assert bytes_for_people(kept) == b"a\\xff"
    assert bytes_for_people(kept + "\ud800") == b"a\\xff\\ud800"
    with (tmp_path / "log").open("w+b") as log:
        environment = Environment(BytesIO(), BytesIO(), log, {})
        environment.warn(kept)
        environment.error(Report(kept, ExitStatus.FAILURE, kept))
        log.seek(0)
        shown = log.read().decode()
    assert shown == "pynats: a\\xff\npynats: error: a\\xff\n  hint: a\\xff\n"
    assert "a\\xff" in show_table(kept, ["Name"], [[kept]], Screen(terminal=False, color=False))


def test_a_program_gets_one_replacement_for_what_is_no_utf_8() -> None:
    assert for_programs(b"a\xff") == replaced(exact(b"a\xff")) == "a\ufffd"
    assert bytes_for_programs(exact(b"a\xff")) == "a\ufffd".encode()
    assert replaced("a\ud800") == "a\ufffd"


def test_the_three_policies_are_in_one_place() -> None:
    policies = re.compile(r"surrogateescape|backslashreplace|\"utf-8\", \"replace\"")
    found = [path for path in (ROOT / "natscli").rglob("*.py") if policies.search(path.read_text())]
    assert found == [ROOT / "natscli" / "text.py"]
