"""Replies that come late, are errors, or never come."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable

import pytest

from natscli.errors import InputError
from natscli.message.templates import compile_template
from natscli.reply.options import ReplyOptions
from natscli.reply.responders.faults import Fate, Faults, Faulty, wrap
from natscli.reply.responders.static import static
from tests.asking import Asker
from tests.program import Program

OK = static(compile_template("OK", "BODY", reply=True), ())
Spawn = Callable[..., Program]


def test_the_shares_are_those_that_were_asked_for() -> None:
    faults = Faults(7, fail=0.2, drop=0.1)
    kinds = Counter(faults.of(number)[0] for number in range(10_000))
    assert abs(kinds[Fate.DROP] / 10_000 - 0.1) < 0.015
    assert abs(kinds[Fate.FAIL] / (10_000 - kinds[Fate.DROP]) - 0.2) < 0.015


def test_the_same_seed_does_the_same_to_the_same_requests() -> None:
    first, again, other = (Faults(seed, fail=0.2, longest=1.0) for seed in (7, 7, 8))
    assert [first.of(number) for number in range(100)] == [again.of(number) for number in range(100)]
    assert [first.of(number) for number in range(100)] != [other.of(number) for number in range(100)]


def test_delays_are_within_the_range() -> None:
    delays = [Faults(1, shortest=0.05, longest=0.2).of(number)[1] for number in range(1000)]
    assert 0.05 <= min(delays) < 0.06
    assert 0.19 < max(delays) <= 0.2


def test_without_delays_what_is_immediate_stays_so() -> None:
    assert Faulty(OK, Faults(1, fail=0.5)).immediate
    assert not Faulty(OK, Faults(1, longest=0.5)).immediate


@pytest.mark.parametrize(
    ("options", "faults"),
    [
        (ReplyOptions("s", sleep="200ms"), Faults(7, longest=0.2)),
        (ReplyOptions("s", sleep="50ms..1m"), Faults(7, shortest=0.05, longest=60)),
        (ReplyOptions("s", fail="0.2"), Faults(7, fail=0.2)),
        (ReplyOptions("s", fail="20%:503"), Faults(7, fail=0.2, code=503)),
        (ReplyOptions("s", drop="1"), Faults(7, drop=1.0)),
    ],
)
def test_options_say_which_faults(options: ReplyOptions, faults: Faults) -> None:
    from dataclasses import replace

    responder = wrap(OK, replace(options, random_seed=7))
    assert isinstance(responder, Faulty)
    assert responder._faults == faults


def test_rates_of_nothing_leave_the_responder_alone() -> None:
    assert wrap(OK, ReplyOptions("s", sleep="0s", fail="0", drop="0%")) is OK


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (ReplyOptions("s", sleep="soon"), "'soon' is not a duration"),
        (ReplyOptions("s", sleep="2s..1s"), "the range '2s..1s' ends before it begins"),
        (ReplyOptions("s", sleep="..1s"), "a duration is empty"),
        (ReplyOptions("s", fail="often"), "'often' is not a rate"),
        (ReplyOptions("s", fail="1.1"), "'1.1' is not a rate"),
        (ReplyOptions("s", fail="nan"), "'nan' is not a rate"),
        (ReplyOptions("s", fail="0.1:"), "'' is not a code"),
        (ReplyOptions("s", fail="0.1:99"), "'99' is not a code"),
        (ReplyOptions("s", fail="0.2:" + "1" * 4301), f"'{'1' * 4301}' is not a code"),
        (ReplyOptions("s", drop="-1%"), "'-1%' is not a rate"),
    ],
)
def test_what_is_no_rate_code_or_range_is_refused(options: ReplyOptions, what: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(what)}"):
        wrap(OK, options)


def failed(spawn: Spawn, asker: Asker, subject: str, count: int) -> list[int]:
    program = spawn("reply", subject, "OK", "--fail", "0.2:418", "--random-seed", "7", server=asker.url)
    answers = asker.ask(subject, *[b""] * count)
    assert {answer.payload for answer in answers if not answer.header} == {b"OK"}
    lines = {tuple(answer.lines) for answer in answers if answer.header}
    assert lines == {(b"Nats-Service-Error: failed on purpose", b"Nats-Service-Error-Code: 418")}
    assert program.stop() == 0
    numbers = [index for index, answer in enumerate(answers) if answer.header]
    logged = re.findall(r"\[#(\d+)\] failed with 418 \(--fail\)", program.stderr_text())
    assert [int(number) for number in logged] == numbers
    return numbers


def test_a_seed_fails_the_same_requests_twice(spawn: Spawn, asker: Asker) -> None:
    first = failed(spawn, asker, "faults.fail", 10_000)
    assert abs(len(first) / 10_000 - 0.2) < 0.015
    assert failed(spawn, asker, "faults.fail", 10_000) == first


def test_dropped_requests_are_logged_and_counted(spawn: Spawn, asker: Asker) -> None:
    program = spawn("reply", "faults.drop", "OK", "--drop", "100%", "--count", "3", server=asker.url)
    asker.send("faults.drop", b"", b"", b"")
    assert program.wait() == 0
    assert asker.receive(1, timeout=0.05) == []
    assert program.stderr_text().count("dropped (--drop)") == 3


def test_a_range_of_delays_has_a_shortest_one(spawn: Spawn, asker: Asker) -> None:
    spawn("reply", "faults.sleep", "OK", "--sleep", "200ms..300ms", server=asker.url)
    began = time.monotonic()
    answers = asker.ask("faults.sleep", *[b""] * 20)
    assert min(answer.seconds for answer in answers) > 0.19
    assert time.monotonic() - began < 10


def test_what_is_not_dropped_is_answered_by_any_responder(spawn: Spawn, asker: Asker) -> None:
    half = ["--drop", "0.5", "--random-seed", "7"]
    program = spawn("reply", "faults.half", "--command", "echo hi", *half, "--count", "20", server=asker.url)
    asker.send("faults.half", *[b""] * 20)
    assert program.wait() == 0
    dropped = program.stderr_text().count("dropped (--drop)")
    assert 0 < dropped < 20
    assert [answer.payload for answer in asker.receive(20 - dropped)] == [b"hi\n"] * (20 - dropped)
    assert asker.receive(1, timeout=0.05) == []


@pytest.mark.parametrize("fault", [["--fail", "0.5"], ["--sleep", "10ms"]])
def test_faults_go_with_any_responder(spawn: Spawn, asker: Asker, fault: list[str]) -> None:
    spawn("reply", "faults.command", "--command", "echo hi", *fault, server=asker.url)
    answers = asker.ask("faults.command", *[b""] * 20)
    assert {answer.payload for answer in answers if not answer.header} == {b"hi\n"}
