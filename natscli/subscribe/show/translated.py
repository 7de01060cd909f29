"""Messages shown as what a command writes when it gets their payloads on stdin (`--translate`)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from natscli.environment import Environment
from natscli.errors import PynatsError
from natscli.message.message import Message, memory
from natscli.subscribe.destination import Destination
from natscli.text import for_programs

if TYPE_CHECKING:
    from natscli.programs.translate import Translator

#: Bytes of messages that may wait for their translation.
_MOST_BYTES = 64 * 1024 * 1024


class Translated:
    """Translates one message after the other for another `Destination`; one that fails is shown as it came."""

    def __init__(self, destination: Destination, translator: Translator, environment: Environment) -> None:
        self._destination = destination
        self._translator = translator
        self._environment = environment
        self._waiting: deque[tuple[Message, int, float, bool]] = deque()
        self._bytes = self._dropped = 0
        self._task: asyncio.Task[None] | None = None
        self._problem: PynatsError | None = None
        self.broken = destination.broken

    def show(self, batch: list[Message], first: int, came: float, matched: bool = False) -> None:
        """See `Destination`."""
        for number, message in enumerate(batch, first):
            if self._waiting and self._bytes > _MOST_BYTES:
                self._dropped += 1
                continue
            self._waiting.append((message, number, came, matched))
            self._bytes += memory(message[2], message[3])
        if self._task is not None and self._task.done():
            self._task.result()
            self._task = None
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def finish(self) -> None:
        """See `Destination`."""
        if self._task is not None:
            await asyncio.wait((self._task, self.broken), return_when=asyncio.FIRST_COMPLETED)
            if self._task.done():
                self._task.result()
        await self._destination.finish()
        if self._dropped:
            raise PynatsError(f"messages lost, because the command could not keep up: {self._dropped}")
        if self._problem is not None:
            raise self._problem

    @contextmanager
    def open(self) -> Iterator[None]:
        """See `Destination`."""
        with self._destination.open():
            try:
                yield
            finally:
                if self._task is not None:
                    self._task.cancel()

    async def _work(self) -> None:
        while self._waiting:
            message, number, came, matched = self._waiting.popleft()
            self._bytes -= memory(message[2], message[3])
            subject, reply, header, payload = message
            try:
                payload, written = await self._translator.run(payload, for_programs(subject))
                for line in written.splitlines():
                    self._environment.warn(line)
            except PynatsError as error:
                # Said once: each message may fail for the same reason.
                if self._problem is None:
                    self._problem = error
                    self._environment.warn(f"[#{number}] {error.what}")
            self._destination.show([(subject, reply, header, payload)], number, came, matched)
