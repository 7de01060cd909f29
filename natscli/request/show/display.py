"""What a run of requests shows while it runs, and at its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter_ns
from typing import TYPE_CHECKING

from natscli.duration import format_duration
from natscli.environment import Environment
from natscli.errors import PynatsError, Report, explain
from natscli.message.recipe import Outgoing
from natscli.output.pump import Pump, Rendered, in_loop
from natscli.request.events import Prerendered, Received, Sent
from natscli.request.show.lines import RenderEvents
from natscli.request.show.rounds import Rounds
from natscli.request.show.style import LastLines, Replies, RequestStyle
from natscli.request.statistics import Statistics
from natscli.system.terminal import terminal_size

if TYPE_CHECKING:
    from natscli.message.status import Acknowledgement
    from natscli.programs.translate import Translator
    from natscli.request.phases import Phases
    from natscli.request.show.progress import Progress
    from natscli.request.show.translating import Translating
    from natscli.request.summary import Summary

#: Seconds from one picture of the progress to the next: drawing it takes time from receiving.
_TICK = 0.5
#: The cursor is at the beginning of the line of the progress bar, which is empty.
_EMPTY_LINE = b"\r\x1b[2K"
#: Of fewer replies, a histogram shows nothing.
_LEAST_FOR_HISTOGRAM = 10
#: How long (seconds) an interrupted run waits for a terminal that takes nothing.
_PATIENCE_INTERRUPTED = 0.1


class RequestDisplay:
    """Shows requests, replies and failures as they come, in that order, without holding up receiving.

    `style` says what is shown; `broken` is done when nothing can be shown any more.
    """

    def __init__(
        self,
        environment: Environment,
        render: RenderEvents,
        style: RequestStyle,
        translator: Translator | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._environment = environment
        self._style = style
        self._each, self._in_table = style.each, style.replies is Replies.TABLE
        self._translating = _translating(self, environment, translator) if translator is not None else None
        self._progress = progress
        self._ticker: asyncio.TimerHandle | None = None
        self._replies = 0
        self._slowest: Received | None = None
        self._acknowledged: Acknowledgement | None = None
        self._summed_up = self._interrupted = False
        self._loop = asyncio.get_running_loop()
        # Each saved file waits for the disk.
        self._pump = Pump(
            environment,
            lossy=False,
            on_failure=in_loop(self._break),
            renders_slowly=style.replies is Replies.FILES,
        )
        self._rounds = Rounds(self._pump, render, steady=style.steady)
        self.broken: asyncio.Future[PynatsError] = self._loop.create_future()

    @property
    def problem(self) -> PynatsError | None:
        """The first failure of the translation."""
        return self._translating.problem if self._translating is not None else None

    def catch_up(self, in_flight: int) -> None:
        """See `events.Observer`."""
        self._rounds.catch_up(in_flight)

    def is_behind(self) -> bool:
        """See `events.Observer`."""
        return self._rounds.is_behind or (self._translating is not None and self._translating.behind)

    def sending(self, requests: Sequence[Outgoing]) -> None:
        """See `events.Observer`."""
        if self._style.log:
            now = time.time()
            self._rounds.add([Sent(request.subject, request.number, now) for request in requests])

    def replies(self, replies: Sequence[Received]) -> None:
        """See `events.Observer`."""
        if not self._each:
            return
        if self._style.ending is LastLines.NOTHING and self._acknowledged is None:
            self._acknowledged = acknowledgement(replies)
        if self._in_table:
            self._replies += len(replies)
            self._slowest = max(filter(None, (self._slowest, *replies)), key=lambda reply: reply.rtt_ns)
        if self._translating is None:
            self._rounds.add(replies)
            return
        for reply in replies:
            self._translating.add(reply)

    def translated(self, reply: Received, error: PynatsError | None) -> None:
        """Show a reply that was translated, or, with the error, as it came."""
        self._rounds.add([reply])
        if error is not None:
            self.failed([Outgoing(reply.request, reply.subject, None, b"")], error)

    def failed(self, requests: Sequence[Outgoing], error: PynatsError) -> None:
        """See `events.Observer`."""
        if requests and not self._style.each and self._style.ending is not LastLines.NOTHING:
            return  # the summary has the number of each kind, with an example
        report = explain(error)
        if self._style.replies is Replies.JSON:
            about = [(request.subject, request.number) for request in requests] or [("", 0)]
            lines = b"".join([error_line(self._environment, report, *which) for which in about])
            self._rounds.add([Prerendered(b"", lines)])
        if self._style.ending is not LastLines.NOTHING and requests:
            which = f"#{requests[0].number}" if len(requests) == 1 else f"{len(requests)} requests"
            report = report.replace(message=f"[{which}] {report.message}")
        self._environment.error(report)

    def summary(self, statistics: Statistics) -> None:
        """Show once what became of many requests, or replies: also when `finish` is cancelled after it did."""
        if self._summed_up:
            return
        self._summed_up = True
        self._end_progress()
        if self._slowest is not None:
            self._environment.notice(replies_line(self._replies, self._slowest))
        if self._style.ending is not LastLines.NOTHING:
            self._sum_up(statistics.summary())
            return
        if self._acknowledged is not None:
            alone = self._style.one_reply and not statistics.failed
            self._environment.notice(acknowledged_line(self._acknowledged, alone=alone))
        if statistics.more:
            self._environment.notice(
                f"{statistics.more} more {'reply' if statistics.more == 1 else 'replies'} came"
            )

    def _sum_up(self, summary: Summary) -> None:
        from natscli.request.show import summary as output

        more = {
            "in flight at the end": summary.in_flight,
            "sent late": summary.late,
            "sent again": summary.retried,
            "acknowledged by a stream": summary.acknowledged,
            "more replies than asked for": summary.more,
        }
        failed = {kind: failures.count for kind, failures in summary.failed.items()}
        # Without a line for each failure, there is one example of each kind.
        examples = {} if self._style.each else {kind: f.example for kind, f in summary.failed.items()}
        lines = output.count_lines(summary.sent, summary.answered, failed, examples, more)
        if summary.timings:
            sizes = summary.bytes_sent, summary.bytes_received
            lines.append(output.rate_line(summary.rate, summary.seconds, *sizes))
            lines += output.rtt_lines(summary.timings, self._columns or None)
        if self._environment.log_json:
            self._environment.notice(lines[0], summary=summary.as_json())
            return
        for line in lines:
            self._environment.notice(line)
        if self._style.ending is LastLines.HISTOGRAM and summary.rtt.count >= _LEAST_FOR_HISTOGRAM:
            colored = self._environment.colored(self._environment.stderr)
            chart = output.histogram(summary.rtt.items(), colored=colored, columns=self._columns)
            self._log("".join(f"{line}\n" for line in chart).encode())

    def table(self, lines: Sequence[str]) -> None:
        """Show lines after the summary, unless --quiet."""
        for line in lines:
            self._environment.notice(line)

    def hint(self, text: str) -> None:
        """Show what may help after the last failure."""
        self._environment.hint(text)

    def phases(self, phases: Phases) -> None:
        """Show how long each phase of the run took."""
        from natscli.request.show.phases import record, table

        if self._style.replies is Replies.JSON:
            from natscli.output.json_lines import record_line

            line = record_line({"timings": record(*phases)}, time.time())
            self._rounds.add([Prerendered(b"", line)])
        elif self._environment.log_json:
            self._environment.notice("Timings", **record(*phases))
        elif not self._environment.quiet:
            colored = self._environment.colored(self._environment.stderr)
            self._log(table(*phases, columns=self._columns, colored=colored).encode())

    @property
    def _columns(self) -> int:
        """How wide the terminal is that the log goes to; 0 if it goes to none."""
        stderr = self._environment.stderr
        return terminal_size(stderr).columns if stderr.isatty() else 0

    def _interrupt(self, statistics: Statistics) -> None:
        """Show the summary instead of what is not shown yet."""
        self._interrupted = True
        self._end_progress()
        self._rounds.discard()
        self.summary(statistics)

    async def finish(self, statistics: Statistics) -> None:
        """Wait until all is shown, the summary too; as long as it takes, readers may be slow.

        Raises:
            PynatsError: it could not be shown.
        """
        if self._translating is not None:
            await self._translating.finish(self.broken)
        self.summary(statistics)
        self._rounds.flush()
        await self._pump.written(self.broken)
        if self.broken.done() and statistics.first_failure is not self.broken.result():
            raise self.broken.result()
        lost = self._pump.lost + (self._translating.lost if self._translating is not None else 0)
        if lost:
            raise PynatsError(f"replies not shown, because the output could not keep up: {lost}")

    @contextmanager
    def open(self, statistics: Callable[[], Statistics]) -> Iterator[None]:
        """Show what happens, and the log in its place among it, to the end of the block.

        `statistics` gives what is counted so far, in any thread: the progress shows it, and the end of an interrupted
        run.
        """
        with self._pump.taking_log(self._log):
            if self._progress is not None:
                self._ticker = self._loop.call_later(_TICK, self._tick, self._progress, statistics)
            try:
                yield
            except asyncio.CancelledError:
                self._interrupt(statistics())
                raise
            finally:
                self._end_progress()
                self._rounds.flush()
                self._pump.close(_PATIENCE_INTERRUPTED if self._interrupted else 1.0)

    def _log(self, data: bytes) -> None:
        """A line of the log, in its place; an `Environment.sink`."""
        if self.broken.done():
            self._pump.log(data)
            return
        self._rounds.add([Prerendered(_EMPTY_LINE + data if self._progress else data)])

    def _tick(self, progress: Progress, statistics: Callable[[], Statistics]) -> None:
        """Show the progress from time to time, in the thread that writes, unless that has other things to write."""

        def frame() -> Rendered:
            counts = statistics()
            if self._progress is None or not counts.started:
                return b"", b""
            failed = sum(counts.failed.values())
            seconds = (perf_counter_ns() - counts.started) / 1e9
            return progress.frame(counts.answered + failed, failed, seconds), b""

        if not self._pump.rendering:
            self._pump.put(frame, 0, 0)
        self._ticker = self._loop.call_later(_TICK, self._tick, progress, statistics)

    def _end_progress(self) -> None:
        if self._progress is not None:
            self._progress = None
            if self._ticker is not None:
                self._ticker.cancel()
            self._pump.put(lambda: (_EMPTY_LINE, b""), 0, 0)

    def _break(self, error: PynatsError) -> None:
        if not self.broken.done():
            self.broken.set_result(error)


def _translating(display: RequestDisplay, environment: Environment, translator: Translator) -> Translating:
    from natscli.request.show.translating import Translating

    return Translating(translator, display.translated, environment.warn)


def acknowledgement(replies: Sequence[Received]) -> Acknowledgement | None:
    """The first acknowledgement of a stream among `replies`."""
    for reply in replies:
        if reply.said.startswith(b'{"stream":'):
            from natscli.request.outcome import acknowledged

            if (found := acknowledged(reply.said, reply.subject)) is not None:
                return found
    return None


def replies_line(count: int, slowest: Received) -> str:
    """How many replies one request has had, and the slowest of them."""
    from natscli.message.status import responder
    from natscli.output.columns import crop

    who = crop(responder(slowest.header, slowest.said), 40)
    words = f"{count} {'reply' if count == 1 else 'replies'}, the slowest after"
    return f"{words} {format_duration(slowest.rtt_ns / 1e9)} (#{slowest.number}{f', {who}' if who else ''})"


def acknowledged_line(taken: Acknowledgement, *, alone: bool) -> str:
    """That a stream has taken the request; `alone`, that this is all that was waited for."""
    more = "; --replies 2 waits for a responder" if alone else ""
    return f"acknowledged by stream {taken.stream}, {taken.sequence}{more}"


def error_line(environment: Environment, report: Report, subject: str, request: int) -> bytes:
    """A failure as a line of JSON, without secrets; `request` is its number, 0 when the whole run failed."""
    from natscli.request.show import json

    clean = report.replace(message=environment.redactor.redact(report.message))
    return json.error_line(subject, request, clean, time.time(), ascii_only=environment.stdout.isatty())
