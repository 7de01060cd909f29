"""What a run of requests shows while it runs, and at its end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from natscli.environment import Environment
from natscli.errors import PynatsError, explain
from natscli.output import json_lines
from natscli.output.pump import Pump, write_all
from natscli.output.replies import RenderReply, Reply
from natscli.output.summary import summary_lines
from natscli.request.requester import Tally
from natscli.request.source import Question
from natscli.request.timings import timings

#: Turns a payload, of a reply to the subject, into what is shown of it; may raise PynatsError.
Translate = Callable[[bytes, str], bytes]


class RequestDisplay:
    """Shows replies and failures as they come. With `several` requests they are numbered, and summed up.

    `problem` is the first failure of the translation; the reply was shown as it came then.
    """

    def __init__(
        self,
        environment: Environment,
        render: RenderReply,
        pump: Pump | None,
        *,
        tell: bool,
        as_json: bool,
        several: bool,
        translate: Translate | None = None,
    ) -> None:
        self._environment = environment
        self._render = render
        self._pump = pump
        self._tell = tell
        self._as_json = as_json
        self._several = several
        self._translate = translate
        self.problem: PynatsError | None = None

    @property
    def behind(self) -> bool:
        """See `requester.Display`."""
        return self._pump is not None and self._pump.behind

    def sending(self, question: Question) -> None:
        """See `requester.Display`."""
        if self._tell:
            number = f"[#{question.number}] " if self._several else ""
            self._environment.say(f"{number}Sending request on [{question.subject}]")

    def reply(self, reply: Reply) -> None:
        """See `requester.Display`."""
        if self._translate is not None:
            try:
                reply = reply._replace(payload=self._translate(reply.payload, reply.subject))
            except PynatsError as error:
                self._environment.error(explain(error))
                self.problem = self.problem or error
        self._put(partial(self._render, reply), len(reply.payload))

    def failed(self, question: Question, error: PynatsError) -> None:
        """See `requester.Display`."""
        report = explain(error)
        if self._as_json:
            record = json_lines.error_record(question.subject, question.number, report)
            self._put(lambda: (b"", json_lines.line(record)), 100)
        self._environment.error(report)

    def summary(self, tally: Tally) -> None:
        """The end of a run of several."""
        if self._several:
            for line in summary_lines(tally.sent, tally.answered, tally.failed, timings(tally.rtts)):
                self._environment.note(line)

    def _put(self, render: Callable[[], tuple[bytes, bytes]], size: int) -> None:
        if self._pump is not None:
            self._pump.put(render, 1, size)
            return
        story, data = render()
        if story:
            self._environment.sink(story)
        write_all(self._environment.stdout, data)
