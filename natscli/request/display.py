"""What a run of requests shows while it runs, and at its end."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from natscli.environment import Environment
from natscli.errors import PynatsError, Report, explain
from natscli.message.recipe import Outgoing as Question
from natscli.output.pump import Pump
from natscli.output.replies import Lines, RenderEvents, Reply, Sent
from natscli.output.rounds import Rounds, size_of
from natscli.output.summary import summary_lines
from natscli.request.statistics import Statistics

if TYPE_CHECKING:
    from natscli.output.translate import Translator
    from natscli.request.phases import Phases

#: Replies that may wait for their translation before no more requests are sent.
_MOST_UNTRANSLATED = 256
#: Bytes of replies to one request that may wait for it.
_MOST_BYTES_UNTRANSLATED = 64 * 1024 * 1024
#: How long (seconds) an interrupted run waits for a terminal that takes nothing.
_PATIENCE_INTERRUPTED = 0.1


class RequestDisplay:
    """Shows requests, replies and failures as they come, in that order, without holding up who receives them.

    With `many` requests they are numbered, and summed up; `log_each` logs each when it is sent. `problem` is the
    first failure of the translation; the reply was shown as it came then. `broken` is done when nothing can be shown
    any more.
    """

    def __init__(
        self,
        environment: Environment,
        render: RenderEvents,
        *,
        log_each: bool,
        as_json: bool,
        many: bool,
        translator: Translator | None = None,
        steady: bool = False,
    ) -> None:
        self._environment = environment
        self._log_each = log_each and not environment.quiet
        self._as_json = as_json
        self._many = many
        self._translator = translator
        self._untranslated: deque[Reply] = deque()
        self._untranslated_bytes = self._lost = 0
        self._summed_up = self._interrupted = False
        self._translation: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._sink = environment.sink
        self._pump = Pump(environment, lossy=False, on_failure=self._on_failure)
        self._rounds = Rounds(self._pump, render, steady=steady)
        environment.sink = self._log
        self.broken: asyncio.Future[PynatsError] = self._loop.create_future()
        self.problem: PynatsError | None = None

    @property
    def behind(self) -> bool:
        """See `requester.Display`."""
        return self._rounds.behind or len(self._untranslated) >= _MOST_UNTRANSLATED

    def sending(self, question: Question) -> None:
        """See `requester.Display`."""
        if self._log_each:
            self._rounds.add(Sent(question.subject, question.number, time.time()))

    def reply(self, reply: Reply) -> None:
        """See `requester.Display`."""
        if self._translator is None:
            self._rounds.add(reply)
            return
        if self._untranslated_bytes > _MOST_BYTES_UNTRANSLATED:
            self._lost += 1
            return
        self._untranslated.append(reply)
        self._untranslated_bytes += size_of(reply)
        if self._translation is None or self._translation.done():
            self._translation = self._loop.create_task(self._translate(self._translator))

    def failed(self, questions: Sequence[Question], error: PynatsError) -> None:
        """See `requester.Display`."""
        report = explain(error)
        if self._as_json:
            about = [(q.subject, q.number) for q in questions] or [("", 0)]
            lines = b"".join([error_line(self._environment, report, *which) for which in about])
            self._rounds.add(Lines(b"", lines))
        if self._many and questions:
            which = f"#{questions[0].number}" if len(questions) == 1 else f"{len(questions)} requests"
            report = replace(report, message=f"[{which}] {report.message}")
        self._environment.error(report)

    def summary(self, statistics: Statistics) -> None:
        """Show once what became of many requests: also when `finish` is cancelled after it did."""
        if self._many and not self._summed_up:
            self._summed_up = True
            summary = statistics.summary()
            more = {
                "in flight at the end": summary.in_flight,
                "sent late": summary.late,
                "sent again": summary.retried,
            }
            for line in summary_lines(
                summary.sent, summary.answered, statistics.failed, summary.timings, more
            ):
                self._environment.notice(line)

    def phases(self, phases: Phases) -> None:
        """Show how long each phase of the run took."""
        from natscli.output.phases import record, table

        if self._as_json:
            from natscli.output.json_lines import record_line

            line = record_line({"timings": record(*phases)}, time.time())
            self._rounds.add(Lines(b"", line))
        elif not self._environment.quiet:
            bars = self._environment.stderr.isatty()
            colored = self._environment.colored(self._environment.stderr)
            self._log(table(*phases, bars=bars, colored=colored).encode())

    def interrupted(self, statistics: Statistics) -> None:
        """Show the summary instead of what is not shown yet."""
        self._interrupted = True
        self._rounds.discard()
        self.summary(statistics)

    async def finish(self, statistics: Statistics) -> None:
        """Wait until all is shown, the summary too; as long as it takes, readers may be slow.

        Raises:
            PynatsError: it could not be shown.
        """
        if self._translation is not None:
            await asyncio.wait((self._translation, self.broken), return_when=asyncio.FIRST_COMPLETED)
            if self._translation.done():
                self._translation.result()
        self.summary(statistics)
        self._rounds.flush()
        written = asyncio.Event()

        def after_the_rest() -> tuple[bytes, bytes]:
            self._loop.call_soon_threadsafe(written.set)
            return b"", b""

        self._pump.put(after_the_rest, 0, 0)
        waiting = self._loop.create_task(written.wait())
        await asyncio.wait((waiting, self.broken), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self.broken.done() and statistics.first_failure is not self.broken.result():
            raise self.broken.result()
        lost = self._lost + self._pump.lost
        if lost:
            raise PynatsError(f"replies not shown, because the output could not keep up: {lost}")

    def close(self) -> None:
        """Show no more; later lines of the log go straight to stderr."""
        self._rounds.flush()
        self._pump.close(_PATIENCE_INTERRUPTED if self._interrupted else 1.0)
        self._environment.sink = self._sink

    def _log(self, data: bytes) -> None:
        """A line of the log, in its place; an `Environment.sink`."""
        self._rounds.add(Lines(data))

    async def _translate(self, translator: Translator) -> None:
        while self._untranslated:
            reply = self._untranslated.popleft()
            self._untranslated_bytes -= size_of(reply)
            try:
                payload, log = await translator.run(reply.payload, reply.subject)
            except PynatsError as error:
                self.problem = self.problem or error
                self._rounds.add(reply)
                self.failed([Question(reply.request, reply.subject, None, b"")], error)
            else:
                for line in log.splitlines():
                    self._environment.warn(line)
                self._rounds.add(reply._replace(payload=payload))

    def _on_failure(self, error: BaseException) -> None:
        with suppress(RuntimeError):  # the loop may be closed by now
            self._loop.call_soon_threadsafe(self._break, PynatsError(explain(error).message))

    def _break(self, error: PynatsError) -> None:
        if not self.broken.done():
            self._environment.sink = self._sink
            self.broken.set_result(error)


def error_line(environment: Environment, report: Report, subject: str, request: int) -> bytes:
    """A failure as a line of JSON, without secrets; `request` is its number, 0 when the whole run failed."""
    from natscli.output import json_lines

    clean = replace(report, message=environment.redactor.redact(report.message))
    return json_lines.error_line(subject, request, clean, time.time(), ascii_only=environment.stdout.isatty())
