"""`--fail-if`, `--baseline` and `pynats compare`: conditions on the figures of runs."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli.errors import InputError, NoReplyError, PynatsError, RefusedError
from natscli.request.conditions.thresholds import Verdict, figures, parse_condition, read_figures
from natscli.request.show.comparison import comparison
from tests.program import Run, Runner
from tests.request.responders import Responders, silent

Ask = Callable[..., Run]
SUMMARY = {
    "sent": 1000, "answered": 990, "failed": 10, "failures": {"timeout": {"count": 10, "example": "t"}},
    "in_flight": 0, "late": 0, "retried": 3, "bytes_sent": 5000, "bytes_received": 5000, "seconds": 2.0,
    "rate": 500.0, "rtt_ns": {"min": 1_000, "mean": 5_000, "p50": 4_000, "p99": 22_000_000, "max": 30_000_000},
}  # fmt: skip
NOW = figures(SUMMARY)
BEFORE = {**NOW, "p99": 0.020, "rate": 550.0, "failed": 0.0}


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ("p99 > 20ms", "p99 > 20ms: p99 is 22ms"),
        ("p99>0.02", "p99>0.02: p99 is 22ms"),
        ("p99 > 22ms", ""),
        ("p99 >= 22ms", "p99 >= 22ms: p99 is 22ms"),
        ("failed > 0", "failed > 0: failed is 10"),
        ("failed > 1%", ""),
        ("failed >= 1%", "failed >= 1%: failed is 10, 1.00%"),
        ("timeout > 0.5%", "timeout > 0.5%: timeout is 10, 1.00%"),
        ("no_responders > 0", ""),
        ("rate < 501", "rate < 501: rate is 500/s"),
        ("rate == 500", "rate == 500: rate is 500/s"),
        ("rate < 1e3", "rate < 1e3: rate is 500/s"),
        ("rate > 4.9E+2", "rate > 4.9E+2: rate is 500/s"),
        ("rate>.6e3", ""),
        ("p99 > 2e-2", "p99 > 2e-2: p99 is 22ms"),
        ("p99 > +1e1%", ""),
        ("rate < -5e-1%", "rate < -5e-1%: rate is 500/s after 550/s, -9.1%"),
        ("failed >= 100e-2%", "failed >= 100e-2%: failed is 10, 1.00%"),
        ("seconds > 1500ms", "seconds > 1500ms: seconds is 2s"),
        ("p99 > +5%", "p99 > +5%: p99 is 22ms after 20ms, +10.0%"),
        ("p99 > +11%", ""),
        ("rate < -5%", "rate < -5%: rate is 500/s after 550/s, -9.1%"),
        ("failed > +0%", "failed > +0%: failed is 10 after 0, new"),
        ("p99.9 > 1s", "p99.9 > 1s: p99.9 is not known, nothing was answered"),
    ],
)
def test_a_condition_holds_or_not(condition: str, says: str) -> None:
    failure = parse_condition(condition).failure(NOW, BEFORE)
    assert ("" if failure is None else str(failure)) == says


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("p99", "is no condition"),
        ("p99 > ", "is no condition"),
        ("p95 > 1ms", "there is no figure 'p95'"),
        ("p99 > 20xs", "20xs"),
        ("p99 > 1_0ms", "1_0ms"),
        ("rate < 1k", "'1k' is no number: only times have units in 'rate < 1k'"),
        ("bytes_sent > 10B", "'10B' is no number"),
        ("bytes_sent > 1_0", "'1_0' is no number"),
        ("sent > 1.2.3", "'1.2.3' is no number"),
        ("sent > 1e", "'1e' is no number"),
        ("sent > 1e3k", "'1e3k' is no number"),
        ("sent > 1-3", "is no condition"),
        ("sent > 1e400", "'1e400' is too large in 'sent > 1e400'"),
        ("p99 > 10%", "a change is written +10% or -10%"),
        ("p99 > +10ms", "a change is written +10% or -10%"),
        ("__import__('os') > 1", "is no condition"),
    ],
)
def test_what_is_no_condition_is_refused(text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_condition(text)
    assert says in str(caught.value)
    assert str(caught.value).endswith("(--fail-if)")


@given(st.text(st.sampled_from("p9.failed<>=+-%0123456789ms ") | st.characters(), max_size=20))
def test_any_text_is_a_condition_or_a_clear_error(text: str) -> None:
    try:
        condition = parse_condition(text)
    except InputError:
        return
    failure = condition.failure(NOW, BEFORE)
    assert failure is None or str(failure)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"sent": "x"}', "\xff", '{"sent": NaN, "rate": 1, "failures": {}, "rtt_ns": {}}'],
)
def test_a_file_that_is_no_summary_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "s.json"
    file.write_text(content)
    with pytest.raises(InputError, match="no summary of --summary-json"):
        read_figures(str(file), "--baseline", io.BytesIO())
    with pytest.raises(InputError, match="no such file"):
        read_figures(str(tmp_path / "none"), "--baseline", io.BytesIO())


def test_failures_of_requests_are_judged_by_a_condition_on_them_only() -> None:
    timeout, refused = NoReplyError("t"), RefusedError("r")

    def excused(condition: str, failure: PynatsError) -> bool:
        return Verdict([parse_condition(condition)]).excuses(failure)

    assert excused("failed > 1%", timeout)
    assert excused("timeout > 5", timeout)
    assert not excused("p99 > 1s", timeout)
    assert not excused("failed > 1%", refused)


def test_two_runs_are_shown_beside_each_other() -> None:
    lines = comparison(BEFORE, NOW)
    assert lines[0].split() == ["before", "now", "change"]
    rows = [line.split() for line in lines]
    assert ["rate", "550/s", "500/s", "-9.1%"] in rows
    assert ["failed", "0", "10", "new"] in rows
    assert not any(line.startswith("late") for line in lines)


def test_conditions_in_a_run(ask: Ask, responders: Responders, tmp_path: Path) -> None:
    before, quick, mute = tmp_path / "before.json", responders(), responders(silent)
    many = ("x", "--count", "20", "--quiet", "--raw")
    run = ask(
        quick, *many, "--summary-json", str(before), "--fail-if", "failed > 0", "--fail-if", "p99 > 20s"
    )
    assert (run.status, run.errors) == (0, [])
    run = ask(quick, *many, "--fail-if", "sent == 20", "--fail-if", "p99 < 20s", "--fail-if", "failed > 0")
    assert run.status == 8
    assert [line.partition(": p99 is ")[0] for line in run.errors] == [
        "pynats: error: sent == 20: sent is 20", "pynats: error: p99 < 20s",
    ]  # fmt: skip
    run = ask(
        mute, "x", "--count", "2", "--concurrency", "2", "--timeout", "200ms", "--fail-if", "failed > 2"
    )
    assert run.status == 0, "as many as the condition allows"
    run = ask(mute, "x", "--timeout", "200ms", "--fail-if", "p99 > 1s")
    assert (run.status, run.errors[-1]) == (
        8,
        "pynats: error: p99 > 1s: p99 is not known, nothing was answered",
    )
    run = ask(quick, "x", "--count", "20", "--processes", "2", "--fail-if", "sent > 19")
    assert (run.status, run.errors[-1]) == (8, "pynats: error: sent > 19: sent is 20")
    run = ask(quick, *many[:3], "--baseline", str(before), "--fail-if", "sent != +0%", "--raw")
    assert run.status == 0
    table = [line.split() for line in run.errors]
    assert ["before", "now", "change"] in table
    assert ["sent", "20", "20", "+0.0%"] in table


def test_bad_input_is_found_before_connecting(pynats: Runner, tmp_path: Path) -> None:
    for options, says in (
        (("--fail-if", "p99 > +10%"), "'p99 > +10%' needs --baseline (--fail-if)"),
        (("--fail-if", "p99"), "'p99' is no condition"),
        (("--baseline", str(tmp_path / "none.json")), "no such file or directory"),
    ):
        run = pynats("request", "s", "x", *options, "-s", "nats://127.0.0.1:1")
        assert (run.status, says in run.errors[0]) == (2, True), run.errors


def test_compare_two_files(pynats: Runner, tmp_path: Path) -> None:
    before, after = tmp_path / "a.json", tmp_path / "b.json"
    before.write_text(json.dumps(SUMMARY))
    after.write_text(json.dumps({**SUMMARY, "rate": 250.0}))
    run = pynats("compare", str(before), str(after))
    assert (run.status, run.errors) == (0, [])
    assert ["rate", "500/s", "250/s", "-50.0%"] in [line.split() for line in run.lines]
    run = pynats(
        "compare", str(before), str(after), "--json", "--fail-if", "rate < -10%", "--fail-if", "sent < 1"
    )
    assert run.status == 8
    assert run.errors == ["pynats: error: rate < -10%: rate is 250/s after 500/s, -50.0%"]
    found = json.loads(run.stdout)
    assert (found["before"]["rate"], found["now"]["rate"], found["change"]["rate"]) == (500.0, 250.0, -0.5)
    assert pynats("compare", str(before), str(tmp_path / "c.json")).status == 2
