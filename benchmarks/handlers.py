"""What the cases with `--handler` run."""

from __future__ import annotations

import time

from natscli import Request

#: Seconds of a core that `compute` takes.
_WORK = 0.001


async def ok(request: Request) -> bytes:  # noqa: ARG001
    """Answer without waiting for anything."""
    return b"OK"


def plain(request: Request) -> bytes:  # noqa: ARG001
    """The same, in a thread."""
    return b"OK"


def compute(request: Request) -> bytes:  # noqa: ARG001
    """Use a core for a while."""
    end = time.thread_time() + _WORK
    while time.thread_time() < end:
        pass
    return b"OK"
