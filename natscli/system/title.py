"""Hides secrets given as arguments from `ps`, where the system lets a process change what it shows: Linux."""

from __future__ import annotations

import os
from collections.abc import Iterable

_ARG_START, _ARG_END = 47, 48  # of /proc/PID/stat, counted from 0; see proc(5)


def hide(values: Iterable[str]) -> bool:
    """Overwrite `values` with stars in this process's command line; whether that was possible.

    They were visible until now: an environment variable, a reference or a context never are.
    """
    secrets = [os.fsencode(value) for value in values if value]
    if not secrets:
        return True
    try:
        with open("/proc/self/stat", "rb") as file:
            # The name of the program may hold spaces and parentheses; nothing after it does.
            after_name = file.read().rpartition(b")")[2].split()
        start, end = (int(after_name[index - 2]) for index in (_ARG_START, _ARG_END))
        if not 0 < start < end:
            return False
        import ctypes

        arguments = shown = ctypes.string_at(start, end - start)
        for secret in secrets:
            shown = shown.replace(secret, b"*" * len(secret))
        if shown != arguments:
            ctypes.memmove(start, shown, len(shown))
    except (OSError, ValueError, IndexError, ImportError):
        return False
    return True
