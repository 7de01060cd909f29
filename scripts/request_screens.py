"""Write the screens of docs/request.md from real runs: timings, progress, a histogram, a table of replies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from rich.text import Text

from scripts.screenshot import Terminal, drawing, local_server, save

DOCS = Path(__file__).resolve().parent.parent / "docs"
#: What begins each picture of the progress, and what follows the last.
EMPTY_LINE = "\r\x1b[2K"
LOAD = "request orders.get 17 --count 100000 --concurrency 64"
SERVICES = {"berlin": "1ms..5ms", "lisbon": "20ms..30ms", "oslo": "40ms..60ms"}


def main() -> None:
    """Run a server, responders and requests, and draw each screen."""
    with local_server() as environ:
        responders = [
            Terminal("reply", "orders.get", '{"order": {{Request}}, "total": 12.50}', environ=environ),
            Terminal("reply", "orders.new", '{"accepted": true}', "--sleep", "11ms..13ms", environ=environ),
            *(
                Terminal("reply", "who.is.there", f"{name} has {{{{Random 3 3}}}}", "--queue", name,
                         "--header", f"Responder:{name}", "--sleep", delay, environ=environ)
                for name, delay in SERVICES.items()
            ),
        ]  # fmt: skip
        for responder in responders:
            responder.read_until("Listening")
        _draw(
            "timings", "request orders.new '{}' --timings", _run("request orders.new {} --timings", environ)
        )
        *frames, summary = _run(LOAD, environ).split(EMPTY_LINE)
        bars = [frame for frame in frames if re.search(r"[3-7]\d%", frame)]
        _draw("progress", LOAD, bars[0])
        _draw("histogram", LOAD, summary)
        _draw(
            "replies",
            "request who.is.there '' --replies 3",
            _run("request who.is.there x --replies 3", environ),
        )
        for responder in responders:
            responder.stop()


def _run(line: str, environ: Mapping[str, str]) -> str:
    """All that a command line has shown."""
    request = Terminal(*line.split(" "), environ=environ)
    request.read_until("\0never")
    return request.shown


def _draw(name: str, line: str, shown: str) -> None:
    console = drawing()
    console.print(Text.from_ansi(f"$ pynats {line}\n{shown.rstrip()}"))
    save(console, DOCS / f"request-{name}.svg")


if __name__ == "__main__":
    main()
