"""A pseudo-terminal that a test reads, stops and lets go on."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from tests.program import Runner
from tests.servers import Server


class Terminal:
    """A pseudo-terminal of 24 lines and 80 columns; what is written to it is read when the test wants."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
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
            left = max(deadline - time.monotonic(), 0)
            ready, _, _ = select.select([self.master], [], [], left)
            assert ready, self.shown[-1000:]
            assert left, self.shown[-1000:]
            self.shown += os.read(self.master, 65536)

    def read(self) -> None:
        """Read what is there."""
        while select.select([self.master], [], [], 0)[0]:
            self.shown += os.read(self.master, 65536)

    def close(self) -> None:
        """Close both ends."""
        os.close(self.master)
        os.close(self.slave)


@contextmanager
def on_terminal(
    runner: Runner, *arguments: str, server: Server
) -> Iterator[tuple[subprocess.Popen[bytes], Terminal]]:
    """`pynats` with a terminal for all three streams; killed at the end, if it still runs."""
    terminal = Terminal()
    out = terminal.slave
    process = subprocess.Popen(
        [sys.executable, "-m", "natscli", *arguments], stdin=out, stdout=out, stderr=out,
        env={**runner.environ, "NATS_URL": server.url}, cwd=runner.directory,
    )  # fmt: skip
    try:
        yield process, terminal
    finally:
        process.kill()
        process.wait()
        terminal.close()


def screen(output: str, columns: int) -> list[str]:
    """The lines that a terminal of so many columns shows, however often they were drawn over; it never scrolls."""
    lines, row, column = [""], 0, 0
    for part in re.split(r"(\x1b\[[\d;]*[A-Za-z]|\r|\n)", output):
        if part.endswith("F") and part[0] == "\x1b":
            row, column = max(row - int(part[2:-1]), 0), 0
        elif part == "\x1b[J":
            lines[row:] = [lines[row][:column]]
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part == "\r":
            column = 0
        elif part == "\n":
            row, column = row + 1, 0
        else:
            assert not part.startswith("\x1b") or part.endswith("m"), part
            for character in "" if part.startswith("\x1b") else part:
                row, column = (row + 1, 0) if column == columns else (row, column)
                lines += [""] * (row + 1 - len(lines))
                lines[row] = lines[row][:column].ljust(column) + character + lines[row][column + 1 :]
                column += 1
        lines += [""] * (row + 1 - len(lines))
    return "\n".join(line.rstrip() for line in lines).rstrip().splitlines()
