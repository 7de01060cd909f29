"""Answers as JSON objects, as a mock file has them and the program of --pipe writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from natscli.duration import parse_duration
from natscli.message.headers import read_service_error
from natscli.message.message import Message
from natscli.message.records.content import (
    NOTHING,
    Path,
    RecordProblem,
    check_keys,
    is_error,
    parse_error,
    parse_headers,
    parse_payload,
    template,
)
from natscli.message.templates import Facts, Template
from natscli.reply.responders.responder import Failure, reported

#: The keys of a reply.
KEYS = ("data", "json", "data_base64", "headers", "headers_base64", "status", "error", "delay")


@dataclass(frozen=True)
class AnswerTemplate:
    """A header block, which may be empty for none, and a payload, after `delay` seconds; or no reply at all.

    `failure` is the error that it reports, if it does. `more` are sent to the same request after it.
    """

    block: Template = NOTHING
    payload: Template = NOTHING
    delay: float = 0.0
    failure: Failure | None = None
    silent: bool = False
    more: tuple[AnswerTemplate, ...] = ()

    def reply(self, request: Message, number: int) -> Message:
        """The reply to a request."""
        subject, to, _, payload = request
        facts = Facts(number, subject, payload)
        return to, b"", self.block.fill(facts) or None, self.payload.fill(facts)


def parse_answer(value: Any, path: Path, templates: bool) -> AnswerTemplate:
    """The answer that `value`, which is at `path`, stands for; its `templates` are compiled, or left as they are.

    Raises:
        RecordProblem: it stands for none.
    """
    if value is None:
        return AnswerTemplate(silent=True)
    if isinstance(value, str):
        return AnswerTemplate(payload=template(value, path, templates))
    check_keys(value, path, KEYS)
    block = parse_headers(value, path, templates)
    failure = _failure(value, path) if is_error(value) else _said(block.format)
    return AnswerTemplate(block, parse_payload(value, path, templates), _delay(value, path), failure)


def _failure(value: dict[str, Any], path: Path) -> Failure:
    code, text = parse_error(value, path)
    return Failure(code, text, notice="")


def _said(block: bytes) -> Failure | None:
    error = read_service_error(block)
    return None if error is None else reported(*error)


def _delay(value: dict[str, Any], path: Path) -> float:
    delay = value.get("delay", 0)
    try:
        if isinstance(delay, str) or type(delay) in (int, float):
            return parse_duration(str(delay))
        raise ValueError("a delay is a duration such as 200ms, or a number of seconds")
    except ValueError as error:
        raise RecordProblem(str(error), (*path, "delay")) from None
