"""What a terminal is like, its size and whether it understands escape sequences; and what is none."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from typing import BinaryIO


def terminal_size(stream: BinaryIO) -> os.terminal_size:
    """Columns and lines of the terminal that `stream` is; 80 and 24 if it is none, or does not say."""
    try:
        columns, lines = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        columns = lines = 0
    return os.terminal_size((columns or 80, lines or 24))


def columns(stream: BinaryIO, environ: Mapping[str, str]) -> int:
    """How wide the text may be that is written to `stream` once: COLUMNS if that is set, else as the terminal is."""
    wanted = environ.get("COLUMNS", "")
    return int(wanted) if wanted.isdecimal() and 0 < int(wanted) < 100_000 else terminal_size(stream).columns


def is_file(stream: BinaryIO) -> bool:
    """Whether `stream` is a regular file, which somebody reads later."""
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False


def is_same_file(source: str | BinaryIO, stream: BinaryIO) -> bool:
    """Whether `stream` is the regular file at that path, or the one that another stream is."""
    try:
        state = os.stat(source if isinstance(source, str) else source.fileno())
        return is_file(stream) and state.st_ino != 0 and os.path.samestat(state, os.fstat(stream.fileno()))
    except (OSError, ValueError):
        return False


def is_drawn_on(stream: BinaryIO, environ: Mapping[str, str]) -> bool:
    """Whether `stream` is a terminal that understands escape sequences, and so can be drawn on again and again.

    One that says that it is `dumb` does not; a console of Windows does once it is asked to.
    """
    return stream.isatty() and environ.get("TERM") != "dumb" and _asked_for_sequences(stream)


def _asked_for_sequences(stream: BinaryIO) -> bool:
    enabled = True
    if sys.platform == "win32":
        import ctypes
        import msvcrt

        kernel, mode = ctypes.windll.kernel32, ctypes.c_ulong()
        handle = ctypes.c_void_p(msvcrt.get_osfhandle(stream.fileno()))
        # 4: ENABLE_VIRTUAL_TERMINAL_PROCESSING
        known = kernel.GetConsoleMode(handle, ctypes.byref(mode))
        enabled = bool(known and kernel.SetConsoleMode(handle, mode.value | 4))
    return enabled
