"""Messages for a person at a terminal, drawn with rich: the only module of `reply` and `request` that imports it."""

from __future__ import annotations

import io
import json
from typing import Any

from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.text import Text

from natscli.message import headers
from natscli.output.text import payload_text, visible_json, visible_line

#: JSON larger than this (bytes) is shown as it came: parsing and colouring it takes longer than reading on.
_LARGEST_JSON = 64 * 1024
_LARGEST_SHOWN = 4 * _LARGEST_JSON


class Painter:
    """Turns the parts of a message into text, coloured or not."""

    def __init__(self, *, colored: bool) -> None:
        self._console = Console(
            file=io.StringIO(), force_terminal=colored, no_color=not colored, width=10_000, highlight=False,
            color_system="standard" if colored else None, legacy_windows=False, _environ={},
        )  # fmt: skip

    def paint(self, *parts: tuple[str, str]) -> str:
        """Text and style pairs on one line, with every control character escaped."""
        return self._render(Text.assemble(*((visible_line(text), style) for text, style in parts)))

    def header_lines(self, block: bytes | None) -> str:
        """`Name: value` lines."""
        return "".join(
            self.paint((name, "cyan"), (": ", ""), (value, "")) for name, value in headers.decode(block)
        )

    def payload(self, payload: bytes, *, pretty: bool = True) -> str:
        """A payload: JSON pretty-printed, text with its controls escaped, anything else as a hex dump."""
        json_text = _pretty_json(payload) if pretty else ""
        if json_text:
            return self._render(JSONHighlighter()(json_text))
        text = payload_text(payload)
        return text if text.endswith("\n") or not text else f"{text}\n"

    def _render(self, text: Text) -> str:
        with self._console.capture() as capture:
            self._console.print(text, soft_wrap=True)
        return capture.get()


def _pretty_json(payload: bytes) -> str:
    """A JSON object or array, indented; an empty string for anything else, or when it would not say the same."""
    if len(payload) > _LARGEST_JSON or payload.lstrip()[:1] not in (b"{", b"["):
        return ""
    try:
        data = json.loads(
            payload.decode(),
            object_pairs_hook=_object,
            parse_int=_int,
            parse_float=_float,
            parse_constant=_float,
        )
        shown, size = [], 0
        for part in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(data):
            size += len(part)
            if size > _LARGEST_SHOWN:  # deep nesting makes little JSON very long
                return ""
            shown.append(part)
        return visible_json("".join(shown))
    except (ValueError, RecursionError):
        return ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises ValueError for a key that comes twice: one of the two would not be shown."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError
    return members


def _int(literal: str) -> int:
    """Raises ValueError for -0, which Python has no integer for, and for thousands of digits."""
    if literal == "-0":
        raise ValueError
    return int(literal)


def _float(literal: str) -> float:
    """Raises ValueError for a number that Python would write otherwise."""
    number = float(literal)
    if repr(number) != literal:
        raise ValueError
    return number
