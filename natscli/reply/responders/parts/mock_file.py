"""Reads what `--mock` answers with: recorded exchanges, and rules written by hand, as JSON objects."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from natscli.errors import InputError
from natscli.message import headers, subjects
from natscli.message.exchange import Outcome
from natscli.message.records.content import RecordProblem, check_text
from natscli.message.records.reading import (
    Values,
    as_record,
    check_record,
    open_file,
    replies_of,
    request_of,
)
from natscli.message.templates import Template
from natscli.reply.responders.parts.answers import AnswerTemplate, parse_answer
from natscli.reply.responders.responder import Failure

#: What a server says when there are no responders; a requester takes it for that.
_NO_RESPONDERS = AnswerTemplate(
    Template(headers.LINE + b" 503\r\n\r\n"), failure=Failure(503, "no responders", notice="")
)


@dataclass(frozen=True)
class MockFile:
    """The answers by subject and payload, and the rules by subject, both in the order of the file.

    `left_out` is the places of requests that were recorded, and that nobody should send.
    """

    recorded: dict[tuple[bytes, bytes], deque[AnswerTemplate]] = field(default_factory=dict)
    rules: list[tuple[str, AnswerTemplate]] = field(default_factory=list)
    subjects: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def read(path: str, stdin: BinaryIO | None = None, *, templates: bool = True) -> MockFile:
    """The exchanges and rules of a file; `templates` of rules are compiled, or left as they are. `-` is `stdin`.

    Raises:
        InputError: it cannot be read, or is not as it should be, with line and column.
    """
    mock = MockFile()
    known: list[str] = []
    with open_file(path, "--mock", stdin) as file:
        for found in Values(path, file):
            try:
                subject, request, answer = _exchange(as_record(found.value), templates)
            except RecordProblem as problem:
                if problem.path == ("subject",) and "time" in found.value:
                    mock.left_out.append(found.place(("subject",)))
                    continue
                raise found.refuse(problem) from None
            known.append(subject)
            if request is None:
                mock.rules.append((subject, answer))
            else:
                mock.recorded.setdefault((subject.encode(), request), deque()).append(answer)
    if not known:
        raise InputError("there is nothing to answer with", where=path)
    mock.subjects.extend(subjects.minimal(known))  # requests of the others would come twice
    return mock


def _exchange(record: Any, templates: bool) -> tuple[str, bytes | None, AnswerTemplate]:
    """The subject, the payload that is asked for (None for any: a rule), and the answer."""
    check_record(record)
    subject, literal = check_text(record["subject"], ("subject",)), "request" in record
    try:
        (subjects.check_publish_subject if literal else subjects.check_subscribe_subject)(subject)
    except InputError as error:
        raise RecordProblem(error.what, ("subject",)) from None
    request = request_of(record["request"])[1] if literal else None
    templates = templates and not literal
    answers = [parse_answer(_without_rtt(reply), path, templates) for reply, path in replies_of(record)]
    if not answers:
        silent = record.get("outcome") != Outcome.NO_RESPONDERS.value
        return subject, request, AnswerTemplate(silent=True) if silent else _NO_RESPONDERS
    return subject, request, replace(answers[0], more=tuple(answers[1:]))


def _without_rtt(reply: Any) -> Any:
    """A reply without the time that it took, which several replies to one request have."""
    return {k: v for k, v in reply.items() if k != "rtt_ns"} if isinstance(reply, dict) else reply
