"""Responders: what a request is answered with. Static, templated and echo answer whole batches at once."""

from __future__ import annotations

from collections.abc import Callable

from natscli.message import headers
from natscli.message.templates import Facts, Template
from natscli.wire.protocol import Message

#: Answers the requests of one network read, which begin at the given number; those without a reply subject get none.
Respond = Callable[[list[Message], int], list[Message]]

HeaderTemplates = tuple[tuple[str, Template], ...]

_START = headers.LINE + b"\r\n"
_ONE_LINE = bytes.maketrans(b"\r\n\0", b"   ")


def static(body: Template, header: HeaderTemplates) -> Respond:
    """The same body for all, or a templated one; headers likewise."""
    lines = header_lines(header)
    if not (body.is_static and lines.is_static):
        return _templated(body, lines)
    block, payload = header_block(lines.format), body.format
    return lambda batch, first: [(reply, b"", block, payload) for _, reply, _, _ in batch if reply]


def _templated(body: Template, lines: Template) -> Respond:
    fill, fill_lines = body.fill, lines.fill
    same = header_block(lines.format) if lines.is_static else b""

    def respond(batch: list[Message], first: int) -> list[Message]:
        answers: list[Message] = []
        facts = Facts(0)  # one for all: making it takes as long as filling in a field
        for number, (subject, reply, _, payload) in enumerate(batch, first):
            if reply:
                facts.count, facts.subject, facts.request = number, subject, payload
                block = header_block(fill_lines(facts)) if same == b"" else same
                answers.append((reply, b"", block, fill(facts)))
        return answers

    return respond


def echo(header: HeaderTemplates) -> Respond:
    """What came, payload and header lines: `header` before them, NATS-Reply-Counter after, as the Go CLI does."""
    own = header_lines(header)
    format = b"%b%%b%%b%b: %%d\r\n\r\n" % (_START, headers.REPLY_COUNTER.encode())

    def respond(batch: list[Message], first: int) -> list[Message]:
        answers: list[Message] = []
        for number, (subject, reply, block, payload) in enumerate(batch, first):
            if reply:
                before = own.fill(Facts(number, subject, payload)) if header else b""
                came = _lines_of(block) if block else b""
                answers.append((reply, b"", format % (before, came, number), payload))
        return answers

    return respond


def header_lines(header: HeaderTemplates) -> Template:
    """All headers as one template of whole lines. A request put into a header cannot end its line."""
    if all(template.is_static for _, template in header):
        return Template(b"".join([b"%b: %b\r\n" % (name.encode(), t.format) for name, t in header]))
    lines, fields = [], []
    for name, template in header:
        format = template.format.replace(b"%", b"%%") if template.is_static else template.format
        lines.append(b"%b: %b\r\n" % (name.encode().replace(b"%", b"%%"), format))
        fields += [_on_one_line(field) for field in template.fields]
    return Template(b"".join(lines), tuple(fields))


def header_block(lines: bytes) -> bytes | None:
    """The header block of these lines, or none without lines."""
    return b"%b%b\r\n" % (_START, lines) if lines else None


def _on_one_line(field: Callable[[Facts], bytes]) -> Callable[[Facts], bytes]:
    return lambda facts: field(facts).translate(_ONE_LINE)


def _lines_of(block: bytes) -> bytes:
    """The lines of a header block; of one that is broken, or a status that only a server may send, none."""
    if block.startswith(_START) and block.endswith(b"\r\n\r\n"):
        return block[len(_START) : -2]
    return b""
