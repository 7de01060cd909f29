"""The log as lines of JSON (`--log json`), and the time at the beginning of a line of text."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, BinaryIO, cast

from natscli.duration import timestamp
from natscli.text import replaced

#: The levels of a line.
INFO, WARNING, ERROR = "info", "warning", "error"


def json_line(level: str, message: str, at: float, **fields: Any) -> bytes:
    """A line of the log, made of ASCII: time (RFC 3339, in UTC), level, message, and `fields`.

    Fields that are None or {} are left out.
    """
    import json

    known = {name: value for name, value in fields.items() if value not in (None, {})}
    record = {"time": timestamp(at), "level": level, "message": replaced(message), **known}
    return json.dumps(record).encode() + b"\n"


def clock(dated: bool) -> Callable[[float], str]:
    """Gives what a line begins with: the time of day of seconds since 1970; in a log that is a file, after the date."""
    form = "%Y-%m-%d %H:%M:%S " if dated else "%H:%M:%S "

    @lru_cache(4)
    def shown(second: int) -> str:
        return time.strftime(form, time.localtime(second))

    return lambda at: shown(int(at))


class NeverDrawn:
    """A stream that is no terminal, whatever it is: a log of JSON has no colours, no progress and no questions."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream

    def isatty(self) -> bool:
        """Say that it is none."""
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def never_drawn(stream: BinaryIO) -> BinaryIO:
    """`stream` as a `NeverDrawn`."""
    return cast(BinaryIO, NeverDrawn(stream))
