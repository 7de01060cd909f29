"""A pseudo-terminal that a test reads, stops and lets go on."""

from __future__ import annotations

import os
import pty
import select
import termios
import time
import tty


class Terminal:
    """A pseudo-terminal; what is written to it is read when the test wants."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.shown = b""

    def stop(self) -> None:
        """Ctrl-S."""
        termios.tcflow(self.slave, termios.TCOOFF)

    def go_on(self) -> None:
        """Ctrl-Q."""
        termios.tcflow(self.slave, termios.TCOON)

    def wait_for(self, text: bytes) -> None:
        """Read until `text` was written."""
        deadline = time.monotonic() + 30
        while text not in self.shown:
            assert select.select([self.master], [], [], deadline - time.monotonic())[0], self.shown[-1000:]
            self.shown += os.read(self.master, 65536)

    def read(self) -> None:
        """Read what is there."""
        while select.select([self.master], [], [], 0)[0]:
            self.shown += os.read(self.master, 65536)

    def close(self) -> None:
        """Close both ends."""
        os.close(self.master)
        os.close(self.slave)
