"""Payloads and headers as text that is safe to show: nothing from the network drives the terminal."""

from __future__ import annotations

_HEX_BYTES = 256
#: C0 and C1 controls, and the bidirectional controls and line separators, which reorder or hide what is read.
_UNSAFE = [
    *range(0x20),
    *range(0x7F, 0xA0),
    0x061C,
    *range(0x200E, 0x2010),
    *range(0x2028, 0x202F),
    *range(0x2066, 0x206A),
]
_VISIBLE_LINE = {c: repr(chr(c))[1:-1] for c in _UNSAFE} | {
    0xDC80 + i: f"\\x{0x80 + i:02x}"
    for i in range(0x80)  # bytes that were not UTF-8
}
_VISIBLE = {c: shown for c, shown in _VISIBLE_LINE.items() if c not in (0x09, 0x0A)}
#: The same for inside the strings of a JSON text, which stays JSON; its other controls are escaped already.
_VISIBLE_JSON = {c: f"\\u{c:04x}" for c in (*_UNSAFE, *range(0xD800, 0xE000)) if c >= 0x7F}


def visible(text: str) -> str:
    """`text` with control characters as escapes (`\\x1b`), tabs and line breaks (also CRLF) left alone."""
    return text if text.isprintable() else text.replace("\r\n", "\n").translate(_VISIBLE)


def visible_line(text: str) -> str:
    """`text` as one line: every control character as an escape."""
    return text if text.isprintable() else text.translate(_VISIBLE_LINE)


def crop(text: str, columns: int) -> str:
    """`text` as one line that takes so many columns of a terminal at most; wide characters take two."""
    shown = visible_line(text[: 4 * columns])  # what takes no column is bounded too
    if shown.isascii():
        return shown[:columns]
    from rich.cells import cell_len, set_cell_size

    return set_cell_size(shown, columns) if cell_len(shown) > columns else shown


def shortened(text: str, columns: int) -> str:
    """`crop`, with an ellipsis where something is missing."""
    shown = crop(text, columns)
    return shown if shown == visible_line(text) else f"{crop(text, columns - 1).rstrip()}…"


def width_of(text: str) -> int:
    """How many columns of a terminal `text` takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """`text` with spaces after it, or before it, to so many columns of a terminal."""
    space = " " * (columns - width_of(text))
    return space + text if right else text + space


def visible_json(text: str) -> str:
    """A JSON text, written with its C0 controls escaped, with all the others escaped too."""
    return text if text.isascii() and "\x7f" not in text else text.translate(_VISIBLE_JSON)


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


def format_bytes(size: int) -> str:
    """A number of bytes for people: `312 B`, `1.5 kB`, `2.04 MB`."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if float(f"{value:.3g}") < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"
