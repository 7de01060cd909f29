"""When requests are due in an open loop."""

from __future__ import annotations

from itertools import pairwise

import pytest

from natscli.request.load import Load
from natscli.request.schedule import OpenLoop


def test_requests_are_due_evenly() -> None:
    loop = OpenLoop(rate=500)
    assert [loop.due(index) for index in (0, 1, 2, 500, 5000)] == [
        0, 2_000_000, 4_000_000, 10**9, 10 * 10**9,
    ]  # fmt: skip


def test_the_rate_rises_evenly_and_stays() -> None:
    loop = OpenLoop(rate=1000, ramp=10)
    due = [loop.due(index) / 1e9 for index in range(10_000)]
    assert due[0] == 0
    assert all(a <= b for a, b in pairwise(due))
    in_second = [sum(1 for time in due if second <= time < second + 1) for second in range(14)]
    assert in_second[:10] == pytest.approx([50 + 100 * second for second in range(10)], abs=2)
    assert in_second[10:] == pytest.approx([1000] * 4, abs=2)


def test_processes_share_the_rate() -> None:
    whole = OpenLoop(rate=1000, ramp=5)
    shares = [whole.share(index, 4) for index in range(4)]
    assert sorted(share.due(index) for share in shares for index in range(2500)) == [
        whole.due(index) for index in range(10_000)
    ]


def test_processes_have_together_as_many_in_flight_as_were_asked_for() -> None:
    assert [Load(concurrency=5).share(index, 3).concurrency for index in range(3)] == [2, 2, 1]
    assert Load(concurrency=10**30).share(1, 2).concurrency == 5 * 10**29


def test_no_request_is_due_at_two_times_in_a_long_run() -> None:
    loop = OpenLoop(rate=9_999.5, ramp=3)
    at = loop.due(10**9)
    assert at == pytest.approx((3 + (10**9 - 9_999.5 * 1.5) / 9_999.5) * 1e9)
    assert loop.due(10**9 + 1) - at == pytest.approx(1e9 / 9_999.5, rel=0.01)
