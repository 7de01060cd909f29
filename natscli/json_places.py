"""JSON values that follow each other in a text, and the line and column of each of their parts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
#: What may be between two values: white space, and lines that begin with #.
_BETWEEN = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")


class JSONError(ValueError):
    """Not JSON; `position` is where in the text. `incomplete` if more text could make it JSON."""

    def __init__(self, what: str, position: int, *, incomplete: bool = False) -> None:
        super().__init__(what)
        self.position = position
        self.incomplete = incomplete


def values(text: str) -> Iterator[tuple[int, Any]]:
    """The values in `text`, and where each begins.

    Raises:
        JSONError: it is not JSON.
    """
    position = skip(text, 0)
    while position < len(text):
        value, end = decode(text, position)
        yield position, value
        position = skip(text, end)


def skip(text: str, position: int) -> int:
    """Where the next value begins, past white space and comments."""
    return _end(_BETWEEN, text, position)


def decode(text: str, position: int) -> tuple[Any, int]:
    """The value at `position`, and where it ends.

    Raises:
        JSONError: it is not JSON.
    """
    try:
        return _DECODER.raw_decode(text, position)
    except json.JSONDecodeError as error:
        cut_off = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated")
        raise JSONError(error.msg[:1].lower() + error.msg[1:], error.pos, incomplete=cut_off) from None
    except RecursionError:
        raise JSONError("nested too deeply", position) from None
    except ValueError:  # of thousands of digits Python makes no number
        raise JSONError("too large a number", position) from None


def find(text: str, position: int, path: Sequence[str | int], *, key: bool = False) -> int:
    """Where the part at `path` (keys, indexes) of the value at `position` begins; with `key`, where its key does."""
    begin = position
    for step in path:
        for name, at, value in _parts(text, position):
            if name == step:
                found = at, value
        begin, position = found
    return begin if key else position


def line_and_column(text: str, position: int) -> tuple[int, int]:
    """Both from 1."""
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)


def _parts(text: str, position: int) -> Iterator[tuple[str | int, int, int]]:
    """Of an object or an array: each key or index, and where key and value begin."""
    is_object, index = text[position] == "{", 0
    position = _end(_SPACE, text, position + 1)
    while text[position] not in "]}":
        name: str | int = index
        begin = position
        if is_object:
            name, position = _DECODER.raw_decode(text, position)
            position = _end(_SPACE, text, _end(_SPACE, text, position) + 1)  # past the colon
        yield name, begin, position
        position = _end(_SPACE, text, _DECODER.raw_decode(text, position)[1])
        if text[position] == ",":
            position = _end(_SPACE, text, position + 1)
        index += 1


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    assert match is not None  # it may be empty
    return match.end()
