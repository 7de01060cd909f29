"""Answers from a file: recorded replies to the same request, then rules by subject."""

from __future__ import annotations

import asyncio
from functools import lru_cache

from natscli.environment import Environment
from natscli.errors import InputError
from natscli.message.subjects import covers, has_wildcard, overlap
from natscli.message.templates import Template
from natscli.reply.options import ReplyOptions
from natscli.reply.responders.parts.answers import AnswerTemplate
from natscli.reply.responders.parts.mock_file import MockFile, read
from natscli.reply.responders.responder import Batch, Done, Failure, Host, Place, Responder
from natscli.text import exact


class Mock(Responder):
    """Answers as a file says, and with 404 what nothing in it matches.

    The replies to the same subject and payload come in their order, and the last of them from then on.
    """

    def __init__(self, mock: MockFile, name: str) -> None:
        self.places = tuple(map(Place, mock.subjects))
        answers = [answer for queue in mock.recorded.values() for answer in queue]
        answers += [answer for _, answer in mock.rules]
        self.immediate = not any(answer.delay for answer in answers)
        self._recorded = mock.recorded
        self._rules = mock.rules
        self._rule = lru_cache(4096)(self._find_rule)
        failure = Failure(
            404, "no reply to this request", notice=f"answered with 404: nothing in {name!r} matches"
        )
        self._unmatched = AnswerTemplate(
            Template(failure.reply((b"", b"", None, b""))[2] or b""), failure=failure
        )

    async def start(self, host: Host) -> None:
        self._send = host.send

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
        numbered = list(
            zip(answers, batch.requests, range(batch.first, batch.first + len(answers)), strict=True)
        )
        done(
            batch, [answer.reply(request, number) for answer, request, number in numbered], answers[0].failure
        )
        if more := [one.reply(r, n) for answer, r, n in numbered for one in answer.more]:
            self._send(more)

    def _find(self, subject: bytes, payload: bytes) -> AnswerTemplate:
        recorded = self._recorded.get((subject, payload))
        if recorded is None:
            return self._rule(subject)
        return recorded.popleft() if len(recorded) > 1 else recorded[0]

    def _find_rule(self, subject: bytes) -> AnswerTemplate:
        text = exact(subject)
        return next((answer for pattern, answer in self._rules if covers(pattern, text)), self._unmatched)


def build(options: ReplyOptions, environment: Environment) -> Mock:
    """Answer as --mock says.

    Raises:
        InputError: the file cannot be read, or has a mistake, with line and column; or its requests would come twice.
    """
    path = options.mock or ""
    mock = read(path, environment.stdin, templates=options.templates)
    for place in mock.left_out:
        environment.warn(f"left out, because no request should have that subject: {place}")
    if options.subject is None and not options.group:
        known = mock.subjects
        for pattern in filter(has_wildcard, known):
            both = next((other for other in known if other != pattern and overlap(pattern, other)), None)
            if both is not None:
                raise InputError(
                    f"a request may match both {pattern!r} and {both!r}, and would come twice",
                    where=path,
                    hint="without a queue group, give SUBJECT",
                )
    return Mock(mock, path)
