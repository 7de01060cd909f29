"""Messages and errors as JSON, one object a line."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from natscli.errors import Report
from natscli.message import headers


def line(record: dict[str, Any], *, ascii_only: bool = False) -> bytes:
    """One JSON object and a line break; `ascii_only` for terminals, where other controls must not get through."""
    text = json.dumps(record, ensure_ascii=ascii_only, separators=(", ", ": "))
    return text.encode("utf-8", "backslashreplace") + b"\n"


def body(header: bytes | None, payload: bytes) -> dict[str, Any]:
    """The part that requests and replies share: headers (name to list of values), data, its encoding, its size.

    `data` is text when the payload is UTF-8, else base64, and `encoding` says which.
    """
    pairs: dict[str, list[str]] = {}
    for name, value in headers.decode(header):
        pairs.setdefault(name, []).append(value.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
    try:
        data, encoding = payload.decode(), "utf-8"
    except UnicodeDecodeError:
        data, encoding = b64encode(payload).decode(), "base64"
    return {"headers": pairs, "data": data, "encoding": encoding, "size": len(payload)}


def reply_record(
    subject: str, request: int, reply: int, rtt_ns: int, header: bytes | None, payload: bytes
) -> dict[str, Any]:
    """A reply that `pynats request` received: `rtt_ns` nanoseconds after request number `request` was written."""
    return {"subject": subject, "request": request, "reply": reply, "rtt_ns": rtt_ns, **body(header, payload)}


def error_record(subject: str, request: int, report: Report) -> dict[str, Any]:
    """A failed request, 0 for the whole run: what the error line says, the exit status by name and by number."""
    return {
        "subject": subject,
        "request": request,
        "error": report.status.name.lower(),
        "message": report.message,
        "status": int(report.status),
    }
