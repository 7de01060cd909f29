"""Where a JSONPath finds something: plain ones by a quick walk of any depth, others by the library."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonpath import CompoundJSONPath, JSONPath
    from jsonpath.segments import JSONPathSegment

#: An object or an array, and the name or index in it of what is found; without holder, that is the whole value.
Place = tuple[Any, Any]
_Find = Callable[[Any], Iterable[Place]]


def finder(path: JSONPath | CompoundJSONPath) -> _Find:
    """What finds the places of `path` in a value, which is an object or an array; it may raise anything."""
    from jsonpath.segments import JSONPathChildSegment, JSONPathRecursiveDescentSegment
    from jsonpath.selectors import IndexSelector, NameSelector, WildcardSelector

    # Paths that are joined, which RFC 9535 does not have, have no segments.
    segments: tuple[Any, ...] = getattr(path, "segments", (None,))
    quick = (JSONPathChildSegment, JSONPathRecursiveDescentSegment)
    plain = (IndexSelector, NameSelector, WildcardSelector)
    if not all(type(one) in quick and all(type(s) in plain for s in one.selectors) for one in segments):
        return lambda value: [
            (match.parent.obj, match.parts[-1]) for match in path.finditer(value) if match.parent
        ]
    steps = [(type(one) is JSONPathRecursiveDescentSegment, _selected(one)) for one in segments]

    def find(value: Any) -> Iterable[Place]:
        places: Iterable[Place] = [(None, None)]
        for deep, select in steps:
            values = (value if holder is None else holder[key] for holder, key in places)
            places = _all_selected(values, deep, select)
        return places

    return find


def _all_selected(values: Iterable[Any], deep: bool, select: _Find) -> Iterator[Place]:
    for value in values:
        for one in _with_descendants(value) if deep else (value,):
            yield from select(one)


def _selected(segment: JSONPathSegment) -> _Find:
    """What finds the places that a segment selects in a value."""
    names = [selector.name for selector in segment.selectors if hasattr(selector, "name")]
    indexes = [selector.index for selector in segment.selectors if hasattr(selector, "index")]
    all_of_them = len(names) + len(indexes) < len(segment.selectors)

    def select(value: Any) -> Iterable[Place]:
        if isinstance(value, dict):
            return [(value, name) for name in (value if all_of_them else names) if name in value]
        if isinstance(value, list):
            size = len(value)
            wanted = range(size) if all_of_them else [index for index in indexes if -size <= index < size]
            return [(value, index) for index in wanted]
        return ()

    return select


def _with_descendants(value: Any) -> Iterator[Any]:
    """`value`, and the objects and arrays in it."""
    rest = [value]
    while rest:
        value = rest.pop()
        yield value
        if isinstance(value, dict):
            rest.extend([one for one in value.values() if isinstance(one, dict | list)])
        elif isinstance(value, list):
            rest.extend([one for one in value if isinstance(one, dict | list)])
