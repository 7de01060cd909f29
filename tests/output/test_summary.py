"""The summary of a run of requests."""

from __future__ import annotations

from natscli.output.summary import summary_lines


def test_all_went_well() -> None:
    lines = summary_lines(3, 3, {}, {"min": 1_000, "max": 2_500_000}, {"sent late": 0})
    assert lines == ["Sent 3, answered 3, failed 0", "RTT min 1µs, max 2.5ms"]


def test_failures_are_told_by_kind() -> None:
    lines = summary_lines(5, 1, {"no_responders": 3, "timeout": 1}, {}, {"in flight at the end": 2})
    assert lines == ["Sent 5, answered 1, failed 4 (3 no responders, 1 timeout), 2 in flight at the end"]
