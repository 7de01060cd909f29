"""The figures of a responder as one line, an object, or a panel that is drawn again and again."""

from __future__ import annotations

import json
from typing import Any

from natscli.duration import format_duration
from natscli.reply.figures import Figures
from natscli.text import bytes_for_programs, format_bytes

#: Columns of the panel, at most.
_WIDTH = 72
_UNANSWERABLE = "without a reply subject"


def line(figures: Figures) -> str:
    """All in one line, for people."""
    f = figures
    whole = "" if f.answered == f.requests else f" of {f.requests:,}"
    noun = "request" if f.requests == 1 else "requests"
    now = "" if f.rate_now is None else f", now {_rate(f.rate_now)}"
    text = f"Answered {f.answered:,}{whole} {noun} in {_seconds(f.seconds)} ({_rate(f.rate)}{now})"
    parts = [f"{f.errors:,} error" + "s" * (f.errors != 1)] if f.requests else []
    parts += [
        f"{count:,} {what}"
        for count, what in (
            (f.in_flight, "in flight"),
            (f.lost, "lost"),
            (f.undelivered, "undelivered"),
            (f.unanswerable, _UNANSWERABLE),
        )
        if count
    ]
    parts += [f"{name} {_time(ns)}" for name, ns in f.timings.items()]
    if f.size is not None and f.requests:
        parts.append(_bytes(f.size))
    return f"{text}: {', '.join(parts)}" if parts else text


def record(figures: Figures) -> dict[str, Any]:
    """The same for programs; durations in seconds and in nanoseconds, as their names say."""
    given = figures._asdict()
    for name in ("times", "rate_now", "size", "failed_at"):
        del given[name]
    given["seconds"] = round(figures.seconds, 3)
    given["rate"] = round(figures.rate, 3)
    if figures.rate_now is not None:
        given["rate_now"] = round(figures.rate_now, 3)
    if figures.size is not None:
        given["bytes_in"], given["bytes_out"] = figures.size
    given["time_ns"] = figures.timings
    return given


def json_line(figures: Figures, *, ascii_only: bool) -> bytes:
    """The record as a line; `ascii_only` for terminals."""
    return bytes_for_programs(json.dumps(record(figures), ensure_ascii=ascii_only)) + b"\n"


def panel(figures: Figures, title: str, *, width: int, colored: bool) -> str:
    """The same, drawn on a terminal of `width` columns; 12 lines."""
    import io

    from rich import box
    from rich.console import Console
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    from natscli.text import visible_line

    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(style="cyan" if colored else "", no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for name, value in _rows(figures):
        bad = name == "Errors" and figures.errors and colored
        table.add_row(name, Text(visible_line(value), "red" if bad else ""))
    file = io.StringIO()
    console = Console(
        file=file, force_terminal=True, color_system="standard" if colored else None, highlight=False,
        width=max(min(width, _WIDTH), 20), legacy_windows=False, _environ={},
    )  # fmt: skip
    shown = Text(visible_line(title), "bold" if colored else "", overflow="ellipsis", no_wrap=True)
    console.print(Panel(table, title=shown, title_align="left", box=box.ROUNDED))
    return file.getvalue()


def _rows(f: Figures) -> list[tuple[str, str]]:
    timings = f.timings
    asked = f"{f.requests:,}" + (f" and {f.unanswerable:,} {_UNANSWERABLE}" if f.unanswerable else "")
    now = "" if f.rate_now is None else f"{_rate(f.rate_now)} now, "
    return [
        ("Requests", asked),
        ("Answered", _answered(f)),
        ("Rate", f"{now}{_rate(f.rate)} over all"),
        ("In flight", f"{f.in_flight:,}"),
        ("Errors", f"{f.errors:,}" + (f", the last {f.last_error}" if f.last_error else "")),
        ("Time", ", ".join(f"{name} {_time(ns)}" for name, ns in timings.items()) or "-"),
        *([("Bytes", _bytes(f.size))] if f.size is not None else []),
        ("Since", f"{_seconds(f.seconds)} ago"),
    ]


def _answered(f: Figures) -> str:
    missing = ((f.lost, "lost"), (f.undelivered, "undelivered"))
    return ", ".join([f"{f.answered:,}", *(f"{count:,} {what}" for count, what in missing if count)])


def _bytes(size: tuple[int, int]) -> str:
    return f"{format_bytes(size[0])} in, {format_bytes(size[1])} out"


def _rate(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 10 or not rate else f"{rate:.2g}/s"


def _time(nanoseconds: int) -> str:
    return format_duration(float(f"{nanoseconds / 1e9:.3g}"))


def _seconds(seconds: float) -> str:
    return format_duration(round(seconds, 1 if seconds >= 1 else 3))
