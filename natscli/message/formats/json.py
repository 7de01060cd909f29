"""JSON in both directions: checked before it is sent and when it comes, and named in `Content-Type`."""

from __future__ import annotations

from natscli.errors import InputError
from natscli.message import headers
from natscli.message.formats.format import (
    Asked,
    Content,
    Format,
    Piece,
    only_ends,
    parse_json,
    with_headers,
    without_headers,
)
from natscli.message.status import ReplyProblem, read_problem

_TYPE = ("Content-Type", "application/json")


class CheckedJSON(Format):
    """Refuses what is not JSON."""

    def request(self, subject: str, number: int, content: Content) -> Content:  # noqa: ARG002
        try:
            parse_json(content.payload)
        except ValueError as error:
            raise InputError(f"the payload is not JSON: {error}", where="--format json") from None
        return Content(with_headers(content.header, _TYPE), content.payload)

    def read_reply(self, number: int, content: Content) -> Piece | None:  # noqa: ARG002
        try:
            if not read_problem(*content):
                parse_json(content.payload)
        except ValueError as error:
            return Piece(content.payload, problem=ReplyProblem("format", "", f"it is not JSON: {error}"))
        return Piece(content.payload)

    def read_request(self, content: Content) -> Asked:
        try:
            parse_json(content.payload)
        except ValueError as error:
            raise ValueError(f"the request is not JSON: {error}") from None
        return Asked(content.payload)

    def reply(self, asked: Asked, answer: Content, *, first: bool = True, last: bool = True) -> Content:  # noqa: ARG002
        if only_ends(answer, first=first, last=last):
            return answer
        if headers.read_service_error(answer.header) is not None:
            return answer
        try:
            parse_json(answer.payload)
        except ValueError as error:
            raise ValueError(f"the answer is not JSON: {error}") from None
        return Content(with_headers(answer.header, _TYPE), answer.payload)

    def recorded(self, reply: Content) -> Content:
        return reply._replace(header=without_headers(reply.header, _TYPE))


new = CheckedJSON
