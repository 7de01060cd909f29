"""The functions of a module that answer requests: the one that is named, or all that `endpoint` was said of."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from types import ModuleType
from typing import Any

from natscli.errors import InputError
from natscli.handling import MARK, Endpoint
from natscli.reply.python.explain import place
from natscli.reply.responders.responder import Place

_WHERE = "--handler"
_NOWHERE = Place("")


@dataclass(frozen=True)
class HandlerFunction:
    """A function that answers requests, whether it is a coroutine function, and where requests for it come.

    `concurrency` is how many it answers at once, 0 for as many as --concurrency, with the others. `at` is its file and
    line.
    """

    function: Callable[..., Any]
    is_async: bool
    at: str
    place: Place = _NOWHERE
    concurrency: int = 0


def named(module: ModuleType, name: str, file: str) -> tuple[HandlerFunction, ...]:
    """The function of `module` that is called `name`, once for each of its endpoints, if it has any.

    Raises:
        InputError: there is none, or it cannot take a request.
    """
    function: Any = module
    for part in name.split("."):
        function = getattr(function, part, None)
    if function is None:
        raise InputError(f"{file} has no function {name!r}", where=_WHERE, hint=_hint(module, name))
    _check_signature(function, name, file)
    marked: tuple[Endpoint, ...] = getattr(function, MARK, ())
    plain = HandlerFunction(function, is_async(function), place(function, file))
    return tuple(_endpoint(function, one, file) for one in marked) or (plain,)


def endpoints(module: ModuleType, file: str) -> tuple[tuple[HandlerFunction, ...], tuple[str, ...]]:
    """All endpoints of `module`, and notes about those that are not listened on.

    They are functions that it holds, those of a loop, whose name is that of the last, and methods of its objects. What
    another decorator has put in place of a function is never left out by calling the function itself.

    Raises:
        InputError: there are none, two are the same, or one cannot take a request.
    """
    defined = [(function, one) for function in vars(module).get(MARK, ()) for one in getattr(function, MARK)]
    held = list(_marked(module))
    known = {id(one) for _, _, one in held}
    of_loops, others = _without_name(module, [each for each in defined if id(each[1]) not in known])
    order = {id(one): number for number, (_, one) in enumerate(defined)}
    found: dict[tuple[int, Any, Endpoint], HandlerFunction] = {}
    for function, name, one in sorted([*held, *of_loops], key=lambda each: order.get(id(each[2]), -1)):
        _check_signature(function, name, file)
        own, plain = getattr(function, "__self__", function), getattr(function, "__func__", None)
        found.setdefault((id(own), plain, one), _endpoint(function, one, file))
    why = f"{file} holds neither its function nor an object that has it; other decorators belong below it"
    notes = dict.fromkeys(
        f"{place(function, file)}: the endpoint on {one.subject!r} is not listened on: {why}"
        for function, one in others
    )
    if not found and notes:
        raise InputError(next(iter(notes)), where=_WHERE)
    if not found:
        example = f"{_WHERE} {file}:{next(iter(_functions(module)), 'answer')}"
        raise InputError(f"{file} has no endpoints", where=_WHERE,
                         hint=f"write @endpoint('SUBJECT') above a function, or: SUBJECT {example}")  # fmt: skip
    _check_unique(list(found.values()))
    return tuple(found.values()), tuple(notes)


def _check_unique(found: list[HandlerFunction]) -> None:
    """Refuse two endpoints with one subject and one queue group: either might get a request."""
    known: dict[tuple[str, str | None], HandlerFunction] = {}
    for one in found:
        other = known.setdefault(one.place[:2], one)
        if other is not one:
            who = "another object" if other.at == one.at else other.at
            raise InputError(f"{one.at}: {who} is an endpoint on {one.place.subject!r} too", where=_WHERE)


def _marked(module: ModuleType) -> Iterator[tuple[Any, str, Endpoint]]:
    """What a module holds by a name, itself or in a list or the like: what is called, its name, an endpoint of it.

    No code of theirs runs: a proxy may do anything when it is asked for an attribute.
    """
    methods: dict[type, list[str]] = {}
    for value, name in _held(module):
        kind = type(value)  # what `isinstance` would go by, an object may make up
        if issubclass(kind, (type, ModuleType)):
            continue
        marks = inspect.getattr_static(value, MARK, None) if callable(value) else None
        if isinstance(marks, tuple):
            yield from ((value, name, mark) for mark in marks)
            continue
        if kind not in methods:
            methods[kind] = _marked_methods(kind)
        for method in methods[kind]:
            bound = getattr(value, method)
            yield from ((bound, f"{name}.{method}", mark) for mark in getattr(bound, MARK))


def _held(module: ModuleType) -> Iterator[tuple[Any, str]]:
    """What a module has names for, and what is in lists and the like that it has names for, with these names."""
    for name, value in list(vars(module).items()):
        yield value, name
        kind = type(value)
        if issubclass(kind, dict) and name != "__builtins__":
            yield from zip(value.values(), repeat(name))
        elif issubclass(kind, (list, tuple, set, frozenset)) and name != MARK:
            yield from zip(value, repeat(name))


def _marked_methods(kind: type) -> list[str]:
    """The names of the methods of a class, wherever that is from, that are endpoints."""
    methods = [(name, inspect.getattr_static(kind, name, None)) for name in dir(kind)]
    return [name for name, one in methods if MARK in getattr(getattr(one, "__func__", one), "__dict__", ())]


def _without_name(
    module: ModuleType, defined: list[tuple[Any, Endpoint]]
) -> tuple[list[tuple[Any, str, Endpoint]], list[tuple[Any, Endpoint]]]:
    """Those of a loop, where their name holds the function of the last as it is, with that name; and the others."""
    functions = {id(function) for function in vars(module).get(MARK, ())}
    of_loops, others = [], []
    for function, one in defined:
        name = getattr(function, "__name__", "")
        last = vars(module).get(name)
        same_lines = getattr(last, "__code__", None) is getattr(function, "__code__", module)
        if same_lines and id(last) in functions:
            of_loops.append((function, name, one))
        else:
            others.append((function, one))
    return of_loops, others


def _endpoint(function: Any, one: Endpoint, file: str) -> HandlerFunction:
    where = Place(one.subject, one.queue, one.name)
    return HandlerFunction(function, is_async(function), place(function, file), where, one.concurrency)


def _hint(module: ModuleType, name: str) -> str:
    from difflib import get_close_matches

    names = _functions(module)
    near = get_close_matches(name, names, 1)
    return f"did you mean {near[0]}?" if near else f"its functions: {', '.join(names)}" if names else ""


def _functions(module: ModuleType) -> list[str]:
    """The public functions that are defined in `module`, not imported into it."""
    return [
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and name[0] != "_"
    ]


def _check_signature(function: Any, name: str, file: str) -> None:
    at = place(function, file)
    if not callable(function):
        raise InputError(f"{at}: {name} is not a function", where=_WHERE)
    if problem := misfit(function, name):
        raise InputError(f"{at}: {problem}", where=_WHERE)


def misfit(function: Callable[..., Any], name: str) -> str:
    """Why a function that is called `name` cannot take a request; an empty string if it can."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return ""  # one written in C says nothing of itself
    try:
        signature.bind(object())
    except TypeError:
        return f"{name}{signature} cannot be called with one argument, the request"
    return ""


def is_async(function: Any) -> bool:
    """Whether it is to be called in the event loop: it returns something to await, or yields there."""
    called = getattr(function, "__call__", None)  # noqa: B004
    return any(
        kind(one)
        for kind in (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
        for one in (function, called)
    )
