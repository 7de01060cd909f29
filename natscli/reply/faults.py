"""Bad days on demand: replies that come late."""

from __future__ import annotations

import asyncio
import random

from natscli.reply.responder import Batch, Done, Responder, Wrapper


class Delayed(Wrapper):
    """Answers each request after a random time, of `longest` seconds at most."""

    def __init__(self, inner: Responder, longest: float) -> None:
        super().__init__(inner)
        self.immediate = False
        self._longest = longest

    def respond(self, batch: Batch, done: Done) -> None:
        loop = asyncio.get_running_loop()
        for one in batch.single():
            loop.call_later(random.uniform(0, self._longest), self.inner.respond, one, done)
