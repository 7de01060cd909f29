"""The file that lines are appended to, by its name: when another takes its place, the next lines go to that one."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress

from natscli.errors import InputError, reason
from natscli.system.files import is_at
from natscli.system.locks import held
from natscli.system.opening import open_to_write

_WHERE = "--record"
#: How often a path that never leads to what was opened there is opened: its file system does not tell files apart.
_MOST_OPENED = 1000


class Appended:
    """An open file, to whose end its `path` leads; `-` is stdout. `moved` is called when that leads to a new one."""

    def __init__(self, path: str, moved: Callable[[], object]) -> None:
        """Open it.

        Raises:
            InputError: it cannot be written, or its last line is incomplete.
        """
        self._path = path
        self._moved = moved
        self._descriptor = open_to_append(path)
        self._is_followed = path != "-"

    def append(self, data: bytes) -> tuple[int, OSError | None]:
        """Write these lines: how many bytes it took, which are whole lines, and why not all.

        Raises:
            InputError: there is a new file, which cannot be written.
        """
        opened = 0
        while self._is_followed:
            with held(self._descriptor):  # who replaces the file has read all that is in it
                if is_at(self._path, self._descriptor):
                    if opened:
                        self._moved()
                    return _append(self._descriptor, data)
            old, self._descriptor = self._descriptor, open_to_append(self._path)
            os.close(old)
            opened += 1
            self._is_followed = opened < _MOST_OPENED
        return _append(self._descriptor, data)


def _append(descriptor: int, data: bytes) -> tuple[int, OSError | None]:
    """As `Appended.append`; the beginning of a line that there was no room for is removed."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        end = len(data) - len(view)
        whole = data.rfind(b"\n", 0, end) + 1
        _cut(descriptor, end - whole)
        return whole, error
    return len(data), None


def _cut(descriptor: int, size: int) -> None:
    """Remove the last bytes of a file."""
    with suppress(OSError):
        state = os.fstat(descriptor)
        if size and stat.S_ISREG(state.st_mode):
            os.ftruncate(descriptor, state.st_size - size)


def open_to_append(path: str) -> int:
    """A descriptor that appends to the file, which is made if there is none, for its user only; `-` is stdout.

    Raises:
        InputError: it cannot be written, or its last line is incomplete.
    """
    if path == "-":
        return os.dup(1)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)  # the latter on Windows
    try:
        descriptor = open_to_write(path, flags, 0o600)
        with held(descriptor):
            whole = _ends_with_a_line(path, descriptor)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot write {path!r}: {reason(error)}", where=_WHERE) from None
    if not whole:
        raise InputError(
            f"cannot append to {path!r}: its last line is incomplete",
            where=_WHERE,
            hint="remove that line, or record to another file",
        )
    return descriptor


def _ends_with_a_line(path: str, descriptor: int) -> bool:
    state = os.fstat(descriptor)
    if not stat.S_ISREG(state.st_mode) or not state.st_size:
        return True
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"
