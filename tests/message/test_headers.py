"""Header blocks: made, taken apart, and kept from being abused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli.errors import InputError
from natscli.message import headers

NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":"), min_size=1)
VALUES = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"])).map(
    lambda text: text.encode().strip().decode()
)


@given(st.lists(st.tuples(NAMES, VALUES), min_size=1))
def test_what_is_made_is_taken_apart_again(pairs: list[tuple[str, str]]) -> None:
    for name, value in pairs:
        headers.check(name, value)
    assert headers.decode(headers.encode(pairs)) == tuple(pairs)


@given(st.binary())
def test_nothing_from_the_network_breaks_it(block: bytes) -> None:
    assert isinstance(headers.decode(block), tuple)
    assert isinstance(headers.status(block), str)


def test_no_headers_are_no_block() -> None:
    assert headers.encode([]) == b""
    assert headers.decode(None) == ()


def test_names_keep_their_case_and_may_repeat() -> None:
    pairs = (("A", "1"), ("a", "2"), ("A", "3"))
    assert headers.decode(headers.encode(pairs)) == pairs


def test_bytes_that_are_not_utf_8_survive() -> None:
    block = b"NATS/1.0\r\nA: \xff\xfe\r\n\r\n"
    pairs = headers.decode(block)
    assert pairs == (("A", "\udcff\udcfe"),)
    assert headers.encode(pairs) == block


def test_lines_that_are_no_headers_are_left_out() -> None:
    assert headers.decode(b"NATS/1.0\r\nnothing\r\n: x\r\nA:1\r\nB:  a: b \r\n\r\n") == (
        ("A", "1"),
        ("B", "a: b"),
    )


@pytest.mark.parametrize("value", ["a\r\nB: 2", "a\nb", "a\rb", "a\0b"])
def test_a_value_cannot_add_a_line(value: str) -> None:
    with pytest.raises(InputError, match="line break"):
        headers.check("A", value)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\n", "ä", "a\0", "a\x7f"])
def test_a_name_is_printable_ascii_without_spaces_and_colons(name: str) -> None:
    with pytest.raises(InputError, match="header name"):
        headers.check(name, "x")


@pytest.mark.parametrize(
    ("block", "status"),
    [
        (b"NATS/1.0 503\r\n\r\n", "503"),
        (b"NATS/1.0 503 No Responders\r\n\r\n", "503"),
        (b"NATS/1.0\r\nA: 1\r\n\r\n", ""),
        (None, ""),
        (b"", ""),
    ],
)
def test_a_status_is_found(block: bytes | None, status: str) -> None:
    assert headers.status(block) == status


def test_a_service_error_is_one_line() -> None:
    assert headers.decode(headers.service_error("it\r\nfailed ", 500)) == (
        ("Nats-Service-Error", "it failed"),
        ("Nats-Service-Error-Code", "500"),
    )


@pytest.mark.parametrize(
    ("pairs", "problem"),
    [
        ([("Nats-Service-Error", "bad"), ("Nats-Service-Error-Code", "400")], ("400", "bad")),
        ([("nats-service-error-code", "500")], ("500", "")),
        ([("Nats-Service-Error", "")], ("", "")),
        ([("A", "Nats-Service-Error")], None),
        ([("Nats-Service-Error-Codes", "1")], None),
    ],
)
def test_a_service_error_is_found_in_any_case(
    pairs: list[tuple[str, str]], problem: tuple[str, str] | None
) -> None:
    assert headers.read_service_error(headers.encode(pairs)) == problem
    assert headers.read_service_error(None) is None
