"""Pauses that double."""

from __future__ import annotations

import pytest

from natscli.backoff import Backoff


def test_each_pause_is_twice_the_one_before_up_to_the_longest() -> None:
    backoff = Backoff(0.1, 1.0)
    assert [backoff.pause(failures) for failures in range(1, 7)] == pytest.approx(
        [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    )
    assert backoff.pause(10**6) == 1.0


@pytest.mark.parametrize("failures", [0, 1, 5, 40])
def test_the_sum_is_that_of_the_pauses(failures: int) -> None:
    backoff = Backoff(0.01, 0.25)
    assert backoff.together(failures) == pytest.approx(sum(map(backoff.pause, range(1, failures + 1))))


def test_the_sum_of_any_number_is_known_at_once() -> None:
    assert Backoff(0.01, 0.25).together(2**63) == pytest.approx(2**63 * 0.25)
