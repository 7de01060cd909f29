"""Several replies to one request, as a table that grows on the terminal while they come."""

from __future__ import annotations

from collections.abc import Sequence

from natscli.duration import format_duration
from natscli.environment import BOLD, DIM, GREEN, Environment
from natscli.message import headers
from natscli.message.status import responder
from natscli.output.columns import crop, pad
from natscli.output.terminal import Painter
from natscli.request.events import Received
from natscli.system.terminal import terminal_size
from natscli.text import bytes_for_people, format_bytes

_HEADINGS = ("#", "RTT", "gap", "responder", "size", "payload")
_WIDTHS = (4, 8, 8, 22, 8)
_COLUMNS = 80
#: The same, on a terminal that is less wide.
_NARROW_WIDTHS = (4, 8, 8, 10, 8)


class Table:
    """Gives the line of each reply, before the first also the headings."""

    def __init__(self, environment: Environment) -> None:
        self._painter = Painter(colored=environment.colored(environment.stdout))
        self._columns = terminal_size(environment.stdout).columns
        self._last: Received | None = None

    def __call__(self, reply: Received) -> bytes:
        """The line of the next reply; nothing from the network drives the terminal, or takes more than a line."""
        gap = format_duration((reply.rtt_ns - self._last.rtt_ns) / 1e9) if self._last else ""
        head = "" if self._last else _line(self._painter, _HEADINGS, self._columns, (BOLD,) * len(_HEADINGS))
        self._last = reply
        cells = (
            str(reply.number), format_duration(reply.rtt_ns / 1e9), gap, responder(reply.header, reply.payload),
            format_bytes(len(reply.payload)), _status(reply) or _first_line(reply.payload),
        )  # fmt: skip
        line = _line(self._painter, cells, self._columns, (BOLD, GREEN, DIM, "", "", ""))
        return bytes_for_people(head + line)


def _line(painter: Painter, cells: Sequence[str], columns: int, styles: Sequence[str]) -> str:
    """Cells in their columns; the last has the rest of the line."""
    widths = _WIDTHS if columns >= _COLUMNS else _NARROW_WIDTHS
    rest = max(columns - sum(widths) - 2 * len(widths), 0)
    parts = []
    for number, (text, style) in enumerate(zip(cells, styles, strict=True)):
        width = (*widths, rest)[number]
        text = crop(text, width)
        padded = text if number == len(widths) else pad(text, width, right=number in (0, 1, 2, 4))
        parts.append(painter.styled(padded, style))
    return "  ".join(parts).rstrip() + "\n"


def _status(reply: Received) -> str:
    """The status line of a server, in place of a payload."""
    if reply.payload or not reply.header or not headers.status(reply.header):
        return ""
    from natscli.message.status import read_status

    return str(read_status(reply.header) or "")


def _first_line(payload: bytes) -> str:
    """The beginning of a payload; of one that is not UTF-8, in hex."""
    start = payload[:400].lstrip().partition(b"\n")[0].removesuffix(b"\r")
    try:
        return start.decode()
    except UnicodeDecodeError as error:
        cut = len(payload) > 400 and error.end == len(start)  # in the middle of a character
        return start[: error.start].decode() if cut and error.start else start[:40].hex(" ")
