"""Messages for a person at a terminal, drawn with rich: the only module of `reply` and `request` that imports it."""

from __future__ import annotations

import io
import json

from rich.console import Console
from rich.json import JSON
from rich.text import Text

from natscli.message import headers
from natscli.output.text import payload_text, visible_line

#: JSON larger than this (bytes) is shown as it came: parsing and colouring it takes longer than reading on.
_LARGEST_JSON = 64 * 1024


class Painter:
    """Turns the parts of a message into text, coloured or not."""

    def __init__(self, *, colored: bool) -> None:
        self._console = Console(
            file=io.StringIO(), force_terminal=colored, no_color=not colored, width=10_000, highlight=False,
            color_system="standard" if colored else None, legacy_windows=False, _environ={},
        )  # fmt: skip

    def paint(self, *parts: tuple[str, str]) -> str:
        """Text and style pairs on one line, with every control character escaped."""
        return self._render(Text.assemble(*((visible_line(text), style) for text, style in parts)))

    def header_lines(self, block: bytes | None) -> str:
        """`Name: value` lines."""
        return "".join(
            self.paint((name, "cyan"), (": ", ""), (value, "")) for name, value in headers.decode(block)
        )

    def payload(self, payload: bytes, *, pretty: bool = True) -> str:
        """A payload: JSON pretty-printed, text with its controls escaped, anything else as a hex dump."""
        if pretty and payload[:1] in (b"{", b"[") and len(payload) <= _LARGEST_JSON:
            try:
                return self._render(JSON.from_data(json.loads(payload), indent=2, ensure_ascii=True))
            except (ValueError, RecursionError):
                pass
        text = payload_text(payload)
        return text if text.endswith("\n") or not text else f"{text}\n"

    def _render(self, renderable: Text | JSON) -> str:
        with self._console.capture() as capture:
            self._console.print(renderable, soft_wrap=True)
        return capture.get()
