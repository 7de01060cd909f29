"""What watching shows: exchanges as they end, or a table of them by subject, say, and at the end what was seen."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING

from natscli.environment import Environment
from natscli.errors import PynatsError
from natscli.message.exchange import Exchange, Outcome
from natscli.message.message import memory
from natscli.output.live import Live
from natscli.output.pump import Pump, in_loop
from natscli.output.tables import Screen
from natscli.system.terminal import terminal_size
from natscli.text import bytes_for_people
from natscli.watch.grouping import grouping
from natscli.watch.options import WatchOptions
from natscli.watch.show.exchanges import RenderExchanges
from natscli.watch.show.table import lines, table
from natscli.watch.statistics import ExchangeStatistics, StatisticsRow

if TYPE_CHECKING:
    import asyncio

    from natscli.watch.show.page import WatchPage

#: Bytes that are rendered at once.
_MOST_AT_ONCE = 256 * 1024
#: Seconds between two drawings of the table, which the rates in it are of.
_REDRAW = 1.0
_OUTCOME = attrgetter("outcome")


class ExchangeDisplay:
    """Shows `options.count` exchanges, then calls `stop`; also, with the reason, when nothing can be shown any more.

    `outcomes` are of all exchanges that were seen up to the last that is shown, `shown` is how many were, `seen` the
    number of the last one seen, `rows` are the last of --stats. Of those that the options select, those are shown for
    which `where` holds; `record` gets them too.
    """

    def __init__(
        self,
        options: WatchOptions,
        environment: Environment,
        render: RenderExchanges,
        stop: Callable[[PynatsError | None], None],
        where: Callable[[Exchange], bool] | None = None,
        record: Callable[[list[Exchange]], None] | None = None,
    ) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self.shown = self.seen = 0
        self.page: WatchPage | None = None
        self.rows: list[StatisticsRow] = []
        self._options = options
        self._grouping = grouping(options.by)
        self._statistics = ExchangeStatistics(self._grouping) if options.stats else None
        self._selection = options.selection
        self._record = record
        self._where = where
        self._environment = environment
        self._render = render
        self._stop = stop
        draws = options.stats and not options.as_json and options.report != "-"
        self._live = Live.on_stdout(environment) if draws else None
        wrap = self._live.wrapping(environment) if self._live is not None else None
        self._pump = Pump(environment, lossy=options.read is None, on_failure=in_loop(stop), wrap=wrap)
        self._began = self._drawn = time.monotonic()

    def show(self, exchanges: list[Exchange]) -> None:
        """Show those of `exchanges` that are wanted; the rest is counted."""
        selected = [exchange for exchange in exchanges if self._selection(exchange)]
        if self._where is not None:
            selected = list(filter(self._where, selected))
        count = self._options.count
        if count and self.shown + len(selected) >= count:
            selected = selected[: count - self.shown]
            exchanges = _up_to(selected, exchanges)
            self._stop(None)
        self.outcomes.update(map(_OUTCOME, exchanges))
        self.seen = exchanges[-1].number if exchanges else self.seen
        self.shown += len(selected)
        if self._record is not None:
            self._record(selected)
        if self._statistics is None:
            for part, size in _parts(selected):
                self._pump.put(partial(self._render, part), len(part), size)
            return
        self._statistics.add(selected)
        if self.page is not None:
            self.page.add(selected, time.perf_counter_ns())
        if self._live is None or self._options.read is not None:
            return
        if (seconds := time.monotonic() - self._drawn) >= _REDRAW:
            self._drawn += seconds
            most = terminal_size(self._environment.stdout).lines
            self._draw(self._live, self._statistics.recent_rows(seconds, most))

    async def written(self, broken: asyncio.Future[None], *, all_of_it: bool = False) -> None:
        """Wait until there is room for more, or nothing is left to write; or until `broken` is done."""
        if self._pump.behind or all_of_it:
            await self._pump.written(broken)

    @contextmanager
    def open(self) -> Iterator[None]:
        """Show what comes, and the log in its place among it, to the end of the block; then show the last.

        Raises:
            PynatsError: it could not be shown.
        """
        with self._pump.taking_log():
            try:
                yield
            finally:
                self._show_last()
        self._pump.check()

    def _show_last(self) -> None:
        if self._statistics is not None:
            seconds = time.monotonic() - self._began if self._options.read is None else self._statistics.span
            rows = self.rows = self._statistics.rows(seconds)
            if self._live is not None:
                self._draw(self._live, rows)
            elif self._options.report != "-":
                self._pump.put(lambda: (b"", self._whole(rows)), 0, 0)

    def _draw(self, live: Live, rows: list[StatisticsRow]) -> None:
        title, screen, heading = self._options.title, Screen.of(self._environment), self._grouping.heading

        def draw(columns: int) -> str:
            return live.fitting(lambda shown: table(shown, title, screen, columns, heading), rows)

        self._pump.put(lambda: (b"", live.frame(draw)), 1, 10_000)

    def _whole(self, rows: list[StatisticsRow]) -> bytes:
        """All `rows`, where nothing was drawn before."""
        if self._options.as_json:
            ascii_only = self._environment.stdout.isatty()
            return lines(rows, member=self._grouping.member, ascii_only=ascii_only)
        screen, heading = Screen.of(self._environment), self._grouping.heading
        return bytes_for_people(table(rows, self._options.title, screen, heading=heading))


def _up_to(shown: list[Exchange], exchanges: list[Exchange]) -> list[Exchange]:
    """Those of `exchanges` up to the last of `shown`, which are some of them."""
    end = next((i for i, exchange in enumerate(exchanges, 1) if exchange is shown[-1]), 0) if shown else 0
    return exchanges[:end]


def _parts(exchanges: list[Exchange]) -> Iterator[tuple[list[Exchange], int]]:
    """`exchanges` in parts that take little memory to render, with the size of each."""
    part: list[Exchange] = []
    size = 0
    for exchange in exchanges:
        part.append(exchange)
        size += _size(exchange)
        if size > _MOST_AT_ONCE:
            yield part, size
            part, size = [], 0
    if part:
        yield part, size


def _size(exchange: Exchange) -> int:
    """About the bytes of memory that an exchange takes."""
    answers = sum(memory(answer.header, answer.payload) for answer in exchange.answers)
    return memory(exchange.header, exchange.payload) + answers
