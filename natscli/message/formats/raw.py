"""No format: messages are what they are."""

from __future__ import annotations

from natscli.message.formats.format import Asked, Content, Format, Piece


class Raw(Format):
    """Changes nothing."""

    def request(self, subject: str, number: int, content: Content) -> Content:  # noqa: ARG002
        return content

    def read_reply(self, number: int, content: Content) -> Piece | None:  # noqa: ARG002
        return Piece(content.payload)

    def read_request(self, content: Content) -> Asked:
        return Asked(content.payload)

    def reply(self, asked: Asked, answer: Content, *, first: bool = True, last: bool = True) -> Content:  # noqa: ARG002
        return answer


new = Raw
