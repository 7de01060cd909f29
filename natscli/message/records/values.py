"""JSON compared by value, or by shape, without what is ignored."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from natscli.errors import InputError
from natscli.message.json_values import DisputedError, value_of, written
from natscli.message.records.paths import Place, finder

#: Differences that are named, and characters of a value in one.
_MOST, _LONGEST = 3, 40
#: Names of members that stand in a path without quotes.
_PLAIN_NAME = re.compile(r"[^\W\d]\w*")
#: Where a value is: the place of what it is in, and its name or index there; None is the whole.
_At = tuple[Any, "str | int"] | None


class _Nothing:
    """What is in place of a member that is not there, or of an element that is ignored."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING = _Nothing()


class NotIgnoredError(ValueError):
    """Paths could not be looked for in a value; the text says why."""


class Ignored:
    """Parts of JSON values by JSONPath (RFC 9535)."""

    def __init__(self, paths: Sequence[str]) -> None:
        """Compile them.

        Raises:
            InputError: one is no JSONPath, with the column of the mistake.
        """
        from jsonpath import JSONPathEnvironment
        from jsonpath.exceptions import JSONPathError

        environment = JSONPathEnvironment(strict=True)
        self._all = "$" in paths
        self._finders = []
        for path in paths:
            try:
                if not path.strip():
                    raise JSONPathError("it is empty")
                if path.strip()[0] != "$":
                    raise JSONPathError("a path begins with $")
                self._finders.append(finder(environment.compile(path)))
            except JSONPathError as error:
                token = getattr(error, "token", None)
                column = f", column {(len(path) if token.index < 0 else token.index) + 1}" if token else ""
                what = str(error.args[0]).partition("\n")[0]
                raise InputError(
                    f"not a JSONPath: {path!r}: {what}",
                    where=f"--ignore{column}",
                    hint="write for example $.time, $..updated_at or $.items[*].id",
                ) from None

    def removed(self, value: Any) -> Any:
        """`value` without them; it is changed.

        Raises:
            NotIgnoredError: they cannot be looked for; `value` is as it was.
        """
        return _without(value, self.found(value))

    def found(self, value: Any) -> list[Place]:
        """Where they are in `value`.

        Raises:
            NotIgnoredError: they cannot be looked for.
        """
        if self._all or not isinstance(value, dict | list):  # the library reads a string as JSON
            return [(None, None)] if self._all else []
        try:
            return [place for find in self._finders for place in find(value)]
        except RecursionError:
            raise NotIgnoredError("nested too deeply for --ignore") from None
        except Exception as error:  # by a value that the library does not expect
            raise NotIgnoredError(f"--ignore failed with {type(error).__name__}") from None


def _without(value: Any, found: list[Place]) -> Any:
    """`value`, which is changed, without what is at these places. An element of an array leaves its place."""
    for holder, key in found:
        if holder is None:
            return NOTHING
        if isinstance(holder, dict):
            holder.pop(key, None)
        else:
            holder[key] = NOTHING
    return value


def canonical_without(payload: bytes, ignored: Ignored | None) -> bytes:
    """The same bytes for objects and lists that are the same without what is ignored; another payload as it is."""
    if payload[:64].lstrip()[:1] not in (b"{", b"["):
        return payload
    try:
        value = value_of(payload)
        return written(value if ignored is None else ignored.removed(value))
    except (ValueError, RecursionError):
        return payload


def compare_json(recorded: bytes, came: bytes, ignored: Ignored | None, *, shape: bool) -> str | None:
    """How two payloads of JSON differ, empty if they do not; None if the first is none.

    Raises:
        DisputedError: parsers do not agree on the value of one.
        RecursionError: they are nested too deeply.
    """
    values = []
    for payload in (recorded, came):
        try:
            values.append(value_of(payload))
        except DisputedError:
            raise
        except ValueError:
            if values:
                return "JSON was recorded, this is none"
            return None if not shape else _texts(recorded, came)
    note = ""
    if ignored is not None:
        try:
            found = [ignored.found(value) for value in values]
            values = list(map(_without, values, found))
        except NotIgnoredError as error:
            note = f" (nothing is left out: {error})"
    said = _said(islice(_places(values[0], values[1], None, shape), _MOST + 1))
    return said and said + note


def _texts(recorded: bytes, came: bytes) -> str | None:
    """Whether two payloads of which the first is no JSON have the same shape: text, bytes, or nothing."""
    kinds = [_kind(payload) for payload in (recorded, came)]
    return "" if kinds[0] == kinds[1] else f"{kinds[1]}, not {kinds[0]}"


def _kind(payload: bytes) -> str:
    if not payload:
        return "an empty payload"
    try:
        payload.decode()
    except UnicodeDecodeError:
        return "binary"
    return "text"


def _said(differences: Iterator[str]) -> str:
    said = list(differences)
    more = ", and more" if len(said) > _MOST else ""
    return ", ".join(said[:_MOST]) + more


def _places(recorded: Any, came: Any, place: _At, shape: bool) -> Iterator[str]:
    """The places where two values differ; in `shape`, those that have other members, or other types."""
    if recorded is NOTHING or came is NOTHING:
        return
    if isinstance(recorded, dict) and isinstance(came, dict):
        for name in [*recorded, *(name for name in came if name not in recorded)]:
            if name not in came:
                yield f"{_path((place, name))} is missing"
            elif name not in recorded:
                yield f"{_path((place, name))} was not recorded"
            elif not _is_simply_same(one := recorded[name], other := came[name]):
                yield from _places(one, other, (place, name), shape)
    elif isinstance(recorded, list) and isinstance(came, list):
        yield from _other_shapes(recorded, came, place) if shape else _elements(recorded, came, place)
    elif _type(recorded) != _type(came):
        said = _type if shape else _shown
        yield f"{_path(place)} is {said(came)}, not {said(recorded)}"
    elif recorded != came and not shape:
        yield f"{_path(place)} is {_shown(came)}, not {_shown(recorded)}"


def _is_simply_same(one: Any, other: Any) -> bool:
    """Whether two values are the same text or number, which most are."""
    return type(one) is type(other) and not isinstance(one, dict | list) and bool(one == other)


def _elements(recorded: list[Any], came: list[Any], place: _At) -> Iterator[str]:
    if len(recorded) != len(came):
        yield f"{_path(place)} has {len(came)} elements, not {len(recorded)}"
    for index, (one, other) in enumerate(zip(recorded, came, strict=False)):
        if not _is_simply_same(one, other):
            yield from _places(one, other, (place, index), False)


def _other_shapes(recorded: list[Any], came: list[Any], place: _At) -> Iterator[str]:
    """Elements with a shape that none of the recorded ones has."""
    if NOTHING in recorded:
        return
    alike: dict[object, list[Any]] = {}
    for one in recorded:
        alike.setdefault(_outline(one), []).append(one)
    for index, element in enumerate(came):
        like = alike.get(_outline(element), [])
        if (
            element is NOTHING
            or (like and not isinstance(element, dict | list))
            or _is_like_one(like, element)
        ):
            continue
        if recorded:
            nearest = recorded[min(index, len(recorded) - 1)]
            yield from islice(_places(nearest, element, (place, index), True), 1)
        else:
            yield f"{_path((place, index))} was not recorded"


def _is_like_one(those: list[Any], value: Any) -> bool:
    """Whether a value has the shape of one of `those`: that one is looked at first the next time."""
    for at, one in enumerate(those):
        if not any(True for _ in _places(one, value, None, True)):
            if at:
                those.insert(0, those.pop(at))
            return True
    return False


def _path(place: _At) -> str:
    """The normalized path (RFC 9535) of a place, with plain names after a dot, as `--ignore` takes it."""
    parts: list[str] = []
    while place is not None:
        place, part = place
        if isinstance(part, int):
            parts.append(f"[{part}]")
        else:
            parts.append(f".{part}" if _PLAIN_NAME.fullmatch(part) else f"['{_escaped(part)}']")
    return "$" + "".join(reversed(parts))


def _escaped(name: str) -> str:
    return json.dumps(name, ensure_ascii=not name.isprintable())[1:-1].replace('\\"', '"').replace("'", "\\'")


def _outline(value: Any) -> object:
    """The same for all values of a shape: the names of an object, the type of any other."""
    return frozenset(value) if isinstance(value, dict) else _type(value)


def _type(value: Any) -> str:
    if value is None:
        return "null"
    return {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array"}.get(
        type(value), "an object"
    )


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
