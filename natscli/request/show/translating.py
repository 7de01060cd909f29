"""Replies on their way through the command of `--translate`, one after the other, in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from natscli.errors import PynatsError
from natscli.message.message import memory
from natscli.programs.translate import Translator
from natscli.request.events import Received

#: Replies, and bytes of them, that may wait for their translation before no more requests are sent.
_ENOUGH, _ENOUGH_BYTES = 256, 4 * 1024 * 1024
#: Bytes that may wait for it in all: those of several replies to one request, and of what is in flight.
_MOST_BYTES = 64 * 1024 * 1024


class Translating:
    """Hands on each reply with what the command wrote for it, or, with the error, as it came.

    `problem` is the first error, and `lost` is how many replies there was no room for.
    """

    def __init__(
        self,
        translator: Translator,
        hand_on: Callable[[Received, PynatsError | None], None],
        log: Callable[[str], None],
    ) -> None:
        """`log` gets the lines that the command wrote to stderr."""
        self.problem: PynatsError | None = None
        self.lost = 0
        self._translator = translator
        self._hand_on = hand_on
        self._log = log
        self._waiting: deque[Received] = deque()
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def behind(self) -> bool:
        """Whether no more requests should be sent."""
        return len(self._waiting) >= _ENOUGH or self._bytes >= _ENOUGH_BYTES

    def add(self, reply: Received) -> None:
        """Translate `reply`, after those before it."""
        if self._bytes > _MOST_BYTES:
            self.lost += 1
            return
        self._waiting.append(reply)
        self._bytes += memory(reply.header, reply.payload)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def finish(self, unless: asyncio.Future[PynatsError]) -> None:
        """Wait until all are translated, or `unless` is done."""
        if self._task is not None:
            await asyncio.wait((self._task, unless), return_when=asyncio.FIRST_COMPLETED)
            if self._task.done():
                self._task.result()

    async def _run(self) -> None:
        while self._waiting:
            reply = self._waiting.popleft()
            self._bytes -= memory(reply.header, reply.payload)
            try:
                payload, log = await self._translator.run(reply.payload, reply.subject)
            except PynatsError as error:
                self.problem = self.problem or error
                self._hand_on(reply, error)
            else:
                for line in log.splitlines():
                    self._log(line)
                self._hand_on(reply._replace(payload=payload), None)
