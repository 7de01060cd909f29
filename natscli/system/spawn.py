"""Starts programs with posix_spawn(3), without holding up the other threads.

`os.posix_spawn` keeps Python's lock until the new program is loaded, which on a busy machine takes as long as it waits
for a processor; called through ctypes it lets go of the lock. `subprocess.Popen` takes twice the time of either.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

# From <spawn.h>; Linux and macOS agree.
_SETPGROUP = 0x02
_SETSIGDEF = 0x10 if "bsd" in sys.platform else 0x04
#: Bytes, more than any system's posix_spawnattr_t, posix_spawn_file_actions_t or sigset_t has.
_ROOM = 1024
#: Python ignores these; a program expects them to end it.
_DEFAULT_SIGNALS = [getattr(signal, name) for name in ("SIGPIPE", "SIGXFSZ") if hasattr(signal, name)]


class Spawner:
    """Starts programs in process groups of their own: a Ctrl-C is not for them."""

    def __init__(self) -> None:
        """Raises OSError: this system has no posix_spawn(3)."""
        try:
            self._spawn = ctypes.CDLL(None).posix_spawn
            self._library = ctypes.PyDLL(None)  # what only fills in a structure may keep the lock
            self._attributes = self._make_attributes()
        except (OSError, TypeError, AttributeError) as error:
            raise OSError("it needs posix_spawn(3), which Windows does not have") from error

    def __call__(
        self, program: bytes, argv: Sequence[bytes], environ: Sequence[bytes], stdin: int, stdout: int
    ) -> int:
        """Start the file `program` with `environ` (`NAME=value`); its stderr goes to `stdout` too. Gives the pid.

        Raises:
            OSError: it cannot be started.
            ValueError: a NUL byte in an argument.
        """
        library, actions, pid = self._library, ctypes.create_string_buffer(_ROOM), ctypes.c_int()
        _check(library.posix_spawn_file_actions_init(actions))
        try:
            for source, target in ((stdin, 0), (stdout, 1), (stdout, 2)):
                _check(library.posix_spawn_file_actions_adddup2(actions, source, target))
            _check(
                self._spawn(
                    ctypes.byref(pid), program, actions, self._attributes, _strings(argv), _strings(environ)
                )
            )
        finally:
            library.posix_spawn_file_actions_destroy(actions)
        return pid.value

    def _make_attributes(self) -> ctypes.Array[ctypes.c_char]:
        library = self._library
        attributes, signals = ctypes.create_string_buffer(_ROOM), ctypes.create_string_buffer(_ROOM)
        library.sigemptyset(signals)
        for number in _DEFAULT_SIGNALS:
            library.sigaddset(signals, int(number))
        _check(library.posix_spawnattr_init(attributes))
        _check(library.posix_spawnattr_setsigdefault(attributes, signals))
        _check(library.posix_spawnattr_setpgroup(attributes, 0))
        _check(library.posix_spawnattr_setflags(attributes, ctypes.c_short(_SETPGROUP | _SETSIGDEF)))
        return attributes


def _strings(items: Sequence[bytes]) -> ctypes.Array[ctypes.c_char_p]:
    if any(b"\0" in item for item in items):
        raise ValueError("embedded null byte")
    return (ctypes.c_char_p * (len(items) + 1))(*items)


def _check(error: int) -> None:
    if error:
        raise OSError(error, os.strerror(error))
