"""Write docs/screenshot.svg from a real run of the walkthrough: pseudo-terminals of 80 columns, drawn by rich."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path

from rich.console import Console
from rich.text import Text

PATH = Path(__file__).resolve().parent.parent / "docs" / "screenshot.svg"
WIDTH = 80
REQUESTS = (
    'request help.please "I need help!"',
    'request help.please \'{"trace": 7, "tags": ["a"]}\' -H App:demo',
)


class Terminal:
    """A pynats process on a pseudo-terminal, and all it wrote to it."""

    def __init__(self, line: str, environ: Mapping[str, str]) -> None:
        """Run the command line `line`, as a shell would split it."""
        self.line = line
        self.shown = ""
        self._terminal, side = pty.openpty()
        ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, WIDTH, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "natscli", *shlex.split(line)],
            stdin=side,
            stdout=side,
            stderr=side,
            env=dict(environ),
        )
        os.close(side)

    def read_until(self, text: str | None, seconds: float = 20) -> None:
        """Collect output until `text` is in it, or the process ended; without a text, until the end.

        Raises:
            TimeoutError: neither happened in time.
        """
        deadline = time.monotonic() + seconds
        while text is None or text not in self.shown:
            ready, _, _ = select.select([self._terminal], [], [], max(deadline - time.monotonic(), 0))
            if not ready:
                raise TimeoutError(f"{text!r} did not come: {self.shown!r}")
            try:
                self.shown += os.read(self._terminal, 65536).decode().replace("\r\n", "\n")
            except OSError:
                return

    @property
    def session(self) -> Text:
        """The command line and what it has shown, for a drawing."""
        return Text.from_ansi(f"$ pynats {self.line}\n{self.shown.rstrip()}")

    def stop(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.wait()


@contextmanager
def local_server() -> Iterator[dict[str, str]]:
    """Runs a server; gives an environment in which it is the one to connect to."""
    with tempfile.TemporaryDirectory() as home:
        environ = {**os.environ, "XDG_CONFIG_HOME": home, "TERM": "xterm-256color"}
        server = Terminal("server run --port -1", environ)
        server.read_until("nats://127.0.0.1:")
        server.read_until("\n")
        found = re.search(r"nats://127\.0\.0\.1:\d+", server.shown)
        assert found is not None
        try:
            yield {**environ, "NATS_URL": found.group()}
        finally:
            server.stop()


def drawing() -> Console:
    """A console that keeps what is drawn for `save`."""
    return Console(record=True, width=WIDTH, file=open(os.devnull, "w"), force_terminal=True)


def save(console: Console, path: Path) -> None:
    """Write what `console` has kept as an SVG."""
    svg = console.export_svg(title="pynats", unique_id=path.stem)
    # No fonts from elsewhere: every viewer has a monospace one.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", "monospace")
    path.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n")


def main() -> None:
    """Run a server, a reply and requests, and draw both sides."""
    console = drawing()
    with local_server() as environ:
        reply = Terminal("reply help.please 'OK, I CAN HELP!!!'", environ)
        reply.read_until("Listening")
        requests = []
        for line in REQUESTS:
            requests.append(Terminal(line, environ))
            requests[-1].read_until(None)
        reply.read_until('"tags"')
        reply.read_until("}")
        reply.stop()
    console.print(reply.session)
    console.rule(style="dim")
    for request in requests:
        console.print(request.session)
    save(console, PATH)


if __name__ == "__main__":
    main()
