"""The summary of a run of requests."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli.request.show.summary import count_lines, histogram, rate_line, rtt_lines


def test_all_went_well() -> None:
    assert count_lines(3, 3, {}, {}, {"sent late": 0}) == ["Sent 3, answered 3, failed 0"]
    for columns in (None, 80):
        assert rtt_lines({"min": 1_000, "max": 2_500_000}, columns) == ["RTT min 1µs, max 2.5ms"]


def test_the_rtt_fits_a_terminal_of_80_columns() -> None:
    rtts = dict.fromkeys(("min", "mean", "p50", "p90", "p99", "p99.9", "max"), 123_456)
    one, other = rtt_lines(rtts, 80)
    assert max(len(one), len(other)) < 80
    assert [f"{one} {other.lstrip()}"] == rtt_lines(rtts)


def test_failures_are_counted_by_kind_with_an_example_of_each() -> None:
    failed = {"no_responders": 3, "timeout": 1}
    lines = count_lines(5, 1, failed, {}, {"in flight at the end": 2})
    assert lines == ["Sent 5, answered 1, failed 4 (3 no responders, 1 timeout), 2 in flight at the end"]
    examples = {"no_responders": "no responders (x)", "timeout": "timeout: no reply within 5s (x)"}
    assert count_lines(5, 1, failed, examples, {})[1:] == [
        "No responders, such as: no responders (x)",
        "Timeout, such as: timeout: no reply within 5s (x)",
    ]


def test_the_rate_has_a_fitting_number_of_digits() -> None:
    assert rate_line(21034.4, 4.754, 999, 3_400_000) == "Rate 21034/s for 4.754s, 999 B sent, 3.4 MB received"
    assert rate_line(0.5, 2, 0, 0) == "Rate 0.50/s for 2s, 0 B sent, 0 B received"


def test_a_histogram_has_a_bar_for_each_range() -> None:
    assert histogram([], colored=False) == []
    (line,) = histogram([(5_000, 3)], colored=False)
    assert re.fullmatch(r"≤      5µs  █+ 3  100.0%", line)
    lines = histogram([(1_000, 75), (1_000_000, 25)], colored=False)
    assert len(lines) == 12
    assert (lines[0].split()[-2:], lines[-1].split()[-2:]) == (["75", "75.0%"], ["25", "25.0%"])
    assert abs(lines[0].count("█") - 3 * lines[-1].count("█")) <= 3
    assert all("█" not in line for line in lines[1:-1])


@pytest.mark.parametrize("columns", [40, 60, 79])
def test_nothing_is_wider_than_a_narrow_terminal(columns: int) -> None:
    rtts = dict.fromkeys(("min", "mean", "p50", "p90", "p99", "p99.9", "max"), 123_456_789)
    lines = rtt_lines(rtts, columns)
    lines += histogram([(1_000, 75), (1_000_000, 2500)], colored=False, columns=columns)
    assert max(map(len, lines)) <= columns
    assert all(name in " ".join(lines) for name in rtts)


@given(st.lists(st.tuples(st.integers(0, 10**13), st.integers(1, 10**7)), min_size=1), st.booleans())
def test_a_histogram_counts_every_value_once_in_80_columns(
    values: list[tuple[int, int]], colored: bool
) -> None:
    values.sort()
    lines = [re.sub(r"\x1b\[\d*m", "", line) for line in histogram(values, colored=colored)]
    assert 1 <= len(lines) <= 12
    assert {len(line) for line in lines} == {80}
    counts = [int(line.split()[-2].replace(",", "")) for line in lines]
    assert sum(counts) == sum(count for _, count in values)
    bars = [bool(re.search("[▏▎▍▌▋▊▉█]", line)) for line in lines]
    assert bars == [bool(count) for count in counts]
