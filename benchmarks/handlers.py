"""What the cases with `--handler` run."""

from __future__ import annotations

from natscli import Request


async def ok(request: Request) -> bytes:  # noqa: ARG001
    """Answer without waiting for anything."""
    return b"OK"


def plain(request: Request) -> bytes:  # noqa: ARG001
    """The same, in a thread."""
    return b"OK"
