"""FastStream: the payload as it is, its type and an id that ties reply to request in headers of lower case."""

from __future__ import annotations

from uuid import uuid4

from natscli.message.formats.format import (
    Asked,
    Content,
    Format,
    Piece,
    header_value,
    is_json,
    only_ends,
    with_headers,
    without_headers,
)

TYPE, CORRELATION = "content-type", "correlation_id"


class FastStream(Format):
    """Says in headers what a subscriber needs to parse a payload."""

    silence = "a FastStream subscriber sends no reply when validation fails or its function raises"

    def request(self, subject: str, number: int, content: Content) -> Content:  # noqa: ARG002
        return _typed(content, (CORRELATION, str(uuid4())))

    def read_reply(self, number: int, content: Content) -> Piece | None:  # noqa: ARG002
        return Piece(content.payload)

    def read_request(self, content: Content) -> Asked:
        return Asked(content.payload, header_value(content.header, CORRELATION))

    def reply(self, asked: Asked, answer: Content, *, first: bool = True, last: bool = True) -> Content:
        if only_ends(answer, first=first, last=last):
            return answer
        own = [(CORRELATION, asked.memory)] if asked.memory else []
        return _typed(answer, *own)

    def asked_by(self, reply: Content) -> Asked | None:
        return Asked(b"", header_value(reply.header, CORRELATION))

    def recorded(self, reply: Content) -> Content:
        own = CORRELATION, header_value(reply.header, CORRELATION)
        return reply._replace(header=without_headers(reply.header, own, *_types(reply.payload)))


def _typed(content: Content, *pairs: tuple[str, str]) -> Content:
    """`content` with the type of its payload, unless that is neither JSON nor text."""
    checked = [pair for pair in (*_types(content.payload), *pairs) if _can_be_sent(*pair)]
    return Content(with_headers(content.header, *checked), content.payload)


def _types(payload: bytes) -> tuple[tuple[str, str], ...]:
    if is_json(payload):
        return ((TYPE, "application/json"),)
    return ((TYPE, "text/plain"),) if _is_text(payload) else ()


def _can_be_sent(name: str, value: str) -> bool:
    return not set(value) & set("\r\n\0") and bool(name)


def _is_text(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


new = FastStream
