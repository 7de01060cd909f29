"""Percentiles of many values, against sorting them and against the library whose buckets they have."""

from __future__ import annotations

import pickle
import random
import sys

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from natscli.histogram import Histogram

RANKS = (0.0, 50.0, 90.0, 99.0, 99.9, 100.0)


def filled(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


def exact(values: list[int], rank: float) -> int:
    return sorted(values)[max(-(-len(values) * int(rank * 10) // 1000), 1) - 1]


@given(st.lists(st.integers(0, 10**13), min_size=1, max_size=300))
def test_percentiles_of_few_values_are_values_that_were_seen(values: list[int]) -> None:
    histogram = filled(values)
    assert histogram.percentiles(RANKS) == [exact(values, rank) for rank in RANKS]
    assert (histogram.smallest, histogram.largest) == (min(values), max(values))
    assert (histogram.count, histogram.mean) == (len(values), sum(values) // len(values))


@pytest.mark.parametrize("spread", [300, 10**6, 10**10])
def test_percentiles_of_many_values_are_within_a_thousandth(spread: int) -> None:
    generator = random.Random(spread)
    values = [int(generator.lognormvariate(0, 1.5) * spread) for _ in range(30_000)]
    found = filled(values).percentiles(RANKS)
    assert found == pytest.approx([exact(values, rank) for rank in RANKS], rel=0.001)


def test_percentiles_are_those_of_hdr_histogram() -> None:
    generator = random.Random(7)
    values = [int(generator.expovariate(1e-6)) + 1 for _ in range(20_000)]
    reference = HdrHistogram(1, 3_600_000_000_000, 3)
    for value in values:
        reference.record_value(value)
    wanted = [reference.get_value_at_percentile(rank) for rank in RANKS[1:]]
    assert filled(values).percentiles(RANKS[1:]) == pytest.approx(wanted, rel=0.001)


def test_a_value_can_be_counted_many_times() -> None:
    histogram = Histogram()
    histogram.record(5, 3)
    histogram.record(7)
    assert (histogram.percentiles((75, 76)), histogram.count, histogram.total) == ([5, 7], 4, 22)
    histogram.record(9, 100_000)
    assert histogram.percentiles((0.001, 50)) == [5, 9]


def test_nothing_has_no_percentiles_and_clocks_that_differ_are_0() -> None:
    assert (Histogram().percentiles(RANKS), Histogram().mean) == ([0] * len(RANKS), 0)
    histogram = filled([-5])
    assert (histogram.percentiles((50,)), histogram.smallest) == ([0], 0)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(0, 10**9), max_size=50), st.lists(st.integers(0, 10**9), max_size=50), st.booleans()
)
def test_two_added_are_as_one(first: list[int], second: list[int], many: bool) -> None:
    more = [12345] * 10_001 if many else []
    both, other = filled(first + more), pickle.loads(pickle.dumps(filled(second)))
    both.add(other)
    one = filled(first + more + second)
    assert both.percentiles(RANKS) == one.percentiles(RANKS)
    assert (both.count, both.total, both.smallest, both.largest) == (
        one.count, one.total, one.smallest, one.largest,
    )  # fmt: skip


def test_memory_is_bounded_however_many_there_are() -> None:
    generator = random.Random(1)
    histogram = filled([int(10 ** generator.uniform(0, 13)) for _ in range(200_000)])
    assert len(histogram.items()) < 45 * 1024
    assert sys.getsizeof(histogram._counts) < 4 * 1024 * 1024
    assert histogram._exact is None


def test_figures_have_names() -> None:
    histogram = filled(list(range(1, 101)))
    assert histogram.named(("min", "p50", "p99.9", "max", "mean")) == {
        "min": 1, "p50": 50, "p99.9": 100, "max": 100, "mean": 50,
    }  # fmt: skip
    assert Histogram().named(("min", "p50")) == {}
