"""Messages for a person at a terminal: coloured by hand, because there may be thousands a second."""

from __future__ import annotations

from natscli.environment import BOLD, CYAN, GREEN, MAGENTA, RESET
from natscli.message import headers
from natscli.output import json_text
from natscli.text import payload_text, visible_json, visible_line

#: JSON larger than this (bytes) is shown as it came: reading and colouring it takes longer than reading on.
_LARGEST_JSON = 64 * 1024
_LARGEST_SHOWN = 4 * _LARGEST_JSON

_KEY = BOLD + CYAN


class Painter:
    """Turns the parts of a message into text, coloured or not, in which nothing drives the terminal."""

    def __init__(self, *, colored: bool) -> None:
        self._colored = colored
        self._paint_json = _colored_json if colored else _plain_json

    def paint(self, *parts: tuple[str, str]) -> str:
        """A line of text and style pairs, with every control character escaped."""
        shown = [self.styled(visible_line(text), style) for text, style in parts]
        return "".join(shown) + "\n"

    def styled(self, text: str, style: str) -> str:
        """`text`, which is safe to show, in a style: one of the codes of `environment`, or an empty string."""
        return f"{style}{text}{RESET}" if style and text and self._colored else text

    def header_lines(self, block: bytes | None) -> str:
        """`Name: value` lines."""
        pairs = headers.decode(block)
        return "".join(
            [f"{self.styled(visible_line(name), CYAN)}: {visible_line(value)}\n" for name, value in pairs]
        )

    def payload(self, payload: bytes, *, pretty: bool = True) -> str:
        """A payload: JSON indented, text with its controls escaped, anything else as a hex dump."""
        if pretty and payload[:1] in _MAY_BEGIN_JSON:
            shown = self._json(payload)
            if shown:
                return shown + "\n"
        text = payload_text(payload)
        return text if text.endswith("\n") or not text else text + "\n"

    def _json(self, payload: bytes) -> str:
        """A JSON object or array, indented; an empty string for anything else, or when there is too much of it."""
        if len(payload) > _LARGEST_JSON or payload.lstrip()[:1] not in (b"{", b"["):
            return ""
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            return ""
        if not json_text.is_json(text):
            return ""
        return json_text.indented(visible_json(text), _LARGEST_SHOWN, self._paint_json)


#: An object, an array, or the white space before one.
_MAY_BEGIN_JSON = (b"{", b"[", b" ", b"\n", b"\r", b"\t")


def _plain_json(token: str, is_key: bool) -> str:  # noqa: ARG001
    return token


def _colored_json(token: str, is_key: bool) -> str:
    if token[0] == '"':
        return f"{_KEY if is_key else GREEN}{token}{RESET}"
    return f"{CYAN if token[0] in '-0123456789' else MAGENTA}{token}{RESET}"
