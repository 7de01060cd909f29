"""JSON compared by value: not by spaces, the order of keys, or how a number is written."""

from __future__ import annotations

import json
from collections import Counter
from math import isinf
from typing import Any, NoReturn

#: What a payload is that is no JSON, or too large (bytes) to look.
UNREADABLE: Any = object()
_LARGEST = 1024 * 1024
#: Characters of a name or a number in a message.
_LONGEST = 40


class DisputedError(ValueError):
    """JSON whose value parsers do not agree on; the text says why."""


def value_of(payload: bytes) -> Any:
    """The value of a payload that is JSON, in UTF-8 (RFC 8259).

    Raises:
        DisputedError: it is JSON, but parsers make different values of it.
        ValueError: it is no JSON.
        RecursionError: it is nested too deeply.
    """
    try:
        return _DECODER.decode(payload.decode())
    except (json.JSONDecodeError, UnicodeDecodeError, DisputedError):
        raise
    except ValueError:  # of thousands of digits Python makes no number
        raise DisputedError("a number has too many digits") from None


def parsed(payload: bytes) -> Any:
    """The value of a payload; `UNREADABLE` if it is none."""
    if len(payload) > _LARGEST:
        return UNREADABLE
    try:
        return value_of(payload)
    except (ValueError, RecursionError):
        return UNREADABLE


def canonical(payload: bytes) -> bytes | None:
    """The same bytes for all payloads that are the same object or list; None for any other."""
    if payload[:64].lstrip()[:1] not in (b"{", b"["):
        return None
    value = parsed(payload)
    if value is UNREADABLE:
        return None
    try:
        return written(value)
    except (ValueError, RecursionError):
        return None


def written(value: Any) -> bytes:
    """The same bytes for all values that are the same.

    Raises:
        RecursionError: it is nested too deeply.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), default=repr).encode()


def contains(value: Any, part: Any) -> bool:
    """Whether `value` has all that `part` has: keys of objects, all elements of lists, equal values."""
    if not isinstance(part, dict | list):
        return _equal(value, part)
    pairs = [(value, part)]  # no recursion: a value may be nested as deep as Python reads it
    while pairs:
        value, part = pairs.pop()
        if isinstance(part, dict):
            if not isinstance(value, dict) or not part.keys() <= value.keys():
                return False
            inner = [(value[key], wanted) for key, wanted in part.items()]
        else:
            if not isinstance(value, list) or len(value) != len(part):
                return False
            inner = list(zip(value, part, strict=True))
        for have, wanted in inner:
            if isinstance(wanted, dict | list):
                pairs.append((have, wanted))
            elif not _equal(have, wanted):
                return False
    return True


def _equal(value: Any, other: Any) -> bool:
    """Whether two values are equal, of which `other` is no object or list; true is not 1."""
    return bool(value == other) and isinstance(value, bool) == isinstance(other, bool)


def _plain(value: Any) -> Any:
    """The value, with whole numbers as such: 1.0 is 1."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object. Raises DisputedError for a name that comes twice: parsers take the first, the last, or neither."""
    members = dict(pairs)
    if len(members) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise DisputedError(f"the name {_cropped(json.dumps(twice))} is there twice")
    return members


def _finite(literal: str) -> float:
    """A number. Raises DisputedError for one that is infinite or 0 to Python, where other parsers know its value."""
    number = float(literal)
    if isinf(number):
        raise DisputedError(f"the number {_cropped(literal)} is too large")
    if not number and literal.lower().partition("e")[0].strip("-0."):
        raise DisputedError(f"the number {_cropped(literal)} is too small")
    return number


def _refuse(name: str) -> NoReturn:
    raise json.JSONDecodeError(f"JSON has no {name}", name, 0)


def _cropped(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


_DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_float=_finite, parse_constant=_refuse)
