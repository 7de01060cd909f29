"""Stopping: the first signal asks, the second insists."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from types import FrameType


def on_stop(handler: Callable[[], None]) -> None:
    """Call `handler` in the running loop at the first SIGINT or SIGTERM; any later one is a KeyboardInterrupt.

    It interrupts whatever the main thread does then, waiting for a slow terminal included.
    """
    loop = asyncio.get_running_loop()
    asked = False

    def receive(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        nonlocal asked
        if asked or loop.is_closed():
            raise KeyboardInterrupt
        asked = True
        loop.call_soon_threadsafe(handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, receive)
