"""Payloads in files, one a reply (`-o`)."""

from __future__ import annotations

from collections.abc import Callable

from natscli.request.events import Received
from natscli.system.files import write_whole


def saver(pattern: str, *, many_requests: bool, many_replies: bool) -> Callable[[Received], bytes]:
    """Writes the payload of each reply to a file of its own and leaves nothing for stdout.

    `{n}` in `pattern` is the number of the request, that of the reply to the only one, or both: `2.1`.
    """

    def save(reply: Received) -> bytes:
        numbers = [str(reply.request)] if many_requests else []
        numbers += [str(reply.number)] if many_replies or not many_requests else []
        write_whole(pattern.replace("{n}", ".".join(numbers)), reply.payload)
        return b""

    return save
