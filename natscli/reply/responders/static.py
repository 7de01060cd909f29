"""Answers every request with the same body, or with a template filled in for each."""

from __future__ import annotations

from natscli.environment import Environment
from natscli.message.header_lines import HeaderTemplates, header_block, header_lines
from natscli.message.message import Message
from natscli.message.templates import Facts, Template, compile_template
from natscli.reply.options import ReplyOptions, header_templates
from natscli.reply.responders.responder import Batch, Done, Responder


def static(body: Template, header: HeaderTemplates) -> Responder:
    """The same body for all, or a templated one; headers likewise."""
    lines = header_lines(header)
    return Static(body, lines) if body.is_static and lines.is_static else Templated(body, lines)


class Static(Responder):
    """The same body and headers for all."""

    immediate = True

    def __init__(self, body: Template, lines: Template) -> None:
        self._block, self._payload = header_block(lines.format), body.format

    def respond(self, batch: Batch, done: Done) -> None:
        block, payload = self._block, self._payload
        done(batch, [(reply, b"", block, payload) for _, reply, _, _ in batch.requests], None)


class Templated(Responder):
    """A body and headers that are filled in for each request."""

    immediate = True

    def __init__(self, body: Template, lines: Template) -> None:
        self._fill, self._fill_lines = body.fill, lines.fill
        self._same = header_block(lines.format) if lines.is_static else b""

    def respond(self, batch: Batch, done: Done) -> None:
        fill, fill_lines, same = self._fill, self._fill_lines, self._same
        replies: list[Message] = []
        facts = Facts(0)  # one for all: making it takes as long as filling in a field
        for number, (subject, reply, _, payload) in enumerate(batch.requests, batch.first):
            facts.count, facts.subject, facts.request = number, subject, payload
            block = header_block(fill_lines(facts)) if same == b"" else same
            replies.append((reply, b"", block, fill(facts)))
        done(batch, replies, None)


def build(options: ReplyOptions, environment: Environment) -> Responder:  # noqa: ARG001
    """Answer with BODY."""
    body = compile_template(options.body or "", "BODY", reply=True, enabled=options.templates)
    return static(body, header_templates(options))
