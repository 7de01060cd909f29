"""JSON as text: read without changing a literal, so that `2.50`, `-0`, huge numbers and repeated keys are kept."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

#: JSON that is nested deeper, or has numbers with more digits, is valid, but common parsers refuse it.
_DEEPEST = 64
_MOST_DIGITS = 1000

#: Strings, punctuation, and numbers or names; what is between them is white space, when the text is JSON.
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},:]|[^\s\[\]{},:"]+')

#: Gives a token its colours; whether it is a key.
Paint = Callable[[str, bool], str]


def is_json(text: str) -> bool:
    """Whether `text` is one JSON value; NaN and Infinity, which Python reads too, are none."""
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def for_programs(text: str) -> str:
    """`text` on one line, if it is JSON that any parser can be expected to read: else an empty string.

    That leaves out repeated keys, deep nesting, numbers of thousands of digits and halves of surrogate pairs, which are
    valid.
    """
    try:
        json.loads(
            text, object_pairs_hook=_members, parse_int=_number, parse_float=_number, parse_constant=_refuse
        )
    except (ValueError, RecursionError):
        return ""
    return "".join(_TOKEN.findall(text)) if _is_flat(text) and _is_text(text) else ""


def indented(text: str, most: int, paint: Paint) -> str:
    """The JSON `text` with a line for each member; an empty string if that has more than `most` characters."""
    tokens = _TOKEN.findall(text)
    parts: list[str] = []
    size, margin, opened = 0, "\n", False
    for token, following in zip(tokens, [*tokens[1:], ""], strict=True):
        part = token
        if token in "[{":
            if following not in "]}":
                margin += "  "
                part += margin
        elif token in "]}":
            if not opened:
                margin = margin[:-2]
                part = margin + token
        elif token == ",":
            part += margin
        elif token == ":":
            part = ": "
        else:
            part = paint(token, following == ":")
        opened = token in "[{"
        parts.append(part)
        size += len(part)
        if size > most:  # deep nesting makes little JSON very long
            return ""
    return "".join(parts)


def _is_flat(text: str) -> bool:
    """Whether it is not nested too deep."""
    if text.count("[") + text.count("{") <= _DEEPEST:
        return True
    depth = 0
    for token in _TOKEN.findall(text):
        depth += (token in "[{") - (token in "]}")
        if depth > _DEEPEST:
            return False
    return True


def _is_text(text: str) -> bool:
    """Whether all strings of the JSON are characters: half of a surrogate pair is none (RFC 8259, 8.2)."""
    if "\\u" not in text:
        return True
    try:
        for token in _TOKEN.findall(text):
            if "\\u" in token:
                json.loads(token).encode()
    except UnicodeEncodeError:
        return False
    return True


def _members(pairs: list[tuple[str, Any]]) -> None:
    """Raises ValueError for a key that comes twice: parsers differ in which they take, or refuse it."""
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError


def _number(literal: str) -> None:
    """Raises ValueError for more digits than parsers take."""
    if len(literal) > _MOST_DIGITS:
        raise ValueError


def _refuse(name: str) -> None:
    """Raises ValueError."""
    raise ValueError(name)
