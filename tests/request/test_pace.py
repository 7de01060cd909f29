"""When the next request may be sent, on a clock that the tests move."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from natscli.request.load import Load
from natscli.request.pace import Pace
from natscli.request.schedule import OpenLoop

MS = 1_000_000
START = 5_000 * MS


def sent(pace: Pace, now: int, number: int) -> int:
    """Take requests from `number` on while one is due; the number of the next."""
    while pace.is_due(now):
        pace.took(number, now)
        number += 1
    return number


def test_in_an_open_loop_each_is_due_at_its_time() -> None:
    pace = Pace(Load(schedule=OpenLoop(100.0)))
    assert pace.is_open
    number = sent(pace, START, 1)
    assert (number, pace.next_wake(START)) == (2, START + 10 * MS)
    number = sent(pace, START + 35 * MS, number)  # woken late
    assert (number, pace.due_ns, pace.next_wake(START + 35 * MS)) == (5, START + 30 * MS, START + 40 * MS)
    assert not pace.is_late


def test_what_was_held_back_is_late_and_what_came_after_is_not() -> None:
    pace = Pace(Load(schedule=OpenLoop(100.0)))
    pace.is_due(START)
    pace.took(1, START)
    pace.held_back(START + 15 * MS)
    late = []
    for number in (2, 3):
        assert pace.is_due(START + 25 * MS)
        late.append(pace.is_late)
        pace.took(number, START + 25 * MS)
    assert late == [True, False]


def test_a_closed_loop_is_over_after_its_duration() -> None:
    pace = Pace(Load(duration=0.5))
    assert not pace.is_open
    assert pace.is_due(START)
    assert pace.next_wake(START) is None
    pace.took(1, START)
    assert pace.next_wake(START) == START + 500 * MS
    assert pace.is_due(START + 499 * MS)
    assert not pace.is_over(START + 499 * MS)
    assert pace.is_over(START + 500 * MS)
    assert not pace.is_due(START + 500 * MS)
    assert pace.due_ns == 0


def test_the_duration_begins_after_the_warm_up() -> None:
    pace = Pace(Load(duration=0.5, warmup=2))
    for number, now in ((1, START), (2, START + 400 * MS), (3, START + 900 * MS)):
        assert pace.is_due(now)
        pace.took(number, now)
    assert not pace.is_over(START + 1_399 * MS)
    assert pace.is_over(START + 1_400 * MS)


def test_an_open_loop_is_over_once_the_next_is_due_after_the_end() -> None:
    pace = Pace(Load(schedule=OpenLoop(10.0), duration=0.25))
    number = sent(pace, START + 0, 1)
    number = sent(pace, START + 200 * MS, number)
    assert number == 4
    assert pace.is_over(START + 201 * MS)


@given(st.lists(st.integers(0, 40 * MS), max_size=60), st.sampled_from((1.0, 97.0, 1000.0)))
def test_whenever_it_is_asked_a_rate_is_kept(pauses: list[int], rate: float) -> None:
    """As many have been sent as were due by then, and the next wake is when one more is."""
    pace, now, number = Pace(Load(schedule=OpenLoop(rate))), START, 1
    for pause in [0, *pauses]:
        now += pause
        number = sent(pace, now, number)
        schedule = OpenLoop(rate)
        assert schedule.due(number - 2) <= now - START < schedule.due(number - 1)
        assert pace.next_wake(now) == START + schedule.due(number - 1)
