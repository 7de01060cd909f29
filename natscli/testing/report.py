"""What responders were asked and answered, for the report of a test that failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from natscli.message import headers
from natscli.testing.responder import AnsweredRequest, TestResponder
from natscli.text import payload_text, visible_line

#: Requests of a responder that are shown, and characters of a payload.
_MOST, _LONGEST = 20, 500


def shown(responders: Sequence[TestResponder]) -> str:
    """Lines about what each responder was asked, the last requests."""
    return "\n".join(line for responder in responders for line in _lines(responder))


def _lines(responder: TestResponder) -> Iterator[str]:
    answered = responder.answered
    yield f"{', '.join(responder.subjects)}: {len(answered)} request{'s' * (len(answered) != 1)}"
    for one in answered[-_MOST:]:
        yield f"  -> [{visible_line(one.request.subject)}] {_content(one.request.header_pairs, one.request.data)}"
        yield f"  <- {_reply(one)}"


def _reply(one: AnsweredRequest) -> str:
    if one.payload is None:
        return "no reply"
    failed = f"error {one.failure} " if one.failure else ""
    return failed + _content(headers.decode(one.header), one.payload)


def _content(pairs: headers.Pairs, payload: bytes) -> str:
    text = payload_text(payload)
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... {len(payload)} bytes in all"
    names = "".join(f"{visible_line(name)}: {visible_line(value)}; " for name, value in pairs)
    return names + text.replace("\n", "\n     ")
