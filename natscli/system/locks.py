"""Locks between processes, on files: the system lets go of them when their holder dies."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from types import TracebackType

if sys.platform == "win32":
    import msvcrt
    import time

    def try_lock(descriptor: int) -> bool:
        """Lock a file until it is closed; False while another process has it."""
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def _locking(descriptor: int, number: int) -> tuple[Callable[[], object], Callable[[], object]]:
        def change(mode: int) -> None:
            os.lseek(descriptor, (1 << 30) + number, os.SEEK_SET)
            msvcrt.locking(descriptor, mode, 1)

        def lock() -> None:
            while True:
                with suppress(OSError):
                    return change(msvcrt.LK_NBLCK)
                time.sleep(0)

        return lock, lambda: change(msvcrt.LK_UNLCK)

else:

    def try_lock(descriptor: int) -> bool:
        """Lock a file until it is closed; False while another process has it. Does nothing where there are no locks."""
        try:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except (ImportError, OSError):  # a file system without locks
            pass
        return True

    def _locking(descriptor: int, number: int) -> tuple[Callable[[], object], Callable[[], object]]:
        from fcntl import LOCK_EX, LOCK_UN, lockf

        return lambda: lockf(descriptor, LOCK_EX, 1, number), lambda: lockf(descriptor, LOCK_UN, 1, number)


class Lock:
    """The lock with a `number` on an open file; threads of one process do not exclude each other."""

    def __init__(self, descriptor: int, number: int) -> None:
        self._lock, self._unlock = _locking(descriptor, number)

    def __enter__(self) -> None:
        self._lock()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unlock()


def held(descriptor: int) -> AbstractContextManager[None]:
    """Hold the lock of who appends to an open file, or replaces it; none on Windows, where no open file is replaced."""
    with suppress(ImportError):
        return nullcontext() if sys.platform == "win32" else _Held(descriptor, 0)
    return nullcontext()


class _Held(Lock):
    """Nothing where there are no locks."""

    def __enter__(self) -> None:
        with suppress(OSError):
            super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            super().__exit__(kind, error, trace)
