"""How many replies are awaited, and for how long."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from natscli.message import headers
from tests.program import Program, Run
from tests.request.responders import Answer, Request, Responders, silent
from tests.servers import Server

Ask = Callable[..., Run]


def answers(*replies: bytes | Answer) -> Callable[[Request], Iterable[bytes | Answer]]:
    return lambda request: replies


def test_replies_of_several_responders_are_awaited(ask: Ask, responders: Responders) -> None:
    subject = responders(answers(b"1"))
    responders(answers(b"2"), subject)
    responders(answers(Answer(b"3", after=0.1)), subject)
    run = ask(subject, "x", "--replies", "3")
    assert (run.status, sorted(run.lines)) == (0, ["1", "2", "3"])
    assert "[reply 3] Received with rtt" in run.errors[-1]


def test_more_replies_than_asked_for_are_not_shown(ask: Ask, responders: Responders) -> None:
    run = ask(responders(answers(b"1", b"2", b"3")), "x", "--replies", "2")
    assert (run.status, run.lines) == (0, ["1", "2"])


def test_fewer_replies_than_asked_for_exit_4(ask: Ask, responders: Responders) -> None:
    subject = responders(answers(b"1", b"2"))
    run = ask(subject, "x", "--replies", "3", "--reply-timeout", "200ms", within=3)
    assert (run.status, run.lines) == (4, ["1", "2"])
    assert run.errors[-2:] == [
        f"pynats: error: timeout: 2 of 3 replies, none more within 200ms ({subject})",
        "  hint: --reply-timeout DURATION waits longer for the next reply",
    ]


def test_the_gap_between_replies_is_300_ms_by_default(ask: Ask, responders: Responders) -> None:
    subject = responders(answers(b"1", Answer(b"late", after=0.7)))
    assert ask(subject, "x", "--replies", "2").status == 4
    assert ask(subject, "x", "--replies", "2", "--reply-timeout", "5s").lines == ["1", "late"]


def test_the_gap_starts_anew_with_each_reply(ask: Ask, responders: Responders) -> None:
    subject = responders(answers(*[Answer(b"%d" % i, after=0.15) for i in range(5)]))
    run = ask(subject, "x", "--replies", "5")
    assert (run.status, len(run.lines)) == (0, 5)


def test_all_replies_within_the_timeout_are_taken(ask: Ask, responders: Responders) -> None:
    subject = responders(answers(b"1", b"2", Answer(b"3", after=0.4), Answer(b"late", after=60)))
    run = ask(subject, "x", "--replies", "0", "--timeout", "900ms")
    assert (run.status, run.lines) == (0, ["1", "2", "3"])


def test_no_reply_at_all_within_the_timeout_exits_4(ask: Ask, responders: Responders) -> None:
    run = ask(responders(silent), "x", "--replies", "0", "--timeout", "100ms")
    assert (run.status, run.stdout) == (4, b"")


def test_no_responders_exit_3_whatever_is_awaited(ask: Ask) -> None:
    for how in (("--replies", "0"), ("--replies", "4"), ("--wait-for-empty",)):
        assert ask("nobody.home", "x", *how).status == 3


def test_the_reply_timeout_is_for_one_reply_too_when_given(ask: Ask, responders: Responders) -> None:
    subject = responders(answers(Answer(b"late", after=0.6)))
    run = ask(subject, "x", "--timeout", "400ms", "--reply-timeout", "30s")
    assert (run.status, run.lines) == (0, ["late"])
    run = ask(subject, "x", "--timeout", "30s", "--reply-timeout", "100ms")
    assert run.status == 4
    assert "no reply within 100ms" in run.errors[-1]


def test_replies_are_taken_until_an_empty_one(ask: Ask, responders: Responders) -> None:
    subject = responders(answers(b"1", b"2", Answer(b"", after=0.1), b"3"))
    run = ask(subject, "x", "--wait-for-empty", "--json")
    assert (run.status, [reply["data"] for reply in run.objects]) == (0, ["1", "2"])


def test_without_an_empty_one_waiting_for_it_exits_4(ask: Ask, responders: Responders) -> None:
    subject = responders(answers(b"1", b"2"))
    run = ask(subject, "x", "--wait-for-empty", "--reply-timeout", "100ms")
    assert (run.status, run.lines) == (4, ["1", "2"])
    assert "2 replies and no empty one, none more within 100ms" in run.errors[-2]


def test_an_empty_one_alone_is_enough(ask: Ask, responders: Responders) -> None:
    run = ask(responders(answers(b"")), "x", "--wait-for-empty")
    assert (run.status, run.stdout) == (0, b"")


@pytest.mark.parametrize("how", [("--wait-for-empty",), ("--replies", "0", "--timeout", "300ms"), ()])
def test_an_empty_reply_with_a_service_error_is_an_error(
    ask: Ask, responders: Responders, how: tuple[str, ...]
) -> None:
    subject = responders(answers(Answer(b"", headers.service_error("broken", 500))))
    run = ask(subject, "x", "--json", *how)
    assert run.status == 7
    assert [found.get("error") for found in run.objects] == [None, "service_error"]
    assert run.objects[0]["headers"]["Nats-Service-Error-Code"] == ["500"]


def test_replies_are_shown_as_they_arrive(
    responders: Responders, nats_server: Server, spawn: Callable[..., Program]
) -> None:
    subject = responders(answers(b"first", Answer(b"second", after=60)))
    program = spawn("request", subject, "x", "--replies", "2", "--reply-timeout", "60s", server=nats_server)
    program.wait_for("first")
    assert program.status is None


def test_late_replies_are_not_taken_for_those_of_other_requests(ask: Ask, responders: Responders) -> None:
    subject = responders(lambda request: [request.payload] * 3)
    run = ask(subject, "{{Count}}", "--count", "20", "--concurrency", "5", "--json")
    assert run.status == 0
    assert sorted((reply["request"], reply["data"]) for reply in run.objects) == [
        (number, str(number)) for number in range(1, 21)
    ]


def test_the_inbox_of_another_request_cannot_be_guessed(ask: Ask, responders: Responders) -> None:
    ask(responders(), "x", "--count", "8")
    inboxes = [request.reply.rpartition(".") for request in responders.requests]
    assert len({prefix for prefix, _, _ in inboxes}) == 1
    tokens = [int(token, 16) for _, _, token in inboxes]
    assert len({token >> 32 for token in tokens}) == 8
