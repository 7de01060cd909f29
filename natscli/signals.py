"""Signals as events of the loop, on every platform."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable


def on_signals(handler: Callable[[], None], *names: str) -> None:
    """Call `handler` in the running loop whenever one of the signals (`"SIGINT"`, `"SIGTERM"`) arrives."""
    loop = asyncio.get_running_loop()
    for name in names:
        number = getattr(signal, name)
        try:
            loop.add_signal_handler(number, handler)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(handler) and None)
