"""The page of a report: whatever its text says, it is text."""

from __future__ import annotations

import re

import pytest

from natscli.output.report.charts import Bar, Line, bars, over_time
from natscli.output.report.page import Figure, page, section, table

HOSTILE = "</title><script>alert(1)</script><img src=x onerror='a'>\"&\x1b[31m\u202e\udcff"


def test_text_is_never_markup_and_never_a_control() -> None:
    figure = Figure(HOSTILE, HOSTILE, 7, HOSTILE)
    chart = over_time(
        HOSTILE, [0.5], 1.0, [Line(HOSTILE, [1.0])], lambda _: HOSTILE, shown_time=lambda _: HOSTILE
    )
    content = (table((HOSTILE,), [(HOSTILE, figure)]), bars([Bar(HOSTILE, 1, 1.0)]), chart)
    html = page(HOSTILE, {HOSTILE: HOSTILE}, [section(HOSTILE, *content)]).decode()
    assert "<script" not in html
    assert "<img" not in html
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert html.count("</title>") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "\\xff" in html


def test_a_page_loads_nothing() -> None:
    html = page("x", {"a": "b"}, []).decode()
    assert not re.search(r"(?:src|href)=|url\(|@import|https?:", html)
    assert "default-src &#x27;none&#x27;" in html


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0.0], ["0", "1"]),
        ([3.0, 9.0], ["0", "2", "4", "6", "8", "10"]),
        ([0.04], ["0", "0.01", "0.02", "0.03", "0.04"]),
        ([123456.0], ["0", "50000", "100000", "150000"]),
    ],
)
def test_scales_have_round_numbers(values: list[float], labels: list[str]) -> None:
    times = [float(n) for n in range(len(values))]
    html = over_time("x", times, 1.0, [Line("y", values)], lambda v: f"{v:.6g}", shown_time=str)
    assert re.findall(r'class="tick"[^>]*>([^<]*)<', html) == labels


def test_a_scale_by_factors_has_room_for_a_tail() -> None:
    lines = [Line("y", [200.0, 3e6])]
    html = over_time("x", [0.0, 1.0], 1.0, lines, lambda v: f"{v:g}", by_factors=True, shown_time=str)
    assert re.findall(r'class="tick"[^>]*>([^<]*)<', html) == [
        "100",
        "1000",
        "10000",
        "100000",
        "1e+06",
        "1e+07",
    ]


def test_a_line_has_a_gap_where_nothing_was_and_a_dot_for_one_alone() -> None:
    line = Line("y", [1.0, None, 1.0, 1.0])
    html = over_time("x", [0.0, 1.0, 2.0, 4.0], 4.0, [line], str, shown_time=str)
    assert ' d="M0.0 0.0h0M500.0 0.0h0L1000.0 0.0"' in html
