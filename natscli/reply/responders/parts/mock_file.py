"""Reads what `--mock` answers with: recorded exchanges, and rules written by hand, as JSON objects."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from natscli.errors import InputError
from natscli.message import headers, subjects
from natscli.message.exchange import Outcome
from natscli.message.records.content import RecordProblem, Unfit, UnfitSubject, check_keys, check_text
from natscli.message.records.left_out import LeftOut
from natscli.message.records.reading import (
    Found,
    Values,
    as_record,
    check_record,
    open_file,
    replies_of,
    request_of,
)
from natscli.message.subject_tree import SubjectTree
from natscli.message.templates import Template
from natscli.reply.responders.parts.answers import AnswerTemplate, parse_answer
from natscli.reply.responders.parts.mock_rules import ANY, Rule
from natscli.reply.responders.responder import Failure

_UNHEARD = "that only a SUBJECT with a wildcard takes"
#: What a server says when there are no responders; a requester takes it for that.
_NO_RESPONDERS = AnswerTemplate(
    Template(headers.LINE + b" 503\r\n\r\n"), failure=Failure(503, "no responders", notice="")
)


#: The subject, the payload that is asked for, and the answers in turn.
_Recorded = tuple[str, bytes, list[AnswerTemplate]]
_TOKEN = re.compile(r"\{\{\s*(\d+)\s*\}\}")


@dataclass(frozen=True)
class MockFile:
    """The answers by subject and payload, and the rules, both in the order of the file.

    `notes` say what was left out, because nobody can ask or answer it, and what can hardly be meant.
    """

    recorded: dict[tuple[bytes, bytes], deque[AnswerTemplate]] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)
    subjects: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read(
    path: str, stdin: BinaryIO | None = None, *, templates: bool = True, listens: bool = True,
    subject_of: Callable[[str], str] = str,
) -> MockFile:  # fmt: skip
    """The exchanges and rules of a file; `templates` of rules are compiled, or left as they are. `-` is `stdin`.

    Where it `listens` on the subjects of the file, recorded requests on what cannot be listened on are left out.
    `subject_of` gives what one in the file stands for; it may raise InputError.

    Raises:
        InputError: it cannot be read, or is not as it should be, with line and column.
    """
    mock = MockFile()
    known: list[str] = []
    left_out = LeftOut()
    with open_file(path, "--mock", stdin) as file:
        for found in Values(path, file):
            entry = _entry_of(found, templates, listens, left_out, subject_of)
            if isinstance(entry, Rule):
                entry.place = found.place(("subject",))
                mock.rules.append(entry)
                mock.notes.extend(_missing_tokens(entry, found.value) if templates else ())
                known.append(entry.subject)
            elif entry is not None:
                subject, request, answers = entry
                mock.recorded.setdefault((subject.encode(), request), deque()).extend(answers)
                known.append(subject)
    if not known:
        what = "there is nothing to answer with"
        raise InputError(f"{what}: {left_out}") if left_out else InputError(what, where=path)
    mock.subjects.extend(subjects.minimal(known))  # requests of the others would come twice
    mock.notes.extend(_hidden(mock.rules))
    if left_out:
        mock.notes.insert(0, f"left out: {left_out}")
    return mock


def _can_be_listened_on(subject: str) -> bool:
    """Whether there may be a subscription to a subject that requests came on: `a.b*` is taken by `a.*` only."""
    if "*" in subject or ">" in subject:
        try:
            subjects.check_subscribe_subject(subject)
        except InputError:
            return False
    return True


def _hidden(rules: list[Rule]) -> Iterator[str]:
    """What to say of rules behind others that answer all that they would."""
    tree: SubjectTree[str] = SubjectTree()  # of rules that take all
    for rule in rules:
        before = tree.covering(rule.subject)
        if before:
            yield f"{rule.place}: this rule never answers, because {before[0]!r} before it does"
        elif rule.takes_all:
            tree.add(rule.subject, rule.subject)


def _missing_tokens(rule: Rule, record: Any) -> Iterator[str]:
    """What to say of `{{3}}` where no subject has such a token."""
    tokens = rule.subject.split(".")
    if tokens[-1] != ">":
        for found in dict.fromkeys(_TOKEN.findall(json.dumps(record.get("reply")))):
            if len(found) < 9 and int(found) >= len(tokens):
                yield f"{rule.place}: a subject like {rule.subject!r} has no token {{{{{found}}}}}"


def _entry_of(
    found: Found, templates: bool, listens: bool, left_out: LeftOut, subject_of: Callable[[str], str]
) -> _Recorded | Rule | None:
    """See `_entry`; None for what is left out. Raises InputError."""
    try:
        entry = _entry(as_record(found.value), templates, subject_of)
    except Unfit as unfit:
        left_out.add(unfit.why, found.first_line)
        return None
    except RecordProblem as problem:
        raise found.refuse(problem) from None
    if listens and not isinstance(entry, Rule) and not _can_be_listened_on(entry[0]):
        left_out.add(_UNHEARD, found.first_line)
        return None
    return entry


def _entry(record: Any, templates: bool, subject_of: Callable[[str], str]) -> _Recorded | Rule:
    """A rule, or the subject, the payload that is asked for, and the answers in turn."""
    check_record(record)
    wanted = record.get("request", ANY)
    is_rule = wanted is ANY or (isinstance(wanted, dict) and "json" in wanted)
    subject = check_text(record["subject"], ("subject",))
    try:
        subject = subject_of(subject)
        (subjects.check_subscribe_subject if is_rule else subjects.check_publish_subject)(subject)
    except InputError as error:
        raise (RecordProblem if is_rule else UnfitSubject)(error.what, ("subject",)) from None
    answers = _answers(record, templates and is_rule)
    if not is_rule:
        return subject, request_of(wanted)[1], answers
    if wanted is not ANY:
        check_keys(wanted, ("request",), ("json",))
    return Rule(subject, deque(answers), ANY if wanted is ANY else wanted["json"])


def _answers(record: dict[str, Any], templates: bool) -> list[AnswerTemplate]:
    """The answers of an exchange or a rule, in turn: one, unless `reply` is a list."""
    if isinstance(record.get("reply"), list):
        if not record["reply"]:
            raise RecordProblem("expected at least one reply", ("reply",))
        each = enumerate(record["reply"])
        return [parse_answer(reply, ("reply", index), templates) for index, reply in each]
    answers = [parse_answer(_without_rtt(reply), path, templates) for reply, path in replies_of(record)]
    if not answers:
        silent = record.get("outcome") != Outcome.NO_RESPONDERS.value
        return [AnswerTemplate(silent=True) if silent else _NO_RESPONDERS]
    return [replace(answers[0], more=tuple(answers[1:]))]


def _without_rtt(reply: Any) -> Any:
    """A reply without the time that it took, which several replies to one request have."""
    return {k: v for k, v in reply.items() if k != "rtt_ns"} if isinstance(reply, dict) else reply
