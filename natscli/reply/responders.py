"""Responders: what a request is answered with. Static, templated and echo answer whole batches at once."""

from __future__ import annotations

from collections.abc import Callable

from natscli.message import headers
from natscli.message.templates import Facts, Template
from natscli.wire import Message

#: Answers the requests of one network read, which begin at the given number; those without a reply subject get none.
Respond = Callable[[list[Message], int], list[Message]]

HeaderTemplates = tuple[tuple[str, Template], ...]


def static(body: Template, header: HeaderTemplates) -> Respond:
    """The same body for all, or a templated one; headers likewise."""
    if all(template.is_static for template in (body, *(t for _, t in header))):
        payload = body.fill(Facts(0))
        block = headers.encode(filled(header, Facts(0))) or None
        return lambda batch, first: [(reply, b"", block, payload) for _, reply, _, _ in batch if reply]
    return _templated(body, header)


def _templated(body: Template, header: HeaderTemplates) -> Respond:
    fill = body.fill

    def respond(batch: list[Message], first: int) -> list[Message]:
        answers: list[Message] = []
        for number, (subject, reply, _, payload) in enumerate(batch, first):
            if reply:
                facts = Facts(number, subject, payload)
                block = headers.encode(filled(header, facts)) if header else None
                answers.append((reply, b"", block, fill(facts)))
        return answers

    return respond


def echo(header: HeaderTemplates) -> Respond:
    """What came: payload and headers, with `header` before them and NATS-Reply-Counter after, as the Go CLI does."""

    def respond(batch: list[Message], first: int) -> list[Message]:
        answers: list[Message] = []
        for number, (subject, reply, block, payload) in enumerate(batch, first):
            if reply:
                if header:
                    own = headers.encode(filled(header, Facts(number, subject, payload)))
                    block = own[:-2] + block[len(headers.LINE) + 2 :] if block else own
                answers.append(
                    (reply, b"", headers.append(block, ((headers.REPLY_COUNTER, str(number)),)), payload)
                )
        return answers

    return respond


def filled(header: HeaderTemplates, facts: Facts) -> list[tuple[str, str]]:
    """Headers for one reply. A request put into a header cannot end its line."""
    pairs = []
    for name, template in header:
        value = template.fill(facts).translate(_ONE_LINE)
        pairs.append((name, value.decode("utf-8", "surrogateescape")))
    return pairs


_ONE_LINE = bytes.maketrans(b"\r\n\0", b"   ")
