"""Statistics of round-trip times."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli.request.statistics import Statistics


def timings(samples: Iterable[int]) -> dict[str, int]:
    statistics = Statistics()
    for sample in samples:
        statistics.rtt.record(sample)
    return statistics.summary().timings


def test_nothing_has_no_timings() -> None:
    assert timings([]) == {}


def test_one_sample_is_all_of_them() -> None:
    assert timings([5]) == {"min": 5, "mean": 5, "p50": 5, "p90": 5, "p99": 5, "p99.9": 5, "max": 5}


def test_percentiles_are_nearest_ranks() -> None:
    assert timings(range(100, 0, -1)) == {
        "min": 1, "mean": 50, "p50": 50, "p90": 90, "p99": 99, "p99.9": 100, "max": 100,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("count", "p50", "p90", "p99"), [(2, 1, 2, 2), (5, 3, 5, 5), (10, 5, 9, 10), (50, 25, 45, 50)]
)
def test_a_rank_between_two_values_is_that_of_the_larger(count: int, p50: int, p90: int, p99: int) -> None:
    found = timings(range(1, count + 1))
    assert (found["p50"], found["p90"], found["p99"]) == (p50, p90, p99)


@given(st.lists(st.integers(0, 10**12), min_size=1))
def test_percentiles_were_seen_and_are_in_order(samples: list[int]) -> None:
    found = timings(samples)
    shown = [found[name] for name in ("min", "p50", "p90", "p99", "max")]
    assert shown == sorted(shown)
    assert set(shown) <= set(samples)
    assert found["min"] <= found["mean"] <= found["max"]
