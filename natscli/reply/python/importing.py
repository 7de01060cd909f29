"""Imports the module that `--handler` names."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from natscli.errors import InputError
from natscli.reply.python.explain import describe, shown
from natscli.reply.python.finder import serve_folder
from natscli.reply.python.functions import HandlerFunction, endpoints, named
from natscli.reply.python.lifespan import find_lifespan
from natscli.system import lazy

_WHERE = "--handler"


@dataclass(frozen=True)
class Loaded:
    """The functions of a module that answer requests, what is entered before and left after, and its file.

    `modules` are those that were imported with it and are in its folder or below, installed packages aside. `notes` say
    which of its endpoints nobody can ask.
    """

    functions: tuple[HandlerFunction, ...]
    lifespan: Callable[[], Any] | None
    file: str
    modules: Mapping[str, ModuleType]
    notes: tuple[str, ...] = ()

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
    """Where a function is: in a file (`calc.py`) or in a module (`package.module`); without a name, all endpoints."""

    module: str
    function: str

    @property
    def is_file(self) -> bool:
        """Whether `module` is the name of a file."""
        return self.module.endswith(".py") or os.sep in self.module


def parse(text: str, *, named: bool) -> HandlerName:
    """`FILE.py:FUNCTION` or `package.module:function`; without the function, if none has to be `named`.

    Raises:
        InputError: it is neither.
    """
    module, colon, function = text.rpartition(":")
    if "-" in (text, module):
        raise InputError("a handler is the name of a file, not standard input", where=_WHERE)
    if text and not named and (text.endswith(".py") or not colon):
        return HandlerName(text, "")
    if not colon or not module or not function:
        example = f"{module or text.strip(':') or 'calc.py'}:{function if colon and function else 'answer'}"
        raise InputError(f"{text!r} names no function", where=_WHERE, hint=f"for example: {_WHERE} {example}")
    return HandlerName(module, function)


def load(source: HandlerName) -> Loaded:
    """Import the module and find the function; runs the module's code.

    Raises:
        InputError: there is no such file, module or function, it cannot take a request, or it cannot be imported; with
            the file and the line where that is.
    """
    lazy.end()
    before = set(sys.modules)
    importlib.invalidate_caches()
    try:
        module = _import_file(source.module) if source.is_file else _import_module(source.module)
        file = shown(module.__file__ or source.module)
        functions, notes = (
            (named(module, source.function, file), ()) if source.function else endpoints(module, file)
        )
        lifespan = find_lifespan(module, file)
    except InputError:
        raise
    except SyntaxError as error:
        line = f":{error.lineno}" if error.lineno else ""
        file = shown(error.filename or source.module)
        raise InputError(f"{file}{line}: {type(error).__name__}: {error.msg}", where=_WHERE) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise InputError(describe(error, source.module), where=_WHERE, hint=_hint(error)) from error
    root = os.path.dirname(os.path.abspath(source.module)) if source.is_file else os.getcwd()
    return Loaded(functions, lifespan, module.__file__ or "", _own_modules(before, root), notes)


def _hint(error: BaseException) -> str:
    """How to install the package that a handler imports and that is not there, where pynats is installed."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return ""
    from natscli.system.installing import install_command, package_of

    package = package_of(error.name)
    return f"it is imported with pynats' own Python: {install_command(package)}" if package else ""


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
    serve_folder(os.path.dirname(os.path.abspath(path)))
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
    serve_folder(os.getcwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise InputError(f"no such module: {error.name!r}", where=_WHERE) from None
        raise
