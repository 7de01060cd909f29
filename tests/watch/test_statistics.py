"""Exchanges by subject, and which exchanges are selected."""

from __future__ import annotations

import json

import pytest

from natscli.message.exchange import Answer, Exchange, Outcome
from natscli.watch.selection import Selection
from natscli.watch.show.table import lines
from natscli.watch.statistics import ExchangeStatistics

MS = 1_000_000


def exchange(subject: str = "a", outcome: Outcome = Outcome.ANSWERED, rtt: int | None = MS) -> Exchange:
    answers = () if rtt is None else (Answer(rtt, None, b""),)
    return Exchange(1, 0, subject.encode(), b"r", None, b"", answers, outcome)


def test_a_row_has_counts_rate_and_times() -> None:
    statistics = ExchangeStatistics()
    statistics.add([exchange(rtt=number * MS) for number in range(1, 101)])
    statistics.add([exchange(outcome=Outcome.UNANSWERED, rtt=None), exchange(outcome=Outcome.ERROR)])
    [row] = statistics.recent_rows(2.0, 24)
    assert (row.key, row.exchanges, row.rate) == ("a", 102, 51.0)
    assert (row.unanswered, row.errors, row.no_responders) == (1, 1, 0)
    assert row.p50 == 50 * MS
    assert (row.p99, row.max) == (99 * MS, 100 * MS)
    assert statistics.recent_rows(2.0, 24)[0].rate == 0
    assert statistics.rows(4.0)[0].rate == 25.5


@pytest.mark.parametrize(
    ("seconds", "rate"), [(3, 0.333), (3600, 0.000278), (0.03, 33.333), (0.0001, 10000), (0, None)]
)
def test_rates_for_programs_have_three_digits_or_more(seconds: float, rate: float | None) -> None:
    statistics = ExchangeStatistics()
    statistics.add([exchange()])
    (line,) = lines(statistics.rows(seconds), ascii_only=False).splitlines()
    assert json.loads(line)["rate"] == rate


def test_the_busiest_come_first_and_there_are_no_times_without_replies() -> None:
    statistics = ExchangeStatistics()
    statistics.add([exchange("b"), exchange("a", Outcome.NO_RESPONDERS, None), exchange("b")])
    first, second = statistics.rows(1.0)
    assert [row.key for row in statistics.recent_rows(1.0, 24)] == ["b", "a"]
    assert (first.key, second.key) == ("b", "a")
    assert (second.p50, second.p99, second.max) == (None, None, None)
    assert len(statistics.recent_rows(1.0, most=1)) == 1


def test_subjects_are_bounded() -> None:
    statistics = ExchangeStatistics()
    statistics.add([exchange(f"user.{number}") for number in range(5000)])
    rows = statistics.rows(1.0)
    assert len(rows) == 201
    assert rows[0].key == "(other subjects)"
    assert sum(row.exchanges for row in rows) == 5000


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), "answered slow error unanswered no_responders"),
        (Selection(slow=100 * MS), "slow"),
        (Selection(errors=True), "error"),
        (Selection(unanswered=True), "unanswered no_responders"),
        (Selection(slow=100 * MS, errors=True, unanswered=True), "slow error unanswered no_responders"),
    ],
)
def test_a_selection_is_of_all_that_any_condition_holds_for(selection: Selection, expected: str) -> None:
    exchanges = {
        "answered": exchange(),
        "slow": exchange(rtt=100 * MS),
        "error": exchange(outcome=Outcome.ERROR),
        "unanswered": exchange(outcome=Outcome.UNANSWERED, rtt=None),
        "no_responders": exchange(outcome=Outcome.NO_RESPONDERS, rtt=None),
    }
    assert " ".join(name for name, one in exchanges.items() if selection(one)) == expected
