"""Formats of frameworks: what is sent, and what is made of what comes."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli.errors import InputError
from natscli.message.formats import NAMES, load
from natscli.message.formats.format import Asked, Content
from natscli.message.headers import decode, encode, service_error


def packet(content: Content) -> dict[str, object]:
    found: dict[str, object] = json.loads(content.payload)
    return found


def test_nestjs_asks_with_pattern_data_and_an_id_of_its_own() -> None:
    form = load("nestjs")
    first, second = (form.request("sum", number, Content(None, b" [1, 2]\n")) for number in (1, 2))
    assert {name: value for name, value in packet(first).items() if name != "id"} == {
        "pattern": "sum",
        "data": [1, 2],
    }
    assert packet(first)["id"] != packet(second)["id"]
    assert "data" not in packet(form.request("sum", 1, Content(None, b"")))


@pytest.mark.parametrize(
    ("given", "subject"),
    [
        ("sum", "sum"),
        ('{"op": "x", "cmd": "sum"}', '{"cmd":"sum","op":"x"}'),
        ('{"b":{"d":1,"c":"x"},"a":true}', '{"a":true,"b":{"c":"x","d":1}}'),
        ('{"B":1,"a":2}', '{"a":2,"B":1}'),
        (r'{"cmd":"a\"b"}', r'{"cmd":"a\"b"}'),
        (
            '{"v1":1,"v_a":2,"cmd":"x","v-a":3,"v.a":4,"v":5}',
            '{"cmd":"x","v":5,"v_a":2,"v-a":3,"v.a":4,"v1":1}',
        ),
        ('{"é":1,"f":2,"e":3,"E":4,"éa":5,"ea":6}', '{"e":3,"E":4,"é":1,"ea":6,"éa":5,"f":2}'),
        (
            '{"a":1.0,"b":1e3,"c":-0.0,"d":1.50,"e":1e21,"f":1e-7,"g":true,"h":null}',
            '{"a":1,"b":1000,"c":0,"d":1.5,"e":1e+21,"f":1e-7,"g":true,"h":null}',
        ),
    ],
)
def test_a_pattern_that_is_an_object_is_a_subject_as_nestjs_has_it(given: str, subject: str) -> None:
    form = load("nestjs")
    assert form.subject(given) == subject
    if given.startswith("{"):
        assert packet(form.request(subject, 1, Content(None, b"1")))["pattern"] == json.loads(given)


def test_a_list_in_a_pattern_is_an_object_with_indices() -> None:
    keys = ",".join(f'"{key}":0' for key in (0, 1, 10, 2, 3, 4, 5, 6, 7, 8, 9))
    assert load("nestjs").subject(f'{{"path":{[0] * 11}}}') == f'{{"path":{{{keys}}}}}'


def test_numbers_in_a_pattern_are_those_of_javascript() -> None:
    pattern = '{"a":12345678901234567890,"b":[1e400]}'
    assert load("nestjs").subject(pattern) == '{"a":12345678901234567000,"b":{"0":Infinity}}'


def test_a_subject_that_begins_with_a_template_is_no_pattern() -> None:
    assert load("nestjs").subject("{{ID}}.sum") == "{{ID}}.sum"


@pytest.mark.parametrize("payload", [b"hello", b"{", b"NaN", b"\xff", b"[" * 5000])
def test_nestjs_refuses_a_payload_that_is_not_json(payload: bytes) -> None:
    with pytest.raises(InputError, match="the payload is not JSON"):
        load("nestjs").request("sum", 1, Content(None, payload))


def test_nestjs_reads_packets_until_the_last() -> None:
    form = load("nestjs")
    own = packet(form.request("sum", 7, Content(None, b"1")))["id"]

    def read(value: object) -> object:
        return form.read_reply(7, Content(None, json.dumps(value).encode()))

    assert read({"response": 1, "id": own}) == (b"1", False, None)
    assert read({"response": "é", "isDisposed": True, "id": own}) == ('"é"'.encode(), True, None)
    assert read({"isDisposed": True, "id": own}) == (None, True, None)
    assert read({"response": 1, "id": "of another"}) is None
    assert read({"err": "no", "isDisposed": True, "id": own}) == (b'"no"', True, ("service", "", "no"))
    err = {"status": "error", "code": 422, "message": "bad"}
    assert read({"err": err, "id": own})[2] == ("service", "422", "bad")  # type: ignore[index]
    assert form.read_reply(7, Content(None, b"plain")) == (b"plain", True, None)


@pytest.mark.parametrize(
    ("packet", "shown"),
    [
        (b'{"response":null,"isDisposed":true,"id":"a"}', b"null"),
        (b'{"err":null,"response":5,"isDisposed":true}', b"5"),
        (b'{"err":"bad","isDisposed":true}', b'"bad"'),
        (b'{"isDisposed":true}', b""),
        (b'{"pattern":"sum","data":null,"id":"a"}', b"null"),
        (b'{"pattern":"sum","id":"a"}', b""),
    ],
)
def test_nestjs_shows_a_null_of_others_as_such(packet: bytes, shown: bytes) -> None:
    assert load("nestjs").shown(Content(None, packet)) == shown


@pytest.mark.parametrize(
    ("reply", "belongs"),
    [
        (b'{"response":1,"isDisposed":true,"id":"a"}', True),
        (b'{"response":1,"isDisposed":true}', True),
        (b'{"response":1,"isDisposed":true,"id":"b"}', False),
        (b'{"id":"b"}', True),  # no packet
        (b"[1]", True),
    ],
)
def test_nestjs_knows_packets_of_other_requests(reply: bytes, belongs: bool) -> None:
    asked = Content(None, b'{"pattern":"sum","data":[1],"id":"a"}')
    assert load("nestjs").belongs(asked, Content(None, reply)) == belongs
    assert load("nestjs").belongs(Content(None, b"plain"), Content(None, reply))


def test_nestjs_answers_with_the_id_and_an_end() -> None:
    form = load("nestjs")
    asked = form.read_request(Content(None, b'{"pattern":"sum","data":[1,2],"id":"x"}'))
    assert (asked.payload, asked.memory) == (b"[1,2]", "x")
    several = [
        form.reply(asked, Content(None, b"1"), last=False),
        form.reply(asked, Content(None, b"two"), first=False, last=False),
        form.reply(asked, Content(None, b""), first=False),
    ]
    assert list(map(packet, several)) == [
        {"response": 1, "id": "x"},
        {"response": "two", "id": "x"},
        {"isDisposed": True, "id": "x"},
    ]
    assert packet(form.reply(asked, Content(None, b""))) == {"response": None, "isDisposed": True, "id": "x"}
    failed = form.reply(asked, Content(service_error("no", 422), b""))
    error = {"status": "error", "code": 422, "message": "no"}
    assert (failed.header, packet(failed)) == (None, {"err": error, "isDisposed": True, "id": "x"})
    with pytest.raises(ValueError, match="neither JSON nor text"):
        form.reply(asked, Content(None, b"\xff"))


def test_faststream_says_the_type_and_keeps_the_correlation_id() -> None:
    form = load("faststream")
    sent = form.request("s", 1, Content(encode([("Content-Type", "text/x")]), b"[1]"))
    pairs = dict(decode(sent.header))
    assert pairs["Content-Type"] == "text/x"
    assert "content-type" not in pairs
    reply = form.reply(form.read_request(sent), Content(None, b"text"))
    assert dict(decode(reply.header)) == {
        "content-type": "text/plain",
        "correlation_id": pairs["correlation_id"],
    }
    assert "content-type" not in dict(decode(form.request("s", 1, Content(None, b"\xff")).header))


def test_json_is_checked_both_ways_and_named() -> None:
    form = load("json")
    with pytest.raises(InputError, match="the payload is not JSON"):
        form.request("s", 1, Content(None, b"x"))
    assert dict(decode(form.request("s", 1, Content(None, b"1")).header)) == {
        "Content-Type": "application/json"
    }
    piece = form.read_reply(1, Content(None, b"x"))
    assert piece is not None
    assert piece.problem is not None
    assert "it is not JSON" in str(piece.problem)
    assert form.read_reply(1, Content(service_error("no", 1), b"")) == (b"", True, None)
    for broken in (
        lambda: form.read_request(Content(None, b"x")),
        lambda: form.reply(Asked(b""), Content(None, b"x")),
    ):
        with pytest.raises(ValueError, match="is not JSON"):
            broken()


@pytest.mark.parametrize("name", NAMES)
@given(payload=st.binary(max_size=60) | st.text('[]{}":,idrespon0 \\ud', max_size=40).map(str.encode))
def test_whatever_comes_is_a_value_or_a_clear_error(name: str, payload: bytes) -> None:
    form = load(name)
    content = Content(None, payload)
    form.read_reply(1, content)
    form.shown(content)
    with suppress(ValueError, InputError):
        form.reply(form.read_request(content), content)
    with suppress(InputError):
        form.request("s", 1, content)


@pytest.mark.parametrize(
    "payload", [b'{"response":"\\ud800","isDisposed":true}', b'{"response":' + b"[" * 900 + b"]" * 900 + b"}"]
)
def test_odd_packets_do_no_harm(payload: bytes) -> None:
    form = load("nestjs")
    assert form.read_reply(1, Content(None, payload)) is not None
    assert form.shown(Content(None, payload))
