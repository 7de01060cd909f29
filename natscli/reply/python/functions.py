"""The functions of a module that answer requests: the one that is named, or all that `endpoint` was said of."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
    """All endpoints of `module`, and notes about those that nobody can ask.

    They are functions, also those whose name is that of another in the end, and methods of its objects.

    Raises:
        InputError: there are none, two are the same, or one cannot take a request.
    """
    marked = [(function, name, one) for function, name in _marked(module) for one in getattr(function, MARK)]
    known = {id(one) for _, _, one in marked}
    defined = [(function, one) for function in vars(module).get(MARK, ()) for one in getattr(function, MARK)]
    notes: dict[str, None] = {}
    for function, one in defined:
        owner = _class_of(function)
        if id(one) not in known and owner:
            why = f"is of a method, and {file} has no object of {owner}: nobody can ask it"
            notes[f"{place(function, file)}: the endpoint on {one.subject!r} {why}"] = None
        elif id(one) not in known:
            marked.append((function, getattr(function, "__name__", "it"), one))
    order = {id(one): number for number, (_, one) in enumerate(defined)}
    marked.sort(key=lambda each: order.get(id(each[2]), -1))
    found: dict[tuple[Any, Endpoint], HandlerFunction] = {}
    for function, name, one in marked:
        _check_signature(function, name, file)
        found.setdefault((function, one), _endpoint(function, one, file))
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
            raise InputError(
                f"{one.at}: {other.at} is an endpoint on {one.place.subject!r} too", where=_WHERE
            )


def _marked(module: ModuleType) -> Iterator[tuple[Any, str]]:
    for name, value in list(vars(module).items()):
        if inspect.ismodule(value) or inspect.isclass(value):
            continue
        if getattr(value, MARK, None) and callable(value):
            yield value, name
            continue
        for attribute in _marked_methods(type(value)):
            yield getattr(value, attribute), f"{name}.{attribute}"


def _marked_methods(kind: type) -> Iterator[str]:
    """The names of the methods of a class, wherever that is from, that are endpoints; none of its code runs."""
    for name in dir(kind):
        method = inspect.getattr_static(kind, name, None)
        if MARK in getattr(getattr(method, "__func__", method), "__dict__", ()):
            yield name


def _class_of(function: Any) -> str:
    """The name of the class that a method is in; an empty string for a function."""
    return str(getattr(function, "__qualname__", "")).rpartition("<locals>.")[2].rpartition(".")[0]


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
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # one written in C says nothing of itself
    try:
        signature.bind(object())
    except TypeError:
        raise InputError(f"{at}: {name}{signature} cannot be called with one argument, the request",
                         where=_WHERE) from None  # fmt: skip


def is_async(function: Any) -> bool:
    """Whether it is to be called in the event loop: it returns something to await, or yields there."""
    called = getattr(function, "__call__", None)  # noqa: B004
    return any(
        kind(one)
        for kind in (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
        for one in (function, called)
    )
