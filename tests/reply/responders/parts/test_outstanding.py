"""Requests that something else answers; no clock, no loop."""

from __future__ import annotations

from itertools import count

from natscli.reply.responders.parts.finished import Job
from natscli.reply.responders.parts.outstanding import Outstanding


def job(number: int) -> Job:
    return Job((b"s", b"i", None, b""), number, 0, lambda *given, more=False: None)


def given(outstanding: Outstanding[int]) -> list[int]:
    """The numbers of the jobs that can be given away now."""
    found = []
    while (pair := outstanding.give()) is not None:
        found.append(pair[1].number)
    return found


def test_jobs_are_given_in_order_and_found_by_their_key() -> None:
    outstanding = Outstanding(count(7))
    outstanding.add(map(job, range(3)), 0.0, 1.0)
    assert outstanding.end(7) is None  # not given yet
    assert given(outstanding) == [0, 1, 2]
    ended = outstanding.end(8)
    assert ended is not None
    assert ended.number == 1
    assert outstanding.end(8) is None


def test_no_more_than_most_are_given_at_once() -> None:
    outstanding = Outstanding(count(), 2)
    outstanding.add(map(job, range(4)), 0.0, 1.0)
    assert given(outstanding) == [0, 1]
    assert outstanding.end(1) is not None
    assert given(outstanding) == [2]


def test_the_time_of_what_waits_counts_from_its_arrival() -> None:
    outstanding = Outstanding(count(), 1)
    outstanding.add(map(job, range(3)), 0.0, 1.0)
    outstanding.add([job(3)], 0.5, 1.0)
    assert given(outstanding) == [0]
    assert outstanding.next_end == 1.0
    assert outstanding.expire(0.9) == []
    assert [late.number for _, late in outstanding.expire(1.0)] == [0, 1, 2]
    assert (given(outstanding), outstanding.next_end) == ([3], 1.5)


def test_what_is_given_can_be_lost_alone_or_with_what_waits() -> None:
    outstanding = Outstanding(count(), 1)
    outstanding.add(map(job, range(3)), 0.0, 1.0)
    assert given(outstanding) == [0]
    assert [lost.number for lost in outstanding.lose()] == [0]
    assert given(outstanding) == [1]
    assert [lost.number for lost in outstanding.clear()] == [1, 2]
    assert (given(outstanding), outstanding.next_end) == ([], None)
