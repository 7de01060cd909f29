"""What happened over time, in bounded memory."""

from __future__ import annotations

import pickle
import random
from itertools import pairwise

import pytest

from natscli.timeline import Timeline

MS = 1_000_000
S = 1000 * MS


def totals(timeline: Timeline, start: int, end: int, most: int = 120) -> tuple[int, int, int]:
    """Replies, failures and the longest duration of all points."""
    points = timeline.points(start, end, most)
    replies = sum(point.took.count for point in points)
    return replies, sum(point.failed for point in points), max(point.took.largest for point in points)


def test_nothing_has_no_points() -> None:
    assert Timeline().points(0, S, 10) == []


def test_an_hour_has_as_many_intervals_as_a_second_and_loses_nothing() -> None:
    timeline, start = Timeline(), 5_000 * S + 12_345
    for second in range(3600):
        timeline.record(start + second * S, second * 1000)
        timeline.fail(start + second * S + MS, 2)
        assert len(timeline) <= 600
    assert len(timeline) >= 300
    assert totals(timeline, start, start + 3600 * S) == (3600, 7200, 3_599_000)


def test_what_comes_out_of_order_is_put_where_it_belongs() -> None:
    timeline = Timeline(width=S, most=4)
    for second in (7, 2, 9, 0, 5):
        timeline.record(second * S, second)
    found = [(point.start, point.took.count) for point in timeline.points(0, 10 * S, 4)]
    assert found == [(0.0, 2), (4.0, 2), (8.0, 1)]


def test_points_are_without_gaps_from_start_to_end() -> None:
    timeline = Timeline()
    timeline.fail(3 * S, 1)  # after a silence: a timeout
    timeline.record(9 * S, 5 * MS)
    points = timeline.points(1 * S, 9 * S + 1, 50)
    assert 25 <= len(points) <= 51
    assert points[0].start == 0
    for before, after in pairwise(points):
        assert after.start == pytest.approx(before.start + before.seconds)
    assert points[-1].start + points[-1].seconds == pytest.approx(8, abs=1e-6)
    assert totals(timeline, 1 * S, 9 * S + 1, 50) == (1, 1, 5 * MS)


def test_a_rate_is_never_one_over_almost_no_time() -> None:
    for offset in range(0, 1000, 37):
        timeline = Timeline()
        for at in range(200):  # 100 a second for 2 seconds
            timeline.record(offset * MS + at * 10 * MS, 1)
        points = timeline.points(offset * MS, offset * MS + 1990 * MS + 1, 10)
        assert all(70 < point.took.count / point.seconds < 130 for point in points), offset


def test_those_of_several_processes_are_added_whatever_their_widths() -> None:
    draw = random.Random(4)
    one, all_of_it = Timeline(), Timeline()
    for end in (1, 50, 7):
        part = Timeline()
        for _ in range(500):
            at, took = draw.randrange(end * S), draw.randrange(MS)
            part.record(at, took)
            all_of_it.record(at, took)
        one.add(pickle.loads(pickle.dumps(part)))
    assert one.width == all_of_it.width
    assert [(p.start, p.took.items()) for p in one.points(0, 50 * S, 100)] == [
        (p.start, p.took.items()) for p in all_of_it.points(0, 50 * S, 100)
    ]
