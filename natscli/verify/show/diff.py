"""Two payloads beside each other: the lines that differ, of JSON pretty-printed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from difflib import unified_diff

from natscli.environment import CYAN, GREEN, RED
from natscli.message.json_values import value_of
from natscli.message.records.values import Ignored, NotIgnoredError
from natscli.output.terminal import Painter
from natscli.text import hex_dump, visible, visible_line

#: Bytes of a payload that is compared line by line, and lines of a diff that are shown.
_LARGEST, _MOST_LINES = 64 * 1024, 60


def diff(recorded: bytes, came: bytes, ignored: Ignored | None, painter: Painter) -> str:
    """The lines that were recorded (`-`) and that came (`+`), with some around them; empty if they are too large."""
    if max(len(recorded), len(came)) > _LARGEST:
        return ""
    lines = list(unified_diff(_lines(recorded, ignored), _lines(came, ignored), n=2, lineterm=""))[2:]
    shown = [painter.styled(visible_line(line), _style(line)) for line in lines[:_MOST_LINES]]
    if len(lines) > _MOST_LINES:
        shown.append(f"... {len(lines) - _MOST_LINES} lines more")
    return "".join(f"    {line}\n" for line in shown)


def _style(line: str) -> str:
    return {"-": RED, "+": GREEN, "@": CYAN}.get(line[:1], "")


def _lines(payload: bytes, ignored: Ignored | None) -> list[str]:
    try:
        value = value_of(payload)
        if ignored is not None:
            with suppress(NotIgnoredError):  # then nothing is left out
                value = ignored.removed(value)
        return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True, default=repr).split("\n")
    except (ValueError, RecursionError):
        pass
    try:
        return list(_text_lines(payload.decode()))
    except UnicodeDecodeError:
        return hex_dump(payload).split("\n")


def _text_lines(text: str) -> Iterator[str]:
    return iter(visible(text).split("\n"))
