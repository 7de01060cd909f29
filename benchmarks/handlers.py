"""What the cases with `--handler` run."""

from __future__ import annotations

import time

from natscli import Request, endpoint

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


@endpoint("bench.*")
async def one(request: Request) -> bytes:  # noqa: ARG001
    """Answer all as one endpoint."""
    return b"OK"


async def ten(request: Request) -> bytes:  # noqa: ARG001
    """Answer the same as ten endpoints."""
    return b"OK"


for _digit in range(10):
    endpoint(f"bench.{_digit}")(ten)
