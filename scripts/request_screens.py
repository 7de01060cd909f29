"""Write the screens of docs/request.md and docs/load.md from real runs: timings, progress, histogram, replies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from scripts.screenshot import Terminal, drawing, local_server, save

DOCS = Path(__file__).resolve().parent.parent / "docs"
#: What begins each picture of the progress, and what follows the last.
EMPTY_LINE = "\r\x1b[2K"
LOAD = "request orders.get 17 --count 100000 --concurrency 64"
REQUESTS = {
    "timings": "request orders.new '{}' --timings",
    "replies": "request who.is.there '' --replies 3",
}
SERVICES = {"berlin": "1ms..5ms", "lisbon": "20ms..30ms", "oslo": "40ms..60ms"}
RESPONDERS = (
    """reply orders.get '{"order": {{Request}}, "total": 12.50}'""",
    """reply orders.new '{"accepted": true}' --sleep 11ms..13ms""",
    *(
        f"reply who.is.there '{name} has {{{{Random 3 3}}}}' --queue {name} --header Responder:{name} --sleep {delay}"
        for name, delay in SERVICES.items()
    ),
)


def main() -> None:
    """Run a server, responders and requests, and draw each screen."""
    with local_server() as environ:
        responders = [Terminal(line, environ) for line in RESPONDERS]
        for responder in responders:
            responder.read_until("Listening")
        for name, line in REQUESTS.items():
            _draw(name, _run(line, environ))
        load = _run(LOAD, environ)
        *frames, summary = load.shown.split(EMPTY_LINE)
        load.shown = next(frame for frame in frames if re.search(r"[3-7]\d%", frame))
        _draw("progress", load)
        load.shown = summary
        _draw("histogram", load)
        for responder in responders:
            responder.stop()


def _run(line: str, environ: Mapping[str, str]) -> Terminal:
    """A command line that has ended."""
    request = Terminal(line, environ)
    request.read_until(None)
    return request


def _draw(name: str, terminal: Terminal) -> None:
    console = drawing()
    console.print(terminal.session)
    save(console, DOCS / f"request-{name}.svg")


if __name__ == "__main__":
    main()
