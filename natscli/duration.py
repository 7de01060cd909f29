"""Durations as Go writes them: `300ms`, `1m30s`, `1d`; shown with a fitting unit: `412.3µs`, `1.25s`. Times too."""

from __future__ import annotations

import math
import time
from functools import lru_cache

_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,  # U+00B5, micro sign
    "μs": 1e-6,  # U+03BC, Greek mu
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
}

#: The longest duration (seconds), as in Go.
_LONGEST = 2**63 / 1e9


def parse_duration(text: str) -> float:
    """Seconds in a Go duration; a bare number is seconds.

    Raises:
        ValueError: not a duration, a negative one, or one that is longer than Go's.
    """
    rest = text.strip()
    if not rest:
        raise ValueError("a duration is empty; write for example 300ms, 5s or 1m30s")
    try:
        seconds = float(rest.replace("_", "x"))  # Python takes 1_000
    except ValueError:
        seconds = _with_units(rest, text)
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"{text!r} is not a duration of zero or more")
    if seconds > _LONGEST:
        raise ValueError(f"{text!r} is too long: durations have 292 years at most")
    return seconds


def is_rate(a_second: float) -> bool:
    """Whether `a_second` can be a rate: positive, finite, and with a time between two events that is a duration."""
    return 0 < a_second < math.inf and 1 / a_second <= _LONGEST


def _with_units(rest: str, text: str) -> float:
    total = 0.0
    while rest:
        digits = len(rest) - len(rest.lstrip("0123456789."))
        tail = rest[digits:]
        letters = len(tail) - len(tail.lstrip("nuµμmshdw"))
        try:
            total += float(rest[:digits]) * _SECONDS[tail[:letters]]
        except (KeyError, ValueError):
            raise ValueError(f"{text!r} is not a duration; write for example 300ms, 5s or 1m30s") from None
        rest = tail[letters:]
    return total


def format_duration(seconds: float) -> str:
    """A duration for people, about four significant digits: `412.3µs`, `1.25s`, `2m5s`."""
    if not seconds:
        return "0s"
    for unit, size, end in (("ns", 1e-9, 1000), ("µs", 1e-6, 1000), ("ms", 1e-3, 1000), ("s", 1.0, 60)):
        value = float(f"{seconds / size:.4g}")  # rounded first: 999.96ms is 1s, not 1000ms
        if value < end:
            return f"{value:g}{unit}"
    tenths = round(seconds * 10) if seconds < 999.95 else round(seconds) * 10
    hours, minutes = divmod(tenths // 600, 60)
    return (f"{hours}h" if hours else "") + f"{minutes}m{tenths % 600 / 10:g}s"


def timestamp(at: float) -> str:
    """Seconds since 1970 as RFC 3339 has it, in UTC: `2026-11-25T12:30:25.412345Z`."""
    second = int(at)
    microsecond = min(
        int((at - second) * 1e6 + 0.2), 999_999
    )  # a float of today is off by 0.12, and may be read back
    return f"{_second(second)}.{microsecond:06d}Z"


@lru_cache(4)
def _second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def parse_timestamp(text: str) -> float:
    """Seconds since 1970 of a time in UTC as `timestamp` writes it.

    Raises:
        ValueError: it is none.
    """
    second, _, fraction = text.removesuffix("Z").partition(".")
    return _seconds(second) + float(f"0.{fraction or 0}")


@lru_cache(16)
def _seconds(text: str) -> int:
    import calendar

    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))
