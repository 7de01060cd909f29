"""Payloads and headers as text that is safe to show: nothing from the network drives the terminal."""

from __future__ import annotations

_HEX_BYTES = 256
#: C0 and C1 controls but tab and newline, and the bidirectional controls that reorder what is read.
_UNSAFE = [
    *range(0x20),
    *range(0x7F, 0xA0),
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
    0x200E,
    0x200F,
    0x2028,
    0x2029,
]
_VISIBLE = {c: repr(chr(c))[1:-1] for c in _UNSAFE if c not in (0x09, 0x0A)} | {0x0D: "\\r"}
_VISIBLE_LINE = _VISIBLE | {0x09: "\\t", 0x0A: "\\n"}


def visible(text: str) -> str:
    """`text` with control characters as escapes (`\\x1b`), tabs and line breaks left alone."""
    return text.translate(_VISIBLE).replace("\\r\n", "\n")


def visible_line(text: str) -> str:
    """`text` as one line: every control character as an escape."""
    text = text.translate(_VISIBLE_LINE)
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def payload_text(payload: bytes) -> str:
    """A payload for people: text with its controls escaped, or a short hex dump when it is not UTF-8."""
    try:
        return visible(payload.decode())
    except UnicodeDecodeError:
        return hex_dump(payload)


def hex_dump(payload: bytes) -> str:
    """The first bytes of `payload`, 16 a line, in hex and in ASCII, and how many there are in all."""
    lines = []
    for start in range(0, min(len(payload), _HEX_BYTES), 16):
        row = payload[start : start + 16]
        shown = "".join(chr(b) if 0x20 <= b < 0x7F else "." for b in row)
        lines.append(f"{start:08x}  {row[:8].hex(' '):<23}  {row[8:].hex(' '):<23}  |{shown}|")
    if len(payload) > _HEX_BYTES:
        lines.append(f"... {len(payload)} bytes in all")
    return "\n".join(lines)
