"""JSON compared by value, or by shape, without what is ignored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from natscli.errors import InputError
from natscli.message.json_values import canonical

#: Differences that are named, and characters of a value in one.
_MOST, _LONGEST = 3, 40


class _Nothing:
    """What is in place of a member that is not there, or of an element that is ignored."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING = _Nothing()


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
        self._paths = []
        for path in paths:
            try:
                if not path.strip():
                    raise JSONPathError("it is empty")
                self._paths.append(environment.compile(path))
            except JSONPathError as error:
                token = getattr(error, "token", None)
                column = f", column {(len(path) if token.index < 0 else token.index) + 1}" if token else ""
                what = str(error).partition("\n")[0]
                raise InputError(
                    f"not a JSONPath: {path!r}: {what}",
                    where=f"--ignore{column}",
                    hint="write for example $.time, $..updated_at or $.items[*].id",
                ) from None

    def removed(self, value: Any) -> Any:
        """`value` without them; it is changed. An element of an array leaves its place."""
        for path in self._paths:
            found = sorted((match.parts for match in path.finditer(value)), key=len, reverse=True)
            for parts in found:
                if not parts:
                    return NOTHING
                parent = value
                for part in parts[:-1]:
                    parent = parent[part]
                if isinstance(parent, dict):
                    parent.pop(parts[-1], None)
                else:
                    parent[parts[-1]] = NOTHING
        return value


def parsed(payload: bytes) -> Any:
    """The value of JSON.

    Raises:
        ValueError: it is none, or one that parsers do not agree on.
    """
    try:
        return json.loads(payload, parse_constant=_refuse)
    except RecursionError:
        raise ValueError from None


def canonical_without(payload: bytes, ignored: Ignored | None) -> bytes:
    """The same bytes for objects and lists that are the same without what is ignored; another payload as it is."""
    if ignored is not None:
        try:
            payload = json.dumps(ignored.removed(parsed(payload)), default=repr).encode()
        except (ValueError, RecursionError):
            return payload
    return canonical(payload) or payload


def compare_json(recorded: bytes, came: bytes, ignored: Ignored | None, *, shape: bool) -> str | None:
    """How two payloads of JSON differ, empty if they do not; None if none of them is JSON, or only the other."""
    values = []
    for payload in (recorded, came):
        try:
            values.append(parsed(payload))
        except ValueError:
            if values:
                return "JSON was recorded, this is none"
            return None if not shape else _texts(recorded, came)
    if ignored is not None:
        values = [ignored.removed(value) for value in values]
    try:
        return _said(islice(_places(values[0], values[1], "$", shape), _MOST + 1))
    except RecursionError:
        return None


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


def _places(recorded: Any, came: Any, path: str, shape: bool) -> Iterator[str]:
    """The places where two values differ; in `shape`, those that have other members, or other types."""
    if recorded is NOTHING or came is NOTHING:
        return
    if isinstance(recorded, dict) and isinstance(came, dict):
        for name in [*recorded, *(name for name in came if name not in recorded)]:
            at = f"{path}.{name}"
            if name not in came:
                yield f"{at} is missing"
            elif name not in recorded:
                yield f"{at} was not recorded"
            else:
                yield from _places(recorded[name], came[name], at, shape)
    elif isinstance(recorded, list) and isinstance(came, list):
        yield from _other_shapes(recorded, came, path) if shape else _elements(recorded, came, path)
    elif _type(recorded) != _type(came):
        said = _type if shape else _shown
        yield f"{path} is {said(came)}, not {said(recorded)}"
    elif recorded != came and not shape:
        yield f"{path} is {_shown(came)}, not {_shown(recorded)}"


def _elements(recorded: list[Any], came: list[Any], path: str) -> Iterator[str]:
    if len(recorded) != len(came):
        yield f"{path} has {len(came)} elements, not {len(recorded)}"
    for index, (one, other) in enumerate(zip(recorded, came, strict=False)):
        yield from _places(one, other, f"{path}[{index}]", False)


def _other_shapes(recorded: list[Any], came: list[Any], path: str) -> Iterator[str]:
    """Elements with a shape that none of the recorded ones has."""
    if not recorded or NOTHING in recorded:
        return
    alike: dict[object, list[Any]] = {}
    for one in recorded:
        alike.setdefault(_outline(one), []).append(one)
    for index, element in enumerate(came):
        if element is NOTHING:
            continue
        if all(
            any(True for _ in _places(one, element, "", True)) for one in alike.get(_outline(element), ())
        ):
            nearest = recorded[min(index, len(recorded) - 1)]
            yield from islice(_places(nearest, element, f"{path}[{index}]", True), 1)


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


def _refuse(name: str) -> None:
    raise ValueError(name)
