"""Bytes as text, text as bytes, and text that is safe to show.

NATS carries bytes, and most of them are UTF-8. What is done with the others depends on who reads the text:

- `exact` keeps them (as lone surrogates), so that `exact_bytes` gives them back: for what is sent or compared again;
- `for_programs` puts U+FFFD in their place: for JSON, which has no other way;
- `for_people` shows them as escapes, `\\xff`.

`visible` and `visible_line` show as escapes what could drive a terminal, and the bytes that `exact` kept.
"""

from __future__ import annotations

import codecs
from functools import lru_cache


def exact(data: bytes) -> str:
    """`data` as text that `exact_bytes` turns back into the same bytes."""
    return data.decode("utf-8", "surrogateescape")


def exact_bytes(text: str) -> bytes:
    """The bytes of a text that `exact` gave.

    Raises:
        UnicodeEncodeError: it has half a surrogate pair, which no bytes have given.
    """
    return text.encode("utf-8", "surrogateescape")


def for_programs(data: bytes) -> str:
    """`data` as text; what is not UTF-8 is U+FFFD."""
    return data.decode("utf-8", "replace")


def replaced(text: str) -> str:
    """`text` as programs get it: what `exact` kept, and halves of surrogate pairs, are U+FFFD."""
    try:
        return for_programs(exact_bytes(text))
    except UnicodeEncodeError:
        return mended(text)


def mended(text: str) -> str:
    """`text` with pairs of surrogates put together, and each that is alone as U+FFFD, as in Go."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def bytes_for_programs(text: str) -> bytes:
    """UTF-8 of any text, for programs."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return replaced(text).encode()


def for_people(data: bytes) -> str:
    """`data` as text; what is not UTF-8 is an escape, such as `\\xff`."""
    return data.decode("utf-8", "backslashreplace")


def in_parts_for_people() -> codecs.IncrementalDecoder:
    """Decodes as `for_people` does what comes in parts, which may end within a character."""
    return codecs.getincrementaldecoder("utf-8")("backslashreplace")


def bytes_for_people(text: str) -> bytes:
    """UTF-8 of any text, for people: what `exact` kept is the same escape as of `for_people`."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.translate(_kept_bytes()).encode("utf-8", "backslashreplace")


def visible(text: str) -> str:
    """`text` with control characters as escapes (`\\x1b`), tabs and line breaks (also CRLF) left alone."""
    return text if text.isprintable() else text.replace("\r\n", "\n").translate(_escapes()[1])


def visible_line(text: str) -> str:
    """`text` as one line: every control character as an escape."""
    return text if text.isprintable() else text.translate(_escapes()[0])


def visible_json(text: str) -> str:
    """A JSON text, written with its C0 controls escaped, with all the others escaped too."""
    return text if text.isascii() and "\x7f" not in text else text.translate(_escapes()[2])


def payload_text(payload: bytes) -> str:
    """A payload for people: text with its controls escaped, or a short hex dump when it is not UTF-8."""
    try:
        return visible(payload.decode())
    except UnicodeDecodeError:
        return hex_dump(payload)


#: Bytes that a hex dump shows.
_HEX_BYTES = 256


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


@lru_cache(1)
def _kept_bytes() -> dict[int, str]:
    """The escapes of the bytes that `exact` kept."""
    return {0xDC00 + byte: f"\\x{byte:02x}" for byte in range(0x80, 0x100)}


@lru_cache(1)
def _escapes() -> tuple[dict[int, str], dict[int, str], dict[int, str]]:
    """What is shown as an escape in a line, in a text, and inside the strings of JSON, which stays JSON there.

    These are the controls C0 and C1, and the bidirectional controls and line separators, which reorder or hide what
    is read. The tables are made when the first is needed.
    """
    bidirectional = (0x061C, *range(0x200E, 0x2010), *range(0x2028, 0x202F), *range(0x2066, 0x206A))
    unsafe = (*range(0x20), *range(0x7F, 0xA0), *bidirectional)
    line = {c: repr(chr(c))[1:-1] for c in unsafe} | _kept_bytes()
    text = {c: shown for c, shown in line.items() if c not in (0x09, 0x0A)}
    json = {c: f"\\u{c:04x}" for c in (*unsafe, *range(0xD800, 0xE000)) if c >= 0x7F}
    return line, text, json
