"""Stopping: the first signal asks, the second insists."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from types import FrameType


def on_stop(handler: Callable[[], None]) -> None:
    """Call `handler` in the running loop at the first SIGINT, SIGTERM or SIGHUP; a later one is a KeyboardInterrupt.

    It interrupts whatever the main thread does then, waiting for a slow terminal included. A SIGHUP that is ignored,
    as nohup has it, stays ignored.
    """
    loop = asyncio.get_running_loop()
    asked = False

    def receive(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        nonlocal asked
        if asked or loop.is_closed():
            raise KeyboardInterrupt
        asked = True
        loop.call_soon_threadsafe(handler)

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and (name != "SIGHUP" or signal.getsignal(number) != signal.SIG_IGN):
            signal.signal(number, receive)
