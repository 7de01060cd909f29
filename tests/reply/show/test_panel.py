"""How the statistics of a responder are shown."""

from __future__ import annotations

import io
import json

from natscli.histogram import Histogram
from natscli.output.live import Live
from natscli.reply.figures import Figures
from natscli.reply.show.panel import json_line, line, panel

NONE = Figures(
    seconds=12.3456, requests=0, answered=0, in_flight=0, errors=0, last_error="", unanswerable=0, lost=0,
    size=None, times=Histogram(),
)  # fmt: skip


def some() -> Figures:
    times = Histogram()
    for microseconds in range(1, 1001):
        times.record(microseconds * 1000)
    return NONE._replace(
        requests=1020, answered=1000, in_flight=3, errors=1, last_error="500:\x1b[2Jbad", unanswerable=2,
        lost=17, size=(1500, 2_000_000), times=times, rate_now=99.5,
    )  # fmt: skip


def test_a_line_has_what_there_is() -> None:
    assert line(NONE) == "Answered 0 requests in 12.3s (0/s)"
    assert line(some()) == (
        "Answered 1,000 of 1,020 requests in 12.3s (81/s, now 100/s): 1 error, 3 in flight, 17 lost, "
        "2 without a reply subject, p50 500µs, p99 990µs, max 1ms, 1.5 kB in, 2 MB out"
    )


def test_a_record_has_numbers() -> None:
    assert json.loads(json_line(some(), ascii_only=False)) == {
        "seconds": 12.346, "requests": 1020, "answered": 1000, "in_flight": 3, "errors": 1,
        "last_error": "500:\x1b[2Jbad", "unanswerable": 2, "undelivered": 0, "lost": 17,
        "bytes_in": 1500, "bytes_out": 2_000_000,
        "rate": 81.001, "rate_now": 99.5, "time_ns": {"p50": 500_000, "p99": 990_000, "max": 1_000_000},
    }  # fmt: skip
    assert set(json.loads(json_line(some(), ascii_only=False))) - set(json.loads(json_line(NONE, ascii_only=True))) == {
        "bytes_in", "bytes_out", "rate_now"
    }  # fmt: skip


def test_a_panel_fits_the_terminal_and_nothing_drives_it() -> None:
    for width in (20, 40, 72, 200):
        shown = panel(some(), "pynats reply \x1b[31mx", width=width, colored=False)
        assert "\x1b" not in shown
        assert {len(row) for row in shown.splitlines()} == {min(width, 72)}
        assert shown.count("\n") == 10
    assert "the last 500:\\x1b[2Jbad" in panel(some(), "x", width=72, colored=False)
    assert "\x1b[31m" in panel(some(), "x", width=72, colored=True)


def test_lines_are_put_above_what_is_drawn() -> None:
    live = Live(io.BytesIO())
    assert live.wrap(b"a\n") == b"a\n"
    live.update(lambda width: f"{width}\nx\n")
    assert live.wrap(b"") == b"80\nx\n"
    assert live.wrap(b"") == b""
    assert live.wrap(b"b\n") == b"\x1b[2F\x1b[Jb\n80\nx\n"
    live.update(lambda width: "y\n")
    assert live.wrap(b"") == b"\x1b[2F\x1b[Jy\n"
    assert live.wrap(b"c\n") == b"\x1b[1F\x1b[Jc\ny\n"
