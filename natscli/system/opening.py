"""Opens what is written to, also a FIFO that nobody reads yet: there the system waits, and a signal must end that."""

from __future__ import annotations

import errno
import os
import stat
import sys
import threading
import time

from natscli.system.signals import Stop

#: Seconds from one look for a reader to the next.
_LOOK = 0.02


def open_to_write(path: str, flags: int, mode: int = 0o666) -> int:
    """As `os.open`; but where the main thread waits for the reader of a FIFO, which holds up its event loop, a signal
    ends that.

    Raises:
        OSError: as of the system.
        KeyboardInterrupt: there was a signal, and there is no reader.
    """
    in_thread = threading.current_thread() is not threading.main_thread()
    if sys.platform == "win32" or in_thread or not is_fifo(path):
        return os.open(path, flags, mode)
    while True:
        try:
            descriptor = os.open(path, flags | os.O_NONBLOCK, mode)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
        else:
            os.set_blocking(descriptor, True)
            return descriptor
        Stop.end_if_asked()
        time.sleep(_LOOK)


def is_fifo(path: str) -> bool:
    """Whether there is a FIFO at `path`."""
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False
