"""Replies and failures as JSON, one object a line."""

from __future__ import annotations

import json
from collections.abc import Callable

from natscli.duration import timestamp
from natscli.errors import Report
from natscli.output.json_lines import Encoder
from natscli.request.events import Received
from natscli.text import replaced


def replies(*, ascii_only: bool) -> Callable[[Received], bytes]:
    """Renders a reply that `pynats request` received: `rtt_ns` nanoseconds after the request was written."""
    encoder = Encoder(ascii_only=ascii_only)

    def more(reply: Received) -> str:
        """The subject of a message that a consumer of JetStream delivered, and the one for its acknowledgement."""
        if not reply.message_subject:
            return ""
        subject, reply_to = map(encoder.decoded, (reply.message_subject, reply.reply_to))
        return f', "message_subject": {subject}, "reply_to": {reply_to}'

    def members(reply: Received) -> str:
        message = encoder.message(reply.header, reply.payload)
        return message + encoder.acknowledged(reply.said, reply.subject)

    def line(reply: Received) -> bytes:
        about = f'"time": "{timestamp(reply.came)}", "subject": {encoder.text(replaced(reply.subject))}'
        which = f'"request": {reply.request}, "reply": {reply.number}, "rtt_ns": {reply.rtt_ns}'
        return f"{{{about}, {which}, {members(reply)}{more(reply)}}}\n".encode()

    return line


def error_line(subject: str, request: int, report: Report, at: float, *, ascii_only: bool) -> bytes:
    """A failed request, 0 for the whole run: what the error line says, the exit status by name and by number."""
    record = {
        "time": timestamp(at),
        "subject": replaced(subject),
        "request": request,
        "error": report.status.name.lower(),
        "message": replaced(report.message),
        "status": int(report.status),
    }
    return json.dumps(record, ensure_ascii=ascii_only).encode() + b"\n"
