"""Requests that are sent again, on a clock that the tests move."""

from __future__ import annotations

import pytest

from natscli.errors import (
    ConnectionFailedError,
    ErrorReplyError,
    ExitStatus,
    NoReplyError,
    NoRespondersError,
    PynatsError,
)
from natscli.message.recipe import Outgoing
from natscli.request.again import Again, Ongoing
from natscli.request.load import Load, Retries

NOBODY = NoRespondersError("no responders")
LOST = ConnectionFailedError("the connection was lost")


def attempted(number: int = 1, attempts: int = 1) -> Ongoing:
    """A request that was sent `attempts` times."""
    ongoing = Ongoing(Outgoing(number, "a.b", None, b""), True, 0)
    ongoing.attempts = attempts
    return ongoing


def test_a_request_waits_for_the_end_of_its_pause() -> None:
    again = Again(Load(retries=Retries(5)), 100.0)
    first, second = attempted(1), attempted(2, attempts=3)
    assert again.offer(second, NOBODY, 100.0)
    assert again.offer(first, NOBODY, 100.0)
    assert again.next_ready == 100.0 + 0.01
    assert again.take(10, 100.009) == []
    assert again.take(10, 100.02) == [first]
    assert again.next_ready == 100.0 + 0.04
    assert again.take(10, 200.0) == [second]
    assert not again


def test_what_the_connection_lost_is_sent_at_once() -> None:
    again = Again(Load(retries=Retries(1)), 0.0)
    lost = [attempted(number) for number in range(5)]
    assert all(again.offer(ongoing, LOST, 0.0) for ongoing in lost)
    assert again.next_ready is None
    assert [again.take(2, 0.0), again.take(9, 0.0)] == [lost[:2], lost[2:]]


@pytest.mark.parametrize(
    ("error", "attempts", "sent_again"),
    [
        (NOBODY, 2, True),
        (NOBODY, 3, False),
        (NoReplyError("timeout"), 1, False),
        (ErrorReplyError("no"), 1, False),
    ],
    ids=["the second attempt", "the last attempt", "not to be retried", "never retried"],
)
def test_so_many_failures_of_these_kinds_are_retried(
    error: PynatsError, attempts: int, sent_again: bool
) -> None:
    after = frozenset({ExitStatus.NO_RESPONDERS})
    again = Again(Load(retries=Retries(2, after)), 0.0)
    assert again.offer(attempted(attempts=attempts), error, 0.0) is sent_again
    assert len(again) == sent_again


def test_responders_are_looked_for_until_the_time_is_over() -> None:
    again = Again(Load(wait_for_responders=1.0), 10.0)
    ongoing, now, tries = attempted(), 10.0, []
    while again.offer(ongoing, NOBODY, now):
        assert again.next_ready is not None
        now = again.next_ready
        tries.append(round(now - 10, 3))
        assert again.take(1, now) == [ongoing]
        ongoing.attempts += 1
    assert tries[:6] == [0.01, 0.03, 0.07, 0.15, 0.31, 0.56]
    assert tries[-1] == 1.0, "once more when the time is over"
    assert again.given_up


def test_the_search_does_not_take_from_the_retries() -> None:
    again = Again(Load(wait_for_responders=60.0, retries=Retries(1)), 0.0)
    ongoing = attempted()
    for attempts in range(1, 9):
        ongoing.attempts = attempts
        assert again.offer(ongoing, NOBODY, 0.0)
    again.found()
    ongoing.attempts += 1
    assert again.offer(ongoing, NOBODY, 0.0)
    ongoing.attempts += 1
    assert not again.offer(ongoing, NOBODY, 0.0)
    assert not again.given_up


def test_a_request_that_the_connection_lost_is_sent_again_while_responders_are_looked_for() -> None:
    again, found = Again(Load(wait_for_responders=1.0), 10.0), []
    again.on_found = lambda: found.append(1)
    ongoing = attempted()
    assert again.offer(ongoing, LOST, 10.0)
    assert again.take(1, 10.5) == [ongoing]
    ongoing.attempts += 1
    assert not again.offer(ongoing, LOST, 11.0)
    assert again.given_up
    again.found()
    again.found()
    assert found == [1]
    assert not again.offer(ongoing, LOST, 10.0)


def test_clear_gives_all_that_wait() -> None:
    again = Again(Load(retries=Retries(1)), 0.0)
    ready, pausing = attempted(1), attempted(2)
    again.offer(ready, LOST, 0.0)
    again.offer(pausing, NOBODY, 0.0)
    assert list(again) == again.clear() == [ready, pausing]
    assert (len(again), again.take(9, 99.0)) == (0, [])
