"""JSON compared by value: not by spaces, the order of keys, or how a number is written."""

from __future__ import annotations

import json
from typing import Any

#: What a payload is that is no JSON, or too large (bytes) to look.
UNREADABLE: Any = object()
_LARGEST = 1024 * 1024


def parsed(payload: bytes) -> Any:
    """The value of a payload; `UNREADABLE` if it is none."""
    if len(payload) > _LARGEST:
        return UNREADABLE
    try:
        return json.loads(payload)
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
        return json.dumps(_plain(value), sort_keys=True, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return None


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
