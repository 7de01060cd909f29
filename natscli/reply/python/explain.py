"""What went wrong in a handler, and where in its code."""

from __future__ import annotations

import importlib
import inspect
import os
import traceback
from typing import Any

import natscli

#: Where no code of a handler is.
_NOT_THEIRS = ("<", os.path.dirname(natscli.__file__), os.path.dirname(importlib.__file__))


def describe(error: BaseException, file: str) -> str:
    """The exception, and the line that it came through last: `KeyError: 'x' (calc.py:3: return d['x'])`.

    That is a line of `file` and of what is beside it or in the current folder, installed packages aside. If it did not
    come through these, the line where it was raised, unless that is in pynats or in Python's imports.
    """
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(_NOT_THEIRS)]
    folders = {os.path.dirname(os.path.abspath(file)), os.getcwd()}
    own = [frame for frame in frames if _is_in(frame.filename, folders)] or frames
    what = summary(error)
    where = f"{shown(own[-1].filename)}:{own[-1].lineno}: {own[-1].line}" if own else shown(file)
    return f"{what} ({where})"


def _is_in(path: str, folders: set[str]) -> bool:
    """Whether a file is in one of the folders or below, and not installed there."""
    full = os.path.abspath(path)
    return "site-packages" not in full and any(full.startswith(os.path.join(f, "")) for f in folders)


def summary(error: BaseException) -> str:
    """The kind of an exception, and its text in one line, if it has one."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # its own code, and that fails
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def shown(path: str) -> str:
    """A path as people would write it: from the current folder, if it is below that."""
    try:
        relative = os.path.relpath(path)
    except ValueError:  # Windows: another drive
        return path
    return path if relative.startswith("..") else relative


def place(function: Any, file: str) -> str:
    """The file and the line where a function begins, which may be another file than `file`; that for what is none."""
    code = getattr(inspect.unwrap(function) if callable(function) else function, "__code__", None)
    if code is None:
        return file
    return f"{shown(code.co_filename) if os.path.isfile(code.co_filename) else file}:{code.co_firstlineno}"
