"""Answers from a file: recorded replies to the same request, then rules by subject."""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial

from natscli.environment import Environment
from natscli.errors import InputError
from natscli.message.formats import subject_of
from natscli.message.json_values import canonical
from natscli.message.subjects import meeting, overlap
from natscli.message.templates import Template
from natscli.reply.options import ReplyOptions
from natscli.reply.responders.parts.answers import AnswerTemplate
from natscli.reply.responders.parts.mock_file import MockFile, read
from natscli.reply.responders.parts.mock_rules import Rules
from natscli.reply.responders.responder import Batch, Done, Failure, Place, Responder

#: Notes that are logged one by one.
_MOST_NOTES = 10


class Mock(Responder):
    """Answers as a file says, and with 404 what nothing in it matches.

    The replies to the same subject and payload come in their order, and the last of them from then on; so do those of a
    rule.
    """

    def __init__(self, mock: MockFile, name: str) -> None:
        self.places = tuple(map(Place, mock.subjects))
        failure = Failure(
            404, "no reply to this request", notice=f"answered with 404: nothing in {name!r} matches"
        )
        self._unmatched = AnswerTemplate(
            Template(failure.reply((b"", b"", None, b""))[2] or b""), failure=failure
        )
        self.use(mock)
        answers = [answer for queue in mock.recorded.values() for answer in queue]
        answers += [answer for rule in mock.rules for answer in rule.answers]
        self.immediate = not any(part.delay for answer in answers for part in (answer, *answer.more))

    def use(self, mock: MockFile) -> None:
        """Answer as another file says."""
        self._recorded = mock.recorded
        self._by_value: dict[tuple[bytes, bytes], deque[AnswerTemplate]] = {}
        for (subject, request), answers in mock.recorded.items():
            value = canonical(request)
            if value is not None:
                self._by_value.setdefault((subject, value), answers)
        self._rules = Rules(mock.rules)

    def respond(self, batch: Batch, done: Done) -> None:
        answers = [self._find(subject, payload) for subject, _, _, payload in batch.requests]
        taken = 0
        for _, part in batch.runs((answer.failure, answer.silent, bool(answer.delay)) for answer in answers):
            ours, taken = answers[taken : taken + len(part.requests)], taken + len(part.requests)
            if not ours[0].delay:
                self._answer(part, ours, done)
                continue
            for one, answer in zip(part.single(), ours, strict=True):
                asyncio.get_running_loop().call_later(answer.delay, self._answer, one, [answer], done)

    def _answer(self, batch: Batch, answers: list[AnswerTemplate], done: Done) -> None:
        if answers[0].silent:
            done(batch, [], None)
            return
        if any(answer.more for answer in answers):
            for one, answer in zip(batch.single(), answers, strict=True):
                self._answer_in_parts(one, answer, done)
            return
        numbered = zip(answers, batch.requests, range(batch.first, batch.first + len(answers)), strict=True)
        done(
            batch, [answer.reply(request, number) for answer, request, number in numbered], answers[0].failure
        )

    def _answer_in_parts(self, one: Batch, answer: AnswerTemplate, done: Done, sent: int = 0) -> None:
        """Send what is left after the parts that are `sent`, each after its delay, that of the first aside."""
        parts = (answer, *answer.more)
        for index in range(sent, len(parts)):
            reply = parts[index].reply(one.requests[0], one.first)
            if index + 1 == len(parts):
                failures = (part.failure for part in parts)
                done(one, [reply], next(filter(None, failures), None))
                return
            done(one, [reply], None, more=True)
            if delay := parts[index + 1].delay:
                later = partial(self._answer_in_parts, one, answer, done, index + 1)
                asyncio.get_running_loop().call_later(delay, later)
                return

    def _find(self, subject: bytes, payload: bytes) -> AnswerTemplate:
        answers = self._recorded.get((subject, payload))
        if answers is None and self._by_value:
            value = canonical(payload)
            answers = None if value is None else self._by_value.get((subject, value))
        if answers is None:
            rule = self._rules.first(subject, payload)
            answers = None if rule is None else rule.answers
        if answers is None:
            return self._unmatched
        return answers.popleft() if len(answers) > 1 else answers[0]


def build(options: ReplyOptions, environment: Environment) -> Responder:
    """Answer as --mock says.

    Raises:
        InputError: the file cannot be read, or has a mistake, with line and column; or its requests would come twice.
    """
    path = options.mock or ""
    again = partial(
        read, path, templates=options.templates, listens=options.subject is None,
        subject_of=subject_of(options.format),
    )  # fmt: skip
    mock = again(environment.stdin)
    check = partial(_check_meeting, options)
    check(mock)
    _log_notes(mock, options, environment)
    if not options.reload:
        return Mock(mock, path)
    from natscli.reply.responders.parts.mock_reload import ReloadingMock

    return ReloadingMock(Mock(mock, path), path, check, again)


def _check_meeting(options: ReplyOptions, mock: MockFile) -> None:
    """Refuse subjects of which two match one request, which would come twice: a queue group gives it to one."""
    both = meeting(mock.subjects) if options.subject is None and not options.group else None
    if both is not None:
        raise InputError(
            f"a request may match both {both[0]!r} and {both[1]!r}, and would come twice",
            where=options.mock or "",
            hint="without a queue group, give SUBJECT",
        )


def _log_notes(mock: MockFile, options: ReplyOptions, environment: Environment) -> None:
    """Say what can hardly be meant."""
    for note in mock.notes[:_MOST_NOTES]:
        environment.warn(note)
    if more := len(mock.notes[_MOST_NOTES:]):
        environment.warn(f"and {more} more of the kind")
    if options.subject is not None and not any(overlap(options.subject, known) for known in mock.subjects):
        environment.warn(f"nothing in {options.mock!r} answers on {options.subject!r}")
