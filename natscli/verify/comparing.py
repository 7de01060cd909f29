"""Compares replies with recorded ones: at once, or large ones in a thread, so that others are read meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue

from natscli.message.exchange import Answer, Exchange
from natscli.message.records.compare import Comparison, Difference

#: Bytes of payloads, recorded ones and others, whose comparison may take a tenth of a second.
_LARGE = 256 * 1024

Done = Callable[[list[Difference]], None]


class Comparing:
    """Compares as `comparison` says. `pending` is how many comparisons are not done yet."""

    def __init__(self, comparison: Comparison) -> None:
        self.pending = 0
        self._comparison = comparison
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[tuple[Exchange, Sequence[Answer], str, Done]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def compare(self, exchange: Exchange, answers: Sequence[Answer], no_responders: str, done: Done) -> None:
        """Call `done` with what differs, now or later."""
        if not _is_much(exchange.answers, answers):
            done(self._comparison.differences(exchange, answers, no_responders=no_responders))
            return
        self.pending += 1
        self._jobs.put((exchange, tuple(answers), no_responders, done))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="comparing", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: the program is about to end
            while True:
                exchange, answers, no_responders, done = self._jobs.get()
                found = self._comparison.differences(exchange, answers, no_responders=no_responders)
                self._loop.call_soon_threadsafe(self._done, done, found)

    def _done(self, done: Done, found: list[Difference]) -> None:
        self.pending -= 1
        done(found)


def _is_much(recorded: Sequence[Answer], answers: Sequence[Answer]) -> bool:
    """Whether comparing takes long: payloads are large, and not the same bytes."""
    size = sum([len(answer.payload) for answer in recorded]) + sum(
        [len(answer.payload) for answer in answers]
    )
    return size > _LARGE and [a.payload for a in recorded] != [a.payload for a in answers]
