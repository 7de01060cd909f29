"""Counts of messages by subject instead of the messages (`--report-subjects`)."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from itertools import islice
from operator import itemgetter

from natscli.environment import Environment
from natscli.output.messages import Message
from natscli.output.subjects import Row, Totals, redrawn, subject_lines, subject_table
from natscli.output.tables import Screen as Target
from natscli.subscribe.display import Screen

#: Subjects that are kept apart, and their bytes; messages on more are counted together, so that memory is bounded.
_MOST_SUBJECTS, _MOST_BYTES = 100_000, 16 * 1024 * 1024
#: How often (seconds) the table on a terminal is redrawn.
_REDRAW = 0.5
#: Lines of the table that are no subjects.
_FRAME = 7


class Report:
    """Counts messages and their bytes; shows the `top` subjects, on a terminal all the time, else at the end."""

    def __init__(self, environment: Environment, *, top: int, as_json: bool) -> None:
        self._environment = environment
        self._top = top
        self._as_json = as_json
        self._screen = Screen(environment, lambda *_: (b"", b""))
        self._messages: Counter[bytes] = Counter()
        self._sizes: Counter[bytes] = Counter()
        self._unnamed = self._unnamed_size = 0
        self._named = self._named_size = 0
        self._drawn = 0
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self.broken = self._screen.broken
        self.lost = 0
        if environment.stdout.isatty() and not as_json:
            self._redraw()

    def show(self, batch: list[Message], first: int, came: float, matched: bool = False) -> None:  # noqa: ARG002
        """See `Display`."""
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
        """See `Display`: show how it ended."""
        if self._timer is not None:
            self._timer.cancel()
        rows, totals = self.rows(self._top), self.totals()
        if self._as_json:
            text = subject_lines(rows, ascii_only=self._environment.stdout.isatty())
        else:
            text = redrawn(self._table(rows, totals), self._drawn)
        if not self.broken.done():
            self._screen.write(lambda: text.encode("utf-8", "replace"))
        await self._screen.finish()

    def close(self) -> None:
        """See `Display`."""
        if self._timer is not None:
            self._timer.cancel()
        self._screen.close()

    def rows(self, top: int) -> list[Row]:
        """The `top` subjects with the most messages, in that order."""
        ordered = sorted(self._messages.items(), key=lambda item: (-item[1], item[0]))[:top]
        return [
            Row(subject.decode("utf-8", "replace"), count, self._sizes[subject]) for subject, count in ordered
        ]

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

    def _table(self, rows: list[Row], totals: Totals) -> str:
        stdout = self._environment.stdout
        terminal = stdout.isatty()
        return subject_table(rows, totals, Target(terminal, self._environment.colored(stdout)))

    def _redraw(self) -> None:
        self._timer = self._loop.call_later(_REDRAW, self._redraw)
        if self._screen.idle:
            text = self._table(self.rows(min(self._top, self._room())), self.totals())
            frame = redrawn(text, self._drawn)
            self._drawn = text.count("\n")
            self._screen.write(lambda: frame.encode("utf-8", "replace"))

    def _room(self) -> int:
        """How many subjects fit on the terminal."""
        try:
            return max(os.get_terminal_size(self._environment.stdout.fileno()).lines - _FRAME, 1)
        except (OSError, ValueError):
            return self._top
