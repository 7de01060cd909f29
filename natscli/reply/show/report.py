"""When statistics are shown: at the end, when a signal asks for them, and with `--stats` all the time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import partial

from natscli.environment import Environment
from natscli.output.live import Live
from natscli.output.pump import Pump, Rendered
from natscli.reply.figures import Figures
from natscli.reply.reporter import Reporter
from natscli.reply.show.panel import json_line, line, panel, record

#: Seconds between two drawings of the panel, between two lines where there is none, and that a rate is measured over.
_REDRAW, _LINE, _NOW = 0.2, 10.0, 1.0


class StatisticsReporter(Reporter):
    """Shows what `figures` gives for the seconds of a run; with `live` all the time, in a panel on a terminal."""

    def __init__(
        self,
        environment: Environment,
        figures: Callable[[float], Figures],
        title: str,
        *,
        live: bool = False,
        as_json: bool = False,
    ) -> None:
        self._environment = environment
        self._figures = figures
        self._title = title
        self._as_json = as_json
        self._live = Live(environment.stderr) if live and environment.draws_on(environment.stderr) else None
        self.wrap = self._live.wrap if self._live is not None else None
        self.interval = (_REDRAW if self._live else _LINE) if live else 0.0
        self._started = 0.0
        self._before: deque[tuple[float, int]] = deque()
        self._pump: Pump | None = None
        self._drawing = False

    def begin(self, pump: Pump) -> None:
        """Count the seconds from now on; show the panel in what `pump` writes."""
        self._started, self._pump = time.monotonic(), pump

    @property
    def has_panel(self) -> bool:
        """Whether it draws, below what else is written."""
        return self._live is not None

    @property
    def begun(self) -> bool:
        """Whether there is something to show."""
        return self._started > 0

    def tick(self) -> None:
        """Draw the panel again, or write a line if there is something new."""
        quiet_before = self._before[-1][1] if self._before else 0
        figures = self._measured()
        if self._live is None:
            if figures.answered != quiet_before or figures.in_flight:
                self._write(figures, self._environment.log)
            return
        if self._pump is not None and not self._drawing:
            self._drawing = True
            self._pump.put(partial(self._draw, figures), 0, 0)

    def write(self) -> None:
        """Write the statistics to the log, --quiet or not."""
        self._write(self._figures(self._seconds), self._environment.warn)

    def end(self) -> None:
        """Draw the panel a last time."""
        if self._started and self._live is not None:
            self.tick()

    def summarize(self) -> None:
        """Write the statistics as the last line, unless it never began or is to be quiet."""
        if self._started and not self._environment.quiet:
            self._write(self._figures(self._seconds), self._environment.notice)

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._started

    def _measured(self) -> Figures:
        """The figures, with the rate over the last `_NOW` seconds."""
        figures, now, before = self._figures(self._seconds), time.monotonic(), self._before
        while len(before) > 1 and now - before[1][0] >= _NOW:
            before.popleft()
        then, answered = before[0] if before else (self._started, 0)
        before.append((now, figures.answered))
        return figures._replace(rate_now=(figures.answered - answered) / max(now - then, 1e-3))

    def _draw(self, figures: Figures) -> Rendered:
        assert self._live is not None
        figures = figures._replace(last_error=self._environment.redactor.redact(figures.last_error))
        colored = self._environment.colored(self._environment.stderr)
        self._live.update(lambda width: panel(figures, self._title, width=width, colored=colored))
        self._drawing = False
        return b"", b""

    def _write(self, figures: Figures, write: Callable[..., None]) -> None:
        clean = figures._replace(last_error=self._environment.redactor.redact(figures.last_error))
        if self._environment.log_json:
            write(line(figures), statistics=record(clean))
            return
        if not self._as_json:
            write(line(figures))
            return
        ascii_only = self._environment.stderr.isatty()
        self._environment.sink(json_line(clean, ascii_only=ascii_only))
