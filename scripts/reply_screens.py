"""Write docs/reply-stats.svg: the panel of `pynats reply --stats`, from a real run on a pseudo-terminal."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

from rich.text import Text

from scripts.screenshot import Terminal, drawing, local_server, save

PATH = Path(__file__).resolve().parent.parent / "docs" / "reply-stats.svg"
LINE = "reply 'weather.>' 'It rains in {{1}}' --sleep 20ms --fail 0.1% --stats"
#: Requests for more seconds than are watched.
LOAD = "request weather.london 'What is it like?' --count 50000 --concurrency 30 --raw"
#: What begins each drawing.
ERASE = "\x1b[J"


def main() -> None:
    """Answer requests for some seconds, and draw the panel as it is then."""
    with local_server() as environ:
        reply = Terminal(LINE, environ)
        reply.read_until("Requests")
        listening = reply.shown.partition("\n")[0]
        request = Terminal(LOAD, environ)
        threading.Thread(target=request.read_until, args=(None,), daemon=True).start()
        with suppress(TimeoutError):
            reply.read_until(None, seconds=5)
        frame = reply.shown.split(ERASE)[-2]
        request.stop()
        reply.stop()
    console = drawing()
    console.print(Text.from_ansi(f"$ pynats {LINE}\n{listening}\n...\n{frame[frame.index('╭') :].rstrip()}"))
    save(console, PATH)


if __name__ == "__main__":
    main()
