"""Keeps requests and their replies in a file (`--record`), as `reply` and `watch` do."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence

from natscli.environment import Environment
from natscli.errors import ExitStatus, PynatsError
from natscli.message.exchange import Answer, Exchange, Outcome
from natscli.message.formats.format import Content, Format
from natscli.message.recipe import Outgoing
from natscli.message.records.file import Recording
from natscli.message.status import read_problem
from natscli.request.events import Observer, Received, is_last
from natscli.request.options import Expectation
from natscli.text import exact_bytes

#: Requests whose replies may still come; of more, the first are written as they are.
_MOST_OPEN = 10_000


class RequestRecorder:
    """Observes for `observer`, and records what it sees. What a request waits for says when it is done."""

    def __init__(
        self,
        observer: Observer,
        expect: Expectation,
        path: str,
        environment: Environment,
        form: Format | None = None,
    ) -> None:
        """Open the file. What is in the messages of a format is recorded.

        Raises:
            InputError: it cannot be written, or its last line is incomplete.
        """
        self.broken = observer.broken
        self._observer = observer
        self._until_empty = expect.until_empty
        self._last = 0 if expect.until_empty else expect.replies or expect.most
        self._form = form
        self._recording = Recording(path, environment.warn)
        self._open: OrderedDict[int, tuple[Outgoing, float, list[Answer]]] = OrderedDict()

    def catch_up(self, in_flight: int) -> None:
        """See `Observer`."""
        self._observer.catch_up(in_flight)

    def is_behind(self) -> bool:
        """See `Observer`."""
        return self._observer.is_behind()

    def sending(self, requests: Sequence[Outgoing]) -> None:
        """See `Observer`."""
        now = time.time()
        for request in requests:
            self._open[request.number] = self._opened(request), now, []
            if len(self._open) > _MOST_OPEN:
                self._end(next(iter(self._open)))
        self._observer.sending(requests)

    def replies(self, replies: Sequence[Received]) -> None:
        """See `Observer`."""
        for reply in replies:
            self.keep(reply)
        self._observer.replies(replies)

    def end(self, reply: Received) -> None:
        """Take what only ends the others and is not shown; in some formats it is not one of them."""
        if self._form is not None and self._form.several:
            self._end(reply.request)
        else:
            self.keep(reply)

    def keep(self, reply: Received) -> None:
        """Record a reply."""
        found = self._open.get(reply.request)
        if found is not None:
            content = Content(reply.header, reply.said)
            if self._form is not None:
                content = self._form.recorded(content)
            found[2].append(Answer(reply.rtt_ns, *content))
            if len(found[2]) == self._last or self._is_last(reply):
                self._end(reply.request)

    def _is_last(self, reply: Received) -> bool:
        return self._until_empty and is_last(
            reply.subject, reply.header, reply.payload, reply.message_subject
        )

    def _opened(self, request: Outgoing) -> Outgoing:
        if self._form is None:
            return request
        return request._replace(payload=self._form.shown(Content(request.header, request.payload)))

    def failed(self, requests: Sequence[Outgoing], error: PynatsError) -> None:
        """See `Observer`."""
        outcome = {ExitStatus.NO_RESPONDERS: Outcome.NO_RESPONDERS, ExitStatus.TIMEOUT: Outcome.UNANSWERED}
        for request in requests:
            if error.status in outcome or self._open.get(request.number, (0, 0, None))[2]:
                self._end(request.number, outcome.get(error.status, Outcome.UNANSWERED))
            else:  # it was not sent, or the connection was lost: nothing is known of its reply
                self._open.pop(request.number, None)
        self._observer.failed(requests, error)

    async def finish(self) -> None:
        """Write those that had replies.

        Raises:
            PynatsError: not everything could be recorded.
        """
        for number in [number for number, (_, _, answers) in self._open.items() if answers]:
            self._end(number)
        await self._recording.finish()

    def _end(self, number: int, outcome: Outcome = Outcome.UNANSWERED) -> None:
        request, came, answers = self._open.pop(number, (None, 0.0, []))
        if request is None:
            return
        problems = [read_problem(answer.header, answer.payload, request.subject) for answer in answers]
        error = next(filter(None, problems), None)
        if answers:
            outcome = Outcome.ANSWERED if error is None else Outcome.ERROR
        self._recording.add(
            [
                Exchange(
                    number, came, exact_bytes(request.subject), b"", request.header, request.payload,
                    tuple(answers), outcome, error,
                )
            ]
        )  # fmt: skip
