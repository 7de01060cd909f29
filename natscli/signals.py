"""Stopping: the first signal asks, the second insists, the third forces."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, TypeVar

from natscli.errors import Terminated

T = TypeVar("T")


class Stop:
    """Calls `handler` in the running loop at the first SIGINT, SIGTERM or SIGHUP; the second cancels the current task.

    A third is a KeyboardInterrupt. The second is none, because where it hits the loop between two steps one of them
    is lost, and the end may wait for it forever. Set `blocking` when the task is about to block the loop, as for a
    slow terminal: then the second is one too. `number` is the last signal. A SIGHUP that is ignored, as nohup has it,
    stays ignored.
    """

    def __init__(self, handler: Callable[[], object] | None = None) -> None:
        """Without a handler the first signal cancels the current task."""
        task = asyncio.current_task()
        assert task is not None
        self.number = 0
        self.blocking = False
        self._loop = asyncio.get_running_loop()
        self._cancel = task.cancel
        self._handler = handler or task.cancel
        self._times = 0
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and (name != "SIGHUP" or signal.getsignal(number) != signal.SIG_IGN):
                signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self.number = number
        self._times += 1
        if self._times > 2 or (self._times > 1 and self.blocking) or self._loop.is_closed():
            raise KeyboardInterrupt
        self._loop.call_soon_threadsafe(self._handler if self._times == 1 else self._cancel)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` in an event loop of its own. A signal cancels it, unless it makes a `Stop` of its own.

    Raises:
        KeyboardInterrupt: it was cancelled so; Terminated, if not by Ctrl-C.
    """
    stops: list[Stop] = []

    async def main() -> T:
        stops.append(Stop())
        return await work

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        terminated = stops[0].number not in (0, signal.SIGINT)
        raise (Terminated if terminated else KeyboardInterrupt) from None
