"""NATS message headers (ADR-4) as bytes: `NATS/1.0`, a line each, an empty line.

Names keep their case and may repeat, so headers are pairs, not a dict.
"""

from __future__ import annotations

from collections.abc import Iterable

from natscli.errors import InputError
from natscli.text import exact, exact_bytes, replaced

LINE = b"NATS/1.0"
SERVICE_ERROR = "Nats-Service-Error"
SERVICE_ERROR_CODE = "Nats-Service-Error-Code"
REPLY_COUNTER = "NATS-Reply-Counter"
#: The status of an idle heartbeat, by which a server says that a pull goes on.
HEARTBEAT = "100"
#: How a server says that nothing more comes, as after the last message of a batch (ADR-31).
_END = (LINE + b" 204 ", LINE + b" 204\r")
#: Lines of a header block that are taken apart for records, at most.
_MOST_LINES = 4096

Pairs = tuple[tuple[str, str], ...]


def encode(pairs: Iterable[tuple[str, str]]) -> bytes:
    """The header block for `pairs`, which `check` has passed; nothing for no pairs."""
    lines = encode_lines(pairs)
    return b"%b\r\n%b\r\n" % (LINE, lines) if lines else b""


def encode_lines(pairs: Iterable[tuple[str, str]]) -> bytes:
    """The lines of a header block for `pairs`, which `check` has passed."""
    return b"".join(b"%b: %b\r\n" % (k.encode(), exact_bytes(v)) for k, v in pairs)


def decode(block: bytes | None) -> Pairs:
    """The pairs of a header block; what is not `NAME: VALUE` is left out. Bytes that are not UTF-8 survive."""
    if not block:
        return ()
    pairs = []
    for line in block.split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        if colon and name:
            pairs.append((exact(name), exact(value.strip())))
    return tuple(pairs)


def is_huge(block: bytes) -> bool:
    """Whether a block has more lines than anybody means: taking them apart would hold up other messages."""
    return block.count(b"\n") > _MOST_LINES


def as_lists(block: bytes | None) -> dict[str, list[str]]:
    """The headers of a block for programs: each name with its values; none of a huge block."""
    return lists_of(() if block and is_huge(block) else decode(block))


def lists_of(pairs: Pairs) -> dict[str, list[str]]:
    """Headers for programs: each name with its values."""
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        lists.setdefault(replaced(name), []).append(replaced(value))
    return lists


def status(block: bytes | None) -> str:
    """The status of a header block that a server sent (`503` for no responders), else an empty string.

    What begins like a status line and has no three digits there is none: no server sends it.
    """
    if not block or block[len(LINE) : len(LINE) + 1] != b" ":
        return ""
    code, end = block[len(LINE) + 1 : len(LINE) + 4], block[len(LINE) + 4 : len(LINE) + 5]
    return code.decode() if len(code) == 3 and code.isdigit() and end in b" \r" else ""


def says_end(block: bytes | None, payload: bytes) -> bool:
    """Whether a server says that no more replies to a request come."""
    return block is not None and not payload and block.startswith(_END)


def check_name(name: str, where: str) -> None:
    """Refuse what cannot be the name of a header.

    Raises:
        InputError: it is empty, or has a space, a colon or something unprintable.
    """
    if not name or not name.isascii() or any(c in ": " or not c.isprintable() for c in name):
        raise InputError(f"invalid header name {name!r}", where=where)


def check(name: str, value: str) -> None:
    """Refuse a header that cannot be sent as it is.

    Raises:
        InputError: a name with a space, a colon or something unprintable, or a value with a line break.
    """
    check_name(name, "--header")
    if "\r" in value or "\n" in value or "\0" in value:
        raise InputError(f"the value of header {name!r} has a line break in it", where="--header")


def service_error(message: str, code: int) -> bytes:
    """The header block of a failed request (ADR-32)."""
    text = " ".join(message.split()) or f"error {code}"  # some clients take an empty one for no error
    return encode([(SERVICE_ERROR, text), (SERVICE_ERROR_CODE, str(code))])


def traced(destination: str, *, deliver: bool) -> list[tuple[str, str]]:
    """The headers that have servers report to the subject `destination` where a message goes (ADR-41).

    Without `deliver` nobody gets the message itself; but servers before 2.11 know none of this, and deliver it.
    """
    return [("Nats-Trace-Dest", destination), *([] if deliver else [("Nats-Trace-Only", "true")])]


def parse(values: Iterable[str]) -> list[tuple[str, str]]:
    """`NAME:VALUE` options as pairs.

    Raises:
        InputError: a header without a colon or a name, or one that cannot be sent as it is.
    """
    pairs = []
    for value in values:
        name, colon, text = value.partition(":")
        if not colon or not name.strip():
            raise InputError(f"invalid header {value!r}: expected NAME:VALUE", where="--header")
        check(name.strip(), text.strip())
        pairs.append((name.strip(), text.strip()))
    return pairs


def read_service_error(block: bytes | None) -> tuple[str, str] | None:
    """The code and the text of a failed request (ADR-32), either perhaps empty; None if there is no error.

    Of headers that are repeated, the first counts; names may be in any case.
    """
    if not block or SERVICE_ERROR.lower().encode() not in block.lower():
        return None
    pairs = {name.lower(): value for name, value in reversed(decode(block))}
    code, text = pairs.get(SERVICE_ERROR_CODE.lower()), pairs.get(SERVICE_ERROR.lower())
    return None if code is None and text is None else (code or "", text or "")
