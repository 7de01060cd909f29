"""Replies of one read that are taken together, and those that are looked at one by one."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli.errors import NoReplyError
from natscli.message.message import Message
from natscli.message.recipe import Outgoing
from natscli.message.status import read_acknowledgement, read_problem
from natscli.request.again import Ongoing
from natscli.request.events import plain_answers, says_more
from tests.program import Run
from tests.request.responders import Answer, Request, Responders

Ask = Callable[..., Run]

BLOCK = b"NATS/1.0\r\nTrace: 1\r\n\r\n"
SERVICE_ERROR = b"NATS/1.0\r\nNats-Service-Error: no\r\nNats-Service-Error-Code: 500\r\n\r\n"


def asked(number: int = 1, counted: bool = True) -> Ongoing:
    return Ongoing(Outgoing(number, "a.b", None, b"x"), counted, start_ns=100)


def reply(payload: bytes = b"OK", header: bytes | None = None) -> Message:
    return b"_INBOX.1", b"", header, payload


@pytest.mark.parametrize("header", [None, BLOCK], ids=["without headers", "with headers"])
@pytest.mark.parametrize("payload", [b"", b"OK", b'{"streams": 1}'])
def test_plain_answers_are_taken_together(payload: bytes, header: bytes | None) -> None:
    batch = [reply(payload, header)] * 3
    answers = plain_answers([asked(1), asked(2), asked(7)], batch, 350, 5.0)
    assert [answer.request for answer in answers] == [1, 2, 7]
    for answer in answers:
        assert (answer.subject, answer.number, answer.rtt_ns, answer.came) == ("a.b", 1, 250, 5.0)
        assert (answer.header, answer.payload, answer.message_subject) == (header, payload, b"")


@pytest.mark.parametrize(
    "odd",
    [
        reply(b"", b"NATS/1.0 503\r\n\r\n"),
        reply(b"", SERVICE_ERROR),
        reply(b'{"stream":"S","seq":1}'),
        reply(b'{"type":"io.nats.jetstream.api.v1.x"}'),
        reply(b'{"err":"no","isDisposed":true}'),
        reply(b'{"isDisposed":true,"id":"1","err":"no"}'),
    ],
    ids=[
        "a status",
        "a service error",
        "an acknowledgement",
        "an API response",
        "an error of NestJS",
        "its members in another order",
    ],
)
def test_a_reply_that_says_more_has_all_of_its_read_looked_at(odd: Message) -> None:
    assert plain_answers([asked(1), asked(2)], [reply(), odd], 350, 5.0) == []


def test_what_is_no_first_reply_to_a_request_that_counts_is_looked_at() -> None:
    first, had_one, failed = asked(), asked(), asked()
    had_one.replies, failed.error = 1, NoReplyError("timeout")
    for other in (None, first, had_one, failed, asked(counted=False)):
        assert plain_answers([first, other], [reply(), reply()], 350, 5.0) == []


def test_two_replies_to_each_of_many_requests_answer_it_once(ask: Ask, responders: Responders) -> None:
    run = ask(
        responders(lambda request: [request.payload] * 2),
        "{{Count}}",
        "--count",
        "200",
        "--concurrency",
        "50",
    )
    assert (run.status, sorted(map(int, run.lines))) == (0, list(range(1, 201)))
    assert run.errors[0].startswith("Sent 200, answered 200, failed 0, ")
    assert re.search(r", \d+ more replies than asked for$", run.errors[0])


def test_errors_among_many_answers_are_told_from_them(ask: Ask, responders: Responders) -> None:
    def answers(request: Request) -> list[Answer]:
        return [Answer(request.payload, SERVICE_ERROR if int(request.payload) % 10 == 0 else None)]

    run = ask(responders(answers), "{{Count}}", "--count", "200", "--concurrency", "50", "--json")
    assert run.status == 7
    assert run.errors[-3] == "Sent 200, answered 180, failed 20 (20 service error)"
    shown = [record for record in run.objects if "error" not in record]
    assert len(shown) >= 180


def test_a_request_that_cannot_be_sent_is_shown_in_its_place(ask: Ask, responders: Responders) -> None:
    lines = b"one\n%b\nthree\n" % (b"x" * 1_100_000)
    run = ask(responders(), "--send-on", "newline", "--concurrency", "3", stdin=lines)
    assert run.lines == ["one", "three"]
    sent = [re.search(r"\[#(\d)\] (Sending|the request has 1100000 bytes)", line) for line in run.errors]
    assert [(found[1], found[2][:3]) for found in sent if found] == [("1", "Sen"), ("2", "the"), ("3", "Sen")]


MEMBERS = st.sampled_from(
    [
        '"stream":"S"',
        '"seq":1',
        '"error":{"code":1}',
        '"type":"io.nats.jetstream.api.v1.x"',
        '"err":1',
        '"isDisposed":true',
    ]
)


@given(
    st.lists(MEMBERS, max_size=4), st.sampled_from([",", ", "]), st.sampled_from([None, BLOCK, SERVICE_ERROR])
)
def test_what_is_a_problem_elsewhere_is_looked_at(
    members: list[str], comma: str, header: bytes | None
) -> None:
    payload = f"{{{comma.join(members)}}}".encode()
    if read_problem(header, payload) or read_acknowledgement(payload):
        assert says_more(header, payload)


@pytest.mark.parametrize("count", [(), ("--count", "20", "--concurrency", "5")], ids=["one", "many"])
def test_an_error_packet_is_one_whatever_comes_first_in_it(
    ask: Ask, responders: Responders, count: tuple[str, ...]
) -> None:
    run = ask(responders(lambda request: [b'{"isDisposed":true,"id":"1","err":"bad"}']), "x", *count)
    assert run.status == 7
    assert "service answered with error: bad" in run.stderr or "20 service error" in run.stderr
