"""Whether the requesters of several replies are still there, which only the server knows.

Now and then a reply has a reply subject of ours: there the server answers when nobody listens (503).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any

from natscli.message import headers
from natscli.message.in_flight import random_tokens
from natscli.message.message import Message
from natscli.reply.responders.responder import Failure
from natscli.text import exact

GONE = Failure(499, "the requester is gone", notice="")
#: Replies that the server does not take: the request is counted as undelivered then, and as no error.
REFUSED = Failure(403, "the server does not take the replies", notice="")
STOPPING = Failure(503, "the responder is stopping", notice="")

#: Bytes that may wait for a connection, and seconds until it is looked again whether they still do.
_MOST_WAITING, _PAUSE = 1024 * 1024, 0.01
#: Seconds between two replies to a request that ask whether somebody listens.
_LOOK = 0.25


class Presence:
    """Calls `gone` with the token of a request whose requester has left; `client` is the connection's."""

    def __init__(self, client: Any, gone: Callable[[bytes], None]) -> None:
        self._client = client
        self._gone = gone
        self._tokens = random_tokens()
        self._looked: dict[bytes, float] = {}
        self._inbox = b""
        self._subscribing: asyncio.Task[None] | None = None

    def begin(self) -> bytes:
        """A token for a request that gets several replies."""
        if self._subscribing is None:
            self._subscribing = asyncio.get_running_loop().create_task(self._subscribe())
        token = next(self._tokens)
        self._looked[token] = monotonic()
        return token

    def end(self, token: bytes) -> None:
        """Forget a request that is answered."""
        self._looked.pop(token, None)

    def look(self, token: bytes) -> bytes:
        """The reply subject of the next reply to the request with this token; mostly none."""
        now = monotonic()
        if not self._inbox or now - self._looked[token] < _LOOK:
            return b""
        self._looked[token] = now
        return self._inbox + token

    def refused(self, text: str) -> bool:
        """Whether `text`, what the server does not permit, is about these reply subjects: then nobody asks any more."""
        if not self._inbox or exact(self._inbox[:-1]).lower() not in text.lower():
            return False
        self._inbox = b""
        return True

    async def _subscribe(self) -> None:
        inbox = self._client.new_inbox()
        self._inbox = f"{inbox}.".encode()
        await self._client.subscribe_batches(f"{inbox}.*", "", self._on_answers)

    def _on_answers(self, messages: list[Message], arrived: int) -> None:  # noqa: ARG002
        for subject, _, block, payload in messages:
            token = subject[len(self._inbox) :]
            if token in self._looked and headers.status(block) == "503" and not payload:
                self._gone(token)


async def room(client: Any) -> None:
    """Wait until the connection takes more: replies without end would fill the memory."""
    await client.written()
    while client.pending_data_size > _MOST_WAITING:
        await asyncio.sleep(_PAUSE)
