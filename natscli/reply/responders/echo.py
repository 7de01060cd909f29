"""Answers requests with what they hold."""

from __future__ import annotations

from natscli.environment import Environment
from natscli.message import headers
from natscli.message.header_lines import START, HeaderTemplates, header_lines
from natscli.message.message import Message
from natscli.message.templates import Facts
from natscli.reply.options import ReplyOptions, header_templates
from natscli.reply.responders.responder import Batch, Done, Responder


class Echo(Responder):
    """Payload and header lines of the request: `header` before them, NATS-Reply-Counter after, as the Go CLI does."""

    immediate = True

    def __init__(self, header: HeaderTemplates) -> None:
        self._own = header_lines(header) if header else None
        self._format = b"%b%%b%%b%b: %%d\r\n\r\n" % (START, headers.REPLY_COUNTER.encode())

    def respond(self, batch: Batch, done: Done) -> None:
        format, own = self._format, self._own
        replies: list[Message] = []
        for number, (subject, reply, block, payload) in enumerate(batch.requests, batch.first):
            before = own.fill(Facts(number, subject, payload)) if own else b""
            came = _lines_of(block) if block else b""
            replies.append((reply, b"", format % (before, came, number), payload))
        done(batch, replies, None)


def _lines_of(block: bytes) -> bytes:
    """The lines of a header block; of one that is broken, or a status that only a server may send, none."""
    if block.startswith(START) and block.endswith(b"\r\n\r\n"):
        return block[len(START) : -2]
    return b""


def build(options: ReplyOptions, environment: Environment) -> Responder:
    """Answer with an echo; it is what happens when nothing else is asked for, too."""
    if not options.echo:
        environment.log("No body or command given: requests are echoed")
    return Echo(header_templates(options))
