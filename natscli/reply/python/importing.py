"""Loads the Python function that `--handler` names."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from natscli.errors import InputError
from natscli.reply.python.explain import describe, place, shown

_WHERE = "--handler"


@dataclass(frozen=True)
class Loaded:
    """A function that answers requests, whether it is a coroutine function, and the file it came from.

    `modules` are those that were imported with it and are in its folder or below, installed packages aside.
    """

    function: Callable[..., Any]
    is_async: bool
    file: str
    modules: Mapping[str, ModuleType]

    @property
    def files(self) -> frozenset[str]:
        """The files that its code is in."""
        files = [self.file, *(str(module.__file__) for module in self.modules.values())]
        return frozenset(map(os.path.abspath, files))

    @property
    def folders(self) -> frozenset[str]:
        """The folders that its code is in."""
        return frozenset(map(os.path.dirname, self.files))

    def was_in(self, error: BaseException) -> bool:
        """Whether an exception came through its code."""
        files = {os.path.abspath(frame.filename) for frame in traceback.extract_tb(error.__traceback__)}
        return not self.folders.isdisjoint(map(os.path.dirname, files))


@dataclass(frozen=True)
class HandlerName:
    """Where a function is: in a file (`calc.py`) or in a module (`package.module`)."""

    module: str
    function: str

    @property
    def is_file(self) -> bool:
        """Whether `module` is the name of a file."""
        return self.module.endswith(".py") or os.sep in self.module


def parse(text: str) -> HandlerName:
    """`FILE.py:FUNCTION` or `package.module:function`.

    Raises:
        InputError: it is neither.
    """
    module, colon, function = text.rpartition(":")
    if not colon or not module or not function:
        example = f"{module or text or 'calc.py'}:{function if colon and function else 'answer'}"
        raise InputError(f"{text!r} names no function", where=_WHERE, hint=f"for example: {_WHERE} {example}")
    return HandlerName(module, function)


def load(source: HandlerName) -> Loaded:
    """Import the module and find the function; runs the module's code.

    Raises:
        InputError: there is no such file, module or function, it cannot take a request, or it cannot be imported; with
            the file and the line where that is.
    """
    before = set(sys.modules)
    importlib.invalidate_caches()
    try:
        module = _import_file(source.module) if source.is_file else _import_module(source.module)
    except InputError:
        raise
    except SyntaxError as error:
        line = f":{error.lineno}" if error.lineno else ""
        file = shown(error.filename or source.module)
        raise InputError(f"{file}{line}: {type(error).__name__}: {error.msg}", where=_WHERE) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise InputError(describe(error, source.module), where=_WHERE) from error
    function = _find(module, source)
    root = os.path.dirname(os.path.abspath(source.module)) if source.is_file else os.getcwd()
    return Loaded(function, _is_async(function), module.__file__ or "", _own_modules(before, root))


def _own_modules(before: set[str], root: str) -> dict[str, ModuleType]:
    return {
        name: module
        for name, module in list(sys.modules.items())
        if name not in before
        and (file := getattr(module, "__file__", None))
        and file.startswith(os.path.join(root, ""))
        and "site-packages" not in file
    }


def _import_file(path: str) -> ModuleType:
    if not os.path.isfile(path):
        raise InputError(f"no such file: {path!r}", where=_WHERE)
    name = f"handler_{os.path.splitext(os.path.basename(path))[0]}"
    _put_first(os.path.dirname(os.path.abspath(path)))
    spec = importlib.util.spec_from_file_location(name, os.path.abspath(path))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module  # where dataclasses and pickle look for it
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before
        raise
    return module


def _import_module(name: str) -> ModuleType:
    if name.startswith("."):
        raise InputError(
            f"a module is named from its top package, without a leading dot: {name!r}", where=_WHERE
        )
    _put_first(os.getcwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise InputError(f"no such module: {error.name!r}", where=_WHERE) from None
        raise


def _put_first(folder: str) -> None:
    """Let the module import what is beside it, as Python does for a script."""
    if folder not in sys.path:
        sys.path.insert(0, folder)


def _find(module: ModuleType, source: HandlerName) -> Callable[..., Any]:
    file = shown(module.__file__ or source.module)
    function: Any = module
    for name in source.function.split("."):
        function = getattr(function, name, None)
    if function is None:
        from difflib import get_close_matches

        names = [name for name, value in vars(module).items() if callable(value) and name[0] != "_"]
        near = get_close_matches(source.function, names, 1)
        hint = f"did you mean {near[0]}?" if near else f"its functions: {', '.join(names)}" if names else ""
        raise InputError(f"{file} has no function {source.function!r}", where=_WHERE, hint=hint)
    _check_signature(function, source.function, file)
    found: Callable[..., Any] = function
    return found


def _check_signature(function: Any, name: str, file: str) -> None:
    at = place(function, file)
    if not callable(function):
        raise InputError(f"{at}: {name} is not a function", where=_WHERE)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InputError(f"{at}: {name} yields; it must return the reply", where=_WHERE)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # one written in C says nothing of itself
    try:
        signature.bind(object())
    except TypeError:
        raise InputError(f"{at}: {name}{signature} cannot be called with one argument, the request",
                         where=_WHERE) from None  # fmt: skip


def _is_async(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004
    )
