"""What is read: contexts, mocks and recordings, answers of --pipe, of services, payloads to show."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli.contexts.checks import problems
from natscli.contexts.format import KEYS, SECRET_KEYS, Context, as_mapping, dump, parse, redacted, secrets
from natscli.message import micro
from natscli.message.message import Message
from natscli.message.payload import _lines
from natscli.message.records.content import RecordProblem
from natscli.output import json_text
from natscli.output.json_lines import Encoder
from natscli.reply.responders.parts import exchange_lines, mock_file
from natscli.reply.responders.parts.answers import KEYS as ANSWER_KEYS
from natscli.reply.responders.parts.answers import parse_answer
from natscli.reply.responders.parts.pipe_lines import (
    NoAnswerError,
    answer_object,
    id_of,
    plain_payload,
    request_line,
)
from natscli.reply.responders.responder import Batch
from natscli.text import payload_text, visible_json
from tests.fuzz.examples import Odd, attempt, checked, fuzz, odd, texts

SECRET = "s3cr3t-fuzz"

_keys = (*KEYS, "URL", "User", "api_token", "new_key")
_VALUES = (
    SECRET,
    f"nats://u:{SECRET}@h",
    f"data:;base64,{SECRET}",
    "env://X",
    "~\0x",
    "~\0x",
    "~nobody/x",
    "file://x",
    "nsc://a/b",
    "",
)


def _context(odd: Odd) -> dict[str, Any]:
    names = odd.some(lambda: odd.choice(_keys), 8)
    return {name: odd.choice(_VALUES) if odd.random() < 0.7 else odd.value(_keys) for name in names}


@fuzz
@given(odd(lambda odd: odd.file(lambda: _context(odd))))
def test_a_context_is_read_or_refused_with_its_place(data: bytes) -> None:
    context, error = checked(parse)(data, "x.json")
    if context is None:
        assert "(x.json" in error
        return
    written = dump(context)
    assert parse(written, "x.json") == context
    assert dump(parse(written, "x.json")) == written
    for problem in problems(context, {"HOME": "/nowhere", "PATH": "/nowhere"}):
        assert problem


@fuzz
@given(
    st.dictionaries(st.sampled_from(sorted(SECRET_KEYS)), st.just(SECRET), min_size=1),
    odd(lambda odd: odd.value(_keys)),
)
def test_no_secret_of_a_context_is_shown(values: dict[str, str], extra: object) -> None:
    context = Context(**values, extra={"api_password": [SECRET, extra]})  # type: ignore[arg-type]
    assert SECRET in set(secrets(context))
    assert SECRET not in repr(context) + repr(as_mapping(redacted(context)))


_SUBJECTS = ("a", "a", "a.*", "a.>", "a.b.c", "", "a..b", "\ud800", "a b")


def _answer(odd: Odd) -> Any:
    return odd.choice((
        lambda: odd.object(ANSWER_KEYS),
        odd.text,
        lambda: None,
        lambda: {"data_base64": odd.choice(("aGk=", "a", "é"))},
        lambda: {"headers": odd.some(lambda: [odd.choice(("A", "b", odd.text())), odd.text()])},
        lambda: {"headers": {"A": odd.some(odd.text), "B": odd.text()}, "data": "{{Count}} {{Request}}"},
        lambda: {"json": odd.value(), "delay": odd.choice((1, "1s", 0.5, -1, odd.text(), float("nan")))},
        lambda: {"status": odd.randint(0, 1200), "error": odd.text()},
    ))()  # fmt: skip


def _exchange(odd: Odd) -> Any:
    if odd.random() < 0.2:
        return odd.object(("subject", "request", "reply", "time", "duration_ns"))
    exchange = {"subject": odd.choice(_SUBJECTS), "reply": _answer(odd)}
    if odd.random() < 0.5:
        exchange["request"] = _answer(odd)
    return exchange


@fuzz
@given(data=odd(lambda odd: odd.file(lambda: _exchange(odd))), templates=st.booleans())
def test_a_mock_is_read_or_refused_with_its_place(
    data: bytes, templates: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "mock.json"
    path.write_bytes(data)
    mock, error = checked(mock_file.read)(str(path), templates=templates)
    if mock is None:
        assert f"({path}, line" in error or "nothing" in error
        return
    answers = [
        *(answer for rule in mock.rules for answer in rule.answers),
        *(a for kept in mock.recorded.values() for a in kept),
    ]
    for answer in answers:
        to, _, block, _ = answer.reply((b"a.b", b"inbox", None, b"{}"), 1)
        assert to == b"inbox"
        assert block is None or block.startswith(b"NATS/1.0")


_blocks = st.one_of(
    st.none(),
    st.binary(max_size=30).map(lambda rest: b"NATS/1.0" + rest + b"\r\n\r\n"),
    st.sampled_from(
        [b"NATS/1.0\r\nA: b\r\na:b\r\n\r\n", b"NATS/1.0 503\r\n\r\n", b"NATS/1.0\r\nA: \xff\r\n\r\n"]
    ),
)
_payloads = st.one_of(st.binary(max_size=60), texts.map(lambda text: text.encode("utf-8", "surrogatepass")))
_messages = st.tuples(st.just(b"a.b"), st.just(b"inbox"), _blocks, _payloads)


@fuzz
@given(request_=_messages, reply=_messages)
def test_what_is_recorded_is_what_a_mock_answers(
    tmp_path_factory: pytest.TempPathFactory, request_: Message, reply: Message
) -> None:
    path = tmp_path_factory.getbasetemp() / "recording.json"
    lines = exchange_lines.lines(Batch([request_], 0, 0), [reply], 1000, 0)
    path.write_bytes(b"".join(lines))
    mock = mock_file.read(str(path))
    (answer,) = mock.recorded[(b"a.b", request_[3])]
    _, _, block, payload = answer.reply(request_, 1)
    assert payload == reply[3]
    assert block == (reply[2] or None)


@fuzz
@given(
    odd(
        lambda odd: odd.file(
            lambda: odd.object(("id", "subject", *ANSWER_KEYS), **odd.choice(({}, {"id": 7})))
        )
    )
)
def test_a_line_of_a_program_is_an_answer_or_says_why_not(line: bytes) -> None:
    id_of(line)
    answer, _ = attempt(NoAnswerError)(answer_object)(line)
    if answer is not None and plain_payload(answer[1]) is None:
        attempt(RecordProblem)(parse_answer)(answer[1], (), templates=False)


@fuzz
@given(_messages, st.integers(0, 2**63))
def test_a_request_is_one_line_of_json_for_a_program(request: Message, number: int) -> None:
    line = request_line(number, request)
    assert line.isascii()
    assert line.count("\n") == 1
    assert json.loads(line)["id"] == number


def _instance(odd: Odd) -> Any:
    if odd.random() < 0.2:
        return odd.object(("type", "name", "id", "version", "metadata", "endpoints"))
    keys = ("name", "subject", "num_requests", "processing_time", "metadata", "data")
    known = {"type": "io.nats.micro.v1.stats_response", "name": "n", "id": "i"}
    endpoints = odd.some(lambda: odd.object(keys)) if odd.random() < 0.8 else odd.value(keys)
    return odd.object(("version", "metadata", "started")) | known | {"endpoints": endpoints}


@fuzz
@given(odd(lambda odd: odd.damaged(json.dumps(_instance(odd)).encode())))
def test_an_answer_of_a_service_is_an_instance_or_none(payload: bytes) -> None:
    for verb in micro.Verb:
        instance = micro.read_response(verb, payload)
        if instance is not None:
            assert instance.name
            assert isinstance(micro.members(verb, instance), dict)


@fuzz
@given(st.one_of(odd(lambda odd: odd.file(odd.value)), st.binary(max_size=60)), _blocks)
def test_any_payload_can_be_shown(payload: bytes, block: bytes | None) -> None:
    payload_text(payload)
    for ascii_only in (True, False):
        encoder = Encoder(ascii_only=ascii_only)
        assert isinstance(json.loads("{" + encoder.message(block, payload) + "}"), dict)
    text = payload.decode("utf-8", "replace")
    if json_text.is_json(text):
        shown = json_text.indented(text, 10_000, lambda token, key: token)
        assert not shown or _parsed(shown) == _parsed(text)
        for_programs = json_text.for_programs(text)
        assert not for_programs or _parsed(for_programs) == _parsed(text)
    visible_json(text)


def _parsed(text: str) -> Any:
    return json.loads(text, parse_int=str, parse_float=str)


@fuzz
@given(st.binary(max_size=200), st.integers(1, 9))
def test_lines_of_standard_input_are_all_there(data: bytes, size: int) -> None:
    class Slow(io.BytesIO):
        def read(self, _: int | None = None) -> bytes:
            return super().read(size)

    lines = [line.removesuffix(b"\r") for line in data.removesuffix(b"\n").split(b"\n")] if data else []
    assert list(_lines(Slow(data))) == lines
