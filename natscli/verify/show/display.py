"""What a verification shows while it runs, and at its end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from natscli.duration import format_duration
from natscli.environment import Environment
from natscli.errors import PynatsError
from natscli.histogram import Histogram
from natscli.message.records.compare import Comparison
from natscli.message.records.left_out import LeftOut
from natscli.output.pump import Pump, in_loop
from natscli.output.terminal import Painter
from natscli.text import bytes_for_people
from natscli.verify.cases import Case
from natscli.verify.options import VerifyOptions
from natscli.verify.show.lines import people, programs
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
_REFUSED = "that the server would not take"


class Display:
    """Shows results, and counts them: `held`, `differed` by kind of difference, `failed` in all, `updated`."""

    def __init__(
        self, options: VerifyOptions, environment: Environment, comparison: Comparison, total: int
    ) -> None:
        self.held = self.failed = self.updated = 0
        self.kinds: Counter[str] = Counter()
        #: What was not sent, by why.
        self.unfit = LeftOut()
        self.rtt = Histogram()
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
            _progress(environment, total) if environment.stderr.isatty() and not options.quiet else None
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
        self.rtt.record_all([result.answers[0].rtt_ns for result in results if result.answers])
        differing = [result for result in results if result.differences]
        self.held += len(results) - len(differing)
        now = time.time()
        for result in differing:
            self.kinds.update({difference.kind for difference in result.differences})
            if self.update is not None and self.update.add(result, now):
                self.updated += 1
            else:
                self.failed += 1
        shown = results if self._as_json else differing
        if shown and self._shown:
            self._put(shown)
        if self._progress is not None and time.monotonic() - self._drawn > _TICK:
            self._drawn = time.monotonic()
            done, seconds = self.held + self.failed + self.updated, self._drawn - self._began
            frame = self._progress.frame(done, self.failed, seconds)
            self._pump.put(lambda: (frame, b""), 0, 0)

    def refused(self, case: Case, why: str) -> None:
        """Count and name a case that the server would not take."""
        self.unfit.add(_REFUSED)
        if self.unfit.counts[_REFUSED] <= _MOST_LINES:
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

    def sum_up(self, total: int, seconds: float) -> None:
        """Show what held and what did not, of `total` that could be sent."""
        if self._progress is not None:
            self._pump.put(lambda: (_EMPTY_LINE, b""), 0, 0)
        done = self.held + self.failed + self.updated
        notice = self._environment.notice
        parts = [f"{self.held:,} held"]
        parts += [f"{self.failed:,} differed"] if self.failed else []
        parts += [f"{self.updated:,} updated"] if self.updated else []
        total -= self.unfit.counts[_REFUSED]
        rest = f", {total - done:,} not verified" if done < total else ""
        notice(f"Verified {done:,} exchange{'s' * (done != 1)}: {', '.join(parts)}{rest}")
        if self.kinds:
            notice(f"Differences: {', '.join(_counted(*pair) for pair in self.kinds.most_common())}")
        for left_out in self.unfit:
            notice(f"Not sent: {left_out}")
        if self.rtt.count:
            p50, p99 = (format_duration(ns / 1e9) for ns in self.rtt.percentiles((50.0, 99.0)))
            rate = done / seconds if seconds else 0.0
            longest = format_duration(self.rtt.largest / 1e9)
            took = format_duration(seconds)
            notice(f"{rate:,.0f} requests/s in {took}, RTT p50 {p50}, p99 {p99}, max {longest}")

    def _break(self, error: PynatsError) -> None:
        if not self.broken.done():
            self.broken.set_result(error)


def _counted(kind: str, count: int) -> str:
    """How many differences of a kind, in words: `1 reply`, `2 headers`."""
    one = {"replies": "reply", "rtt": "RTT"}.get(kind, kind)
    many = {"replies": "replies", "status": "statuses"}.get(kind, f"{one}s")
    return f"{count:,} {one if count == 1 else many}"


def _progress(environment: Environment, total: int) -> Progress:
    from natscli.request.show.progress import Progress

    colored = environment.colored(environment.stderr)
    return Progress(environment.stderr, count=total, duration=0.0, colored=colored)
