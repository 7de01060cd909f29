"""An exchange that is written comes back as it was; files are read value by value, with the places of mistakes."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from natscli.errors import InputError
from natscli.message import headers
from natscli.message.exchange import Answer, Exchange, Outcome
from natscli.message.records.content import RecordProblem
from natscli.message.records.reading import Values, as_record, exchange_of
from natscli.message.records.writing import record_line
from natscli.message.status import ReplyProblem, read_problem
from natscli.text import visible_line

PAYLOAD = st.binary(max_size=40) | st.text(max_size=40, alphabet=st.characters(codec="utf-8")).map(str.encode)
BLOCK = st.none() | st.sampled_from(
    [
        b"NATS/1.0\r\n\r\n",
        b"NATS/1.0\r\nA: 1\r\na: 2\r\nA: 3\r\n\r\n",
        b"NATS/1.0\r\nX:  \xff\r\n\r\n",
        b"NATS/1.0 404 Not found\r\n\r\n",
        headers.service_error("teapot", 418),
        b"NATS/1.0\r\nA: b\r\n",
        b"NATS/1.0\nA: b\n\n",
        b"nats/1.0 404 No\r\n\r\n",
        b"x",
    ]
)
ANSWER = st.builds(Answer, st.integers(0, 10**12), BLOCK, PAYLOAD, packet=st.just(b""))


def outcome(answers: tuple[Answer, ...]) -> tuple[Outcome, ReplyProblem | None]:
    error = next(filter(None, (read_problem(a.header, a.payload) for a in answers)), None)
    return (Outcome.ERROR if error else Outcome.ANSWERED if answers else Outcome.UNANSWERED), error


def read(*texts: str | bytes) -> list[Any]:
    data = b"".join(t if isinstance(t, bytes) else t.encode() for t in texts)
    return [found.value for found in Values("f", io.BytesIO(data))]


@example(b"s", b"\x1b\x9b", (), b"")
@given(PAYLOAD, PAYLOAD, st.lists(ANSWER, max_size=3).map(tuple), st.sampled_from([b"", b"asked.1"]))
def test_an_exchange_comes_back_as_it_was(
    payload: bytes, inbox: bytes, answers: tuple[Answer, ...], via: bytes
) -> None:
    exchange = Exchange(
        0, 1_767_225_600.25, b"a.b", b"_INBOX.1", None, payload, answers, *outcome(answers), via
    )
    line = record_line(exchange)
    shown = line.decode().removesuffix("\n")
    assert visible_line(shown) == shown
    (value,) = read(line)
    assert exchange_of(as_record(value)) == exchange


def test_no_responders_come_back() -> None:
    exchange = Exchange(0, 1.5, b"s", b"", None, b"", (), Outcome.NO_RESPONDERS)
    assert exchange_of(read(record_line(exchange))[0]) == exchange


def test_requests_to_jetstream_come_back_with_stored_messages_that_are_no_errors() -> None:
    for subject in (b"$JS.API.CONSUMER.MSG.NEXT.S.C", b"$JS.API.CONSUMER.CREATE.S.C.orders.>"):
        answers = (Answer(7, None if b">" in subject else headers.service_error("stored", 500), b"{}"),)
        exchange = Exchange(0, 1.5, subject, b"", None, b"", answers, Outcome.ANSWERED)
        assert exchange_of(read(record_line(exchange))[0]) == exchange


def test_what_watch_writes_as_json_is_an_exchange() -> None:
    line = {
        "time": "2026-01-01T00:00:00.500000Z", "number": 3, "subject": "a", "reply_to": "_INBOX.x", "outcome": "error",
        "rtt_ns": 7, "headers": {"A": ["1", "2"]}, "data": "/w==", "encoding": "base64", "size": 1,
        "replies": [{"rtt_ns": 7, "headers": {}, "data": "5", "encoding": "utf-8", "size": 1, "json": 5}],
        "code": 500, "message": "x",
    }  # fmt: skip
    exchange = exchange_of(as_record(line))
    assert (exchange.subject, exchange.payload, exchange.reply) == (b"a", b"\xff", b"_INBOX.x")
    assert exchange.header == b"NATS/1.0\r\nA: 1\r\nA: 2\r\n\r\n"
    assert exchange.answers == (Answer(7, None, b"5"),)
    assert exchange.came == 1_767_225_600.5


def test_a_reply_of_request_json_alone_is_no_exchange() -> None:
    with pytest.raises(RecordProblem, match="without its exchange"):
        as_record({"subject": "a", "data": "x", "encoding": "utf-8", "rtt_ns": 1})


def test_values_may_take_lines_and_have_comments_between() -> None:
    assert read('# one\n{"a":\n 1}\n\n# two\n{"b": [2,\n3]} {"c": 4}\n5') == [
        {"a": 1},
        {"b": [2, 3]},
        {"c": 4},
        5,
    ]
    assert read("\ufeff7\n") == [7]
    assert read("", "  \n# nothing\n") == []


def test_text_between_values_is_kept_for_who_writes_them_back() -> None:
    data = b'# one\n{"a": 1}\n# two\n [2]\n\n# end\n{\n"\xff' + b" " * 100_000
    values = Values("f", io.BytesIO(data))
    first, second = islice(values, 2)
    parts = [part.encode() for found in (first, second) for part in (found.before, found.written)]
    assert b"".join([*parts, *values.after(second)]) == data


@pytest.mark.parametrize(
    ("data", "what", "where"),
    [
        (b'{"a": 1}\n{"a": }\n', "not JSON: expecting value", "f, line 2, column 7"),
        (b'{"a": 1}\n\n{"a": [1,\n', "the file ends in the middle of an object", "f, line 4, column 1"),
        (b'{"a": 1}\n"\xff"', "not UTF-8", "f, line 2, column 2"),
        (b"[" * 100_000, "nested too deeply", "f, line 1, column 1"),
    ],
)
def test_a_mistake_is_shown_with_its_place(data: bytes, what: str, where: str) -> None:
    with pytest.raises(InputError) as caught:
        read(data)
    assert what in caught.value.what
    assert caught.value.where.startswith(where.rpartition(" ")[0] if "nested" in what else where)


def test_places_are_right_after_many_values() -> None:
    data = b'{"subject": "a",\n "request": ""}\n' * 20_000
    *_, last = Values("f", io.BytesIO(data))
    assert last.place(("request",)) == "f, line 40000, column 13"


def test_a_file_of_any_size_takes_little_memory() -> None:
    class Endless(io.RawIOBase):
        left = 40_000

        def readlines(self, hint: int = -1) -> list[bytes]:
            count = min(self.left, hint // 1000)
            self.left -= count
            return [b'{"data": "%b"}\n' % (b"x" * 988)] * count

    tracemalloc.start()
    try:
        count = sum(1 for _ in Values("f", cast(BinaryIO, Endless())))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 40_000
    assert peak < 2_000_000


@pytest.mark.parametrize(
    ("record", "what"),
    [
        ({"request": "", "reply": ""}, "'subject' is missing"),
        ({"subject": "a", "request": ""}, "'reply' is missing"),
        ({"subject": "a", "request": "", "reply": "", "replies": []}, "exclude each other"),
        ({"subject": "a", "request": "", "replies": 5}, "expected a list"),
        ({"subject": "a", "request": "", "reply": "", "x": 1}, "unknown key 'x'"),
        ({"subject": "a b", "request": "", "reply": ""}, "spaces"),
        ({"subject": "a", "request": {"data_base64": "?"}, "reply": ""}, "not base64"),
        ({"subject": "a", "request": "", "reply": {"status": 9}}, "a status is a number"),
    ],
)
def test_what_is_no_exchange_is_refused(record: Any, what: str) -> None:
    with pytest.raises(RecordProblem, match=what):
        exchange_of(as_record(record))


def lines_of(*exchanges: Exchange) -> Iterator[Any]:
    for exchange in exchanges:
        yield json.loads(record_line(exchange))


def test_a_record_says_how_it_was_recorded() -> None:
    one = Exchange(
        1, 1.0, b"s", b"_INBOX.1", None, b"x", (Answer(5, None, b"y"),), Outcome.ANSWERED, via=b"t"
    )
    two = one._replace(answers=(Answer(5, None, b"y"), Answer(9, b"NATS/1.0\r\nA: 1\r\n\r\n", b"\xff")))
    assert list(lines_of(one, two)) == [
        {
            "time": "1970-01-01T00:00:01.000000Z", "rtt_ns": 5, "subject": "s", "via": "t", "reply_to": "_INBOX.1",
            "request": {"data": "x"}, "reply": {"data": "y"},
        },
        {
            "time": "1970-01-01T00:00:01.000000Z", "rtt_ns": 5, "subject": "s", "via": "t", "reply_to": "_INBOX.1",
            "request": {"data": "x"},
            "replies": [
                {"rtt_ns": 5, "data": "y"}, {"rtt_ns": 9, "headers": [["A", "1"]], "data_base64": "/w=="},
            ],
        },
    ]  # fmt: skip
    by_hand = one._replace(came=0.0, answers=(Answer(0, None, b"y"),))
    assert {"time", "rtt_ns"}.isdisjoint(next(iter(lines_of(by_hand))))
