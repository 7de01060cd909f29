"""What a verification shows while it runs, and at its end."""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from natscli.environment import Environment
from natscli.errors import PynatsError
from natscli.message.records.compare import Comparison
from natscli.output.pump import Pump, in_loop
from natscli.output.terminal import Painter
from natscli.text import bytes_for_people
from natscli.verify.cases import Case
from natscli.verify.counts import REFUSED, VerifiedCounts
from natscli.verify.options import VerifyOptions
from natscli.verify.show.lines import people, programs
from natscli.verify.show.summary import lines
from natscli.verify.verified import VerifiedCase

if TYPE_CHECKING:
    from natscli.request.show.progress import Progress
    from natscli.verify.show.junit import JUnit
    from natscli.verify.show.page import VerifyPage
    from natscli.verify.update import Update

#: Lines about requests that the server would not take, at most; the rest is counted.
_MOST_LINES = 20
#: Seconds from one picture of the progress to the next; the line of the bar, emptied.
_TICK = 0.5
_EMPTY_LINE = b"\r\x1b[2K"


class Display:
    """Shows results, and counts them."""

    def __init__(
        self, options: VerifyOptions, environment: Environment, comparison: Comparison, counts: VerifiedCounts
    ) -> None:
        self.counts = counts
        self.junit: JUnit | None = None
        self.page: VerifyPage | None = None
        self.update: Update | None = None
        self.broken: asyncio.Future[PynatsError] = asyncio.get_running_loop().create_future()
        self._environment = environment
        self._as_json = options.as_json
        self._shown = "-" not in (options.report, options.junit)
        painter = Painter(colored=environment.colored(environment.stdout))
        self._render = programs if options.as_json else people(painter, comparison.ignored)
        self._pump = Pump(environment, lossy=False, on_failure=in_loop(self._break))
        self._progress = (
            _progress(environment, counts.total)
            if environment.stderr.isatty() and not options.quiet
            else None
        )
        self._began = self._drawn = time.monotonic()

    @property
    def behind(self) -> bool:
        """Whether what came is still to be shown."""
        return self._pump.behind

    def open(self) -> AbstractContextManager[None]:
        """Write what is shown, and the log in its place among it, to the end of the block."""
        return self._pump.taking_log()

    def show(self, results: list[VerifiedCase]) -> None:
        """Count and show these."""
        if self.junit is not None:
            self.junit.add_all(results)
        if self.page is not None:
            self.page.add_all(results)
        counts = self.counts
        counts.rtt.record_all([result.answers[0].rtt_ns for result in results if result.answers])
        differing = [result for result in results if result.differences]
        counts.held += len(results) - len(differing)
        now = time.time()
        for result in differing:
            counts.kinds.update({difference.kind for difference in result.differences})
            if self.update is not None and self.update.add(result, now):
                counts.updated += 1
            else:
                counts.failed += 1
        shown = results if self._as_json else differing
        if shown and self._shown:
            self._put(shown)
        if self._progress is not None and time.monotonic() - self._drawn > _TICK:
            self._drawn = time.monotonic()
            frame = self._progress.frame(counts.done, counts.failed, self._drawn - self._began)
            self._pump.put(lambda: (frame, b""), 0, 0)

    def refused(self, case: Case, why: str) -> None:
        """Count and name a case that the server would not take."""
        self.counts.unfit.add(REFUSED)
        if self.counts.unfit.counts[REFUSED] <= _MOST_LINES:
            self._environment.warn(f"not sent: {why} ({case.file}, line {case.line})")

    def _put(self, results: list[VerifiedCase]) -> None:
        clear = _EMPTY_LINE if self._progress is not None else b""
        size = sum(len(a.payload) for result in results for a in result.answers)
        self._pump.put(
            lambda: (clear, bytes_for_people("".join(map(self._render, results)))), len(results), size
        )

    async def finish(self) -> None:
        """Wait until all is shown.

        Raises:
            PynatsError: it could not be.
        """
        await self._pump.written(self.broken)
        if self.broken.done():
            raise self.broken.result()

    def sum_up(self, seconds: float) -> None:
        """Show what held and what did not, in this time."""
        if self._progress is not None:
            self._pump.put(lambda: (_EMPTY_LINE, b""), 0, 0)
        said = lines(self.counts, seconds, self.update.unchanged if self.update is not None else ())
        self._environment.notice(next(said), summary=self.counts.as_json(seconds))
        for line in said:
            self._environment.notice(line)

    def _break(self, error: PynatsError) -> None:
        if not self.broken.done():
            self.broken.set_result(error)


def _progress(environment: Environment, total: int) -> Progress:
    from natscli.request.show.progress import Progress

    colored = environment.colored(environment.stderr)
    return Progress(environment.stderr, count=total, duration=0.0, colored=colored)
