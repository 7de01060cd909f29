"""Counts of messages by subject instead of the messages (`--report-subjects`)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from heapq import nsmallest
from itertools import islice
from operator import itemgetter

from natscli.environment import Environment
from natscli.message.message import Message
from natscli.output.live import Live
from natscli.output.tables import Screen
from natscli.subscribe.show.display import MessageDisplay
from natscli.subscribe.show.subjects import MessageCount, Totals, subject_lines, subject_table
from natscli.text import bytes_for_people, exact

#: Subjects that are kept apart, and their bytes; messages on more are counted together, so that memory is bounded.
_MOST_SUBJECTS, _MOST_BYTES = 100_000, 16 * 1024 * 1024
#: How often (seconds) the table on a terminal is redrawn.
_REDRAW = 0.5


class SubjectReport:
    """Counts messages and their bytes; shows the `top` subjects, on a terminal all the time, else at the end."""

    def __init__(self, environment: Environment, *, top: int, as_json: bool) -> None:
        self._environment = environment
        self._top = top
        self._as_json = as_json
        self._live = None if as_json else Live.on_stdout(environment)
        wrap = self._live.wrapping(environment) if self._live is not None else None
        self._display = MessageDisplay(environment, lambda *_: (b"", b""), wrap)
        self._messages: Counter[bytes] = Counter()
        self._sizes: Counter[bytes] = Counter()
        self._unnamed = self._unnamed_size = 0
        self._named = self._named_size = 0
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self.broken = self._display.broken
        if self._live is not None:
            self._timer = self._loop.call_later(_REDRAW, self._redraw, self._live)

    def show(self, batch: list[Message], first: int, came: float, matched: bool = False) -> None:  # noqa: ARG002
        """See `Destination`."""
        if self._named >= _MOST_SUBJECTS or self._named_size >= _MOST_BYTES:
            batch = self._known(batch)
        self._messages.update(map(itemgetter(0), batch))
        if added := len(self._messages) - self._named:
            self._named += added
            self._named_size += sum(map(len, islice(reversed(self._messages), added)))
        sizes = self._sizes
        for subject, _, _, payload in batch:
            sizes[subject] += len(payload)

    async def finish(self) -> None:
        """See `Destination`: show how it ended."""
        if self._timer is not None:
            self._timer.cancel()
        live, rows, table = self._live, self.rows(self._top), self._table()
        if live is not None:
            self._display.write(lambda: live.frame(lambda _: table(rows)))
        else:
            ascii_only = self._environment.stdout.isatty()
            text = subject_lines(rows, ascii_only=ascii_only) if self._as_json else table(rows)
            self._display.write(lambda: bytes_for_people(text))
        await self._display.finish()

    @contextmanager
    def open(self) -> Iterator[None]:
        """See `Destination`."""
        with self._display.open():
            try:
                yield
            finally:
                if self._timer is not None:
                    self._timer.cancel()

    def rows(self, top: int) -> list[MessageCount]:
        """The `top` subjects with the most messages, in that order."""
        ordered = nsmallest(top, self._messages.items(), key=lambda item: (-item[1], item[0]))
        return [MessageCount(exact(subject), count, self._sizes[subject]) for subject, count in ordered]

    def totals(self) -> Totals:
        """Of all subjects, also those that `rows` leaves out."""
        return Totals(
            len(self._messages), sum(self._messages.values()) + self._unnamed,
            sum(self._sizes.values()) + self._unnamed_size, self._unnamed,
        )  # fmt: skip

    def _known(self, batch: list[Message]) -> list[Message]:
        """The messages of `batch` whose subjects are kept apart; the others are counted together."""
        known = [message for message in batch if message[0] in self._messages]
        self._unnamed += len(batch) - len(known)
        self._unnamed_size += sum(len(message[3]) for message in batch) - sum(len(m[3]) for m in known)
        return known

    def _table(self) -> Callable[[Sequence[MessageCount]], str]:
        """What makes the table of some rows, with the totals of now."""
        return partial(subject_table, totals=self.totals(), screen=Screen.of(self._environment))

    def _redraw(self, live: Live) -> None:
        self._timer = self._loop.call_later(_REDRAW, self._redraw, live)
        if self._display.idle:
            rows, table = self.rows(self._top), self._table()
            self._display.write(lambda: live.frame(lambda _: live.fitting(table, rows)))
