"""Waiting for a time, without ever losing a cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")

#: Seconds that cancelled work has to end; what does not is left behind.
_LAST_WAIT = 1.0


async def within(seconds: float | None, work: Awaitable[T]) -> T:
    """What `work` gives, if it is done within `seconds`; None waits without a limit.

    `asyncio.wait_for` of Python before 3.12 drops a cancellation that comes when the work has just ended, and nats-py
    drops some itself: a task that goes on so is never cancelled again, and `asyncio.run` waits for it for ever.

    Raises:
        asyncio.TimeoutError: the time is over; the work is cancelled.
        asyncio.CancelledError: whoever waits was cancelled, and the work with it.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait((task,), timeout=seconds)
    except asyncio.CancelledError:
        await _end(task)
        raise
    if not task.done():
        await _end(task)
    if task.cancelled() or not task.done():
        raise asyncio.TimeoutError
    return task.result()


async def _end(task: asyncio.Future[T]) -> None:
    task.cancel()
    if not task.done():
        await asyncio.wait((task,), timeout=_LAST_WAIT)
    if task.done() and not task.cancelled():
        task.exception()  # or asyncio says that nobody has asked for it
