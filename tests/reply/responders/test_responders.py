"""What requests are answered with."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli.message import headers
from natscli.message.header_lines import HeaderTemplates
from natscli.message.message import Message
from natscli.message.templates import compile_template
from natscli.reply.responders.echo import Echo
from natscli.reply.responders.responder import Batch, Failure, Responder
from natscli.reply.responders.static import static

Lines = list[tuple[str, str]]


def header_templates(lines: Lines) -> HeaderTemplates:
    return tuple((name, compile_template(value, "--header", reply=True)) for name, value in lines)


Respond = Callable[[list[Message], int], list[Message]]


def responding(responder: Responder) -> Respond:
    """What an immediate responder answers, in the call that asks it."""

    def respond(requests: list[Message], first: int) -> list[Message]:
        answered: list[tuple[Batch, list[Message]]] = []
        asked = Batch(requests, first, 0)

        def done(
            batch: Batch, replies: list[Message], failure: Failure | None, *, more: bool = False
        ) -> None:
            answered.append((batch, replies))

        responder.respond(asked, done)
        ((batch, replies),) = answered
        assert (batch, responder.immediate) == (asked, True)
        return replies

    return respond


def responder(body: str, lines: Lines | None = None) -> Respond:
    return responding(static(compile_template(body, "BODY", reply=True), header_templates(lines or [])))


def echo(header: HeaderTemplates) -> Respond:
    return responding(Echo(header))


def request(payload: bytes = b"", header: bytes | None = None, subject: bytes = b"a.b") -> Message:
    return (subject, b"inbox", header, payload)


def test_a_static_body_answers_a_whole_batch() -> None:
    answers = responder("OK %d", [("A", "1"), ("A", "2 %d")])([request(), request()], 0)
    assert answers == [(b"inbox", b"", b"NATS/1.0\r\nA: 1\r\nA: 2 %d\r\n\r\n", b"OK %d")] * 2


def test_a_template_is_filled_from_number_payload_and_tokens() -> None:
    respond = responder("{{Count}} {{Request}} {{1}} {{0}} {{9}}|100%")
    answers = respond([request(b"\xff%d{{Count}}"), request(b"two", subject=b"x")], 7)
    assert [payload for *_, payload in answers] == [b"7 \xff%d{{Count}} b a |100%", b"8 two  x |100%"]


def test_ids_differ() -> None:
    answers = responder("{{ID}}")([request()] * 1000, 0)
    assert len({payload for *_, payload in answers}) == 1000


def test_headers_are_templates_too() -> None:
    respond = responder("x", [("N%", "{{Count}}/{{Request}}"), ("Plain", "50%"), ("N%", "{{1}}")])
    ((_, _, block, payload),) = respond([request(b"hi")], 3)
    assert (block, payload) == (b"NATS/1.0\r\nN%: 3/hi\r\nPlain: 50%\r\nN%: b\r\n\r\n", b"x")


def test_a_request_in_a_header_cannot_add_another_header() -> None:
    ((_, _, block, _),) = responder("x", [("A", "{{Request}}")])([request(b"1\r\nEvil: yes\n\0")], 0)
    assert block == b"NATS/1.0\r\nA: 1  Evil: yes  \r\n\r\n"


def test_an_echo_keeps_every_header_line_and_counts() -> None:
    came = b"NATS/1.0\r\nB: 2\r\na:1\r\nB:  \xff\r\nB: 2\r\n\r\n"
    answers = echo(())([request(b"\0\xff", came), request(b"")], 41)
    assert answers == [
        (b"inbox", b"", came[:-2] + b"NATS-Reply-Counter: 41\r\n\r\n", b"\0\xff"),
        (b"inbox", b"", b"NATS/1.0\r\nNATS-Reply-Counter: 42\r\n\r\n", b""),
    ]


def test_an_echo_has_the_given_headers_first() -> None:
    respond = echo(header_templates([("X", "{{Request}}"), ("Y", "%")]))
    ((_, _, block, _),) = respond([request(b"hi", b"NATS/1.0\r\nA: b\r\n\r\n")], 0)
    assert block == b"NATS/1.0\r\nX: hi\r\nY: %\r\nA: b\r\nNATS-Reply-Counter: 0\r\n\r\n"


@pytest.mark.parametrize(
    "came",
    [
        b"NATS/1.0 503\r\n\r\n",
        b"NATS/1.0 503 No Responders\r\nA: b\r\n\r\n",
        b"NATS/1.0\r\n",
        b"junk",
        b"\r\n",
    ],
)
def test_an_echo_of_a_status_or_of_a_broken_header_block_is_a_sound_one(came: bytes) -> None:
    ((_, _, block, payload),) = echo(())([request(b"x", came)], 0)
    assert (block, payload) == (b"NATS/1.0\r\nNATS-Reply-Counter: 0\r\n\r\n", b"x")


VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0{"), max_size=20).map(
    str.strip
)
NAMES = st.text("abcABC-%", min_size=1, max_size=8)


@given(
    st.lists(st.tuples(NAMES, VALUES), max_size=4),
    st.lists(st.tuples(NAMES, VALUES), max_size=4),
    st.binary(),
)
def test_an_echo_has_what_came_between_what_was_given_and_the_counter(
    given_lines: Lines, came: Lines, payload: bytes
) -> None:
    ((_, _, block, echoed),) = echo(header_templates(given_lines))(
        [request(payload, headers.encode(came) or None)], 5
    )
    assert echoed == payload
    assert list(headers.decode(block)) == [*given_lines, *came, ("NATS-Reply-Counter", "5")]


@given(st.lists(st.tuples(NAMES, VALUES), max_size=4), st.binary())
def test_templated_headers_say_what_static_ones_say(lines: Lines, payload: bytes) -> None:
    ((_, _, block, _),) = responder("x", [*lines, ("Last", "{{Count}}")])([request(payload)], 9)
    ((_, _, expected, _),) = responder("x", [*lines, ("Last", "9")])([request(payload)], 9)
    assert block == expected
