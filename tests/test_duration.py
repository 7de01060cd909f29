"""Durations: what is understood, and how they are shown."""

from __future__ import annotations

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli.duration import format_duration, parse_duration, parse_timestamp, timestamp


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5),
        ("0.25", 0.25),
        ("1e2", 100),
        ("300ms", 0.3),
        ("1m30s", 90),
        ("1h2m3.5s", 3723.5),
        ("1d", 86400),
        ("1w", 604800),
        ("1d12h", 129600),
        ("250us", 250e-6),
        ("250µs", 250e-6),
        ("250μs", 250e-6),
        ("7ns", 7e-9),
        ("0", 0),
        ("0s", 0),
        (".5s", 0.5),
        (" 2s ", 2),
    ],
)
def test_a_duration_is_understood(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "293000d",
        "1e300",
        "",
        " ",
        "s",
        "5x",
        "5S",
        "1m 30s",
        "-1",
        "-5s",
        "nan",
        "inf",
        "1e999",
        "9" * 400 + "s",
        "1..5s",
        "1h30",
        "µ",
    ],
)
def test_anything_else_is_not_a_duration(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (412.3e-6, "412.3µs"),
        (412.345e-6, "412.3µs"),
        (1.25, "1.25s"),
        (0.3, "300ms"),
        (0.99996, "1s"),
        (999.96e-6, "1ms"),
        (7e-9, "7ns"),
        (59.9999, "1m0s"),
        (60, "1m0s"),
        (125, "2m5s"),
        (71.5, "1m11.5s"),
        (999.94, "16m39.9s"),
        (999.96, "16m40s"),
        (1000.4, "16m40s"),
        (3600, "1h0m0s"),
        (90061, "25h1m1s"),
    ],
)
def test_a_duration_is_shown_with_a_fitting_unit(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.floats(min_value=1e-9, max_value=1e7))
def test_what_is_shown_is_understood_again(seconds: float) -> None:
    shown = format_duration(seconds)
    again = parse_duration(shown)
    assert again == pytest.approx(seconds, rel=5.1e-4, abs=0.51 if seconds > 59 else 0)
    assert format_duration(again) == shown


@given(st.text(alphabet="0123456789.nuµmshdwe -+_x", max_size=12))
def test_no_text_breaks_the_parser(text: str) -> None:
    with suppress(ValueError):
        assert 0 <= parse_duration(text) < math.inf


@given(st.integers(0, 999_999), st.integers(1_500_000_000, 2_100_000_000))
def test_a_time_that_is_read_and_written_again_is_the_same(microsecond: int, second: int) -> None:
    text = f"{timestamp(second)[:-7]}{microsecond:06d}Z"
    assert timestamp(parse_timestamp(text)) == text
