"""Where messages go when they came, and the usual place: stdout, by way of the pump."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

from natscli.environment import Environment
from natscli.errors import PynatsError
from natscli.message.message import Message
from natscli.output.pump import Pump, in_loop
from natscli.subscribe.show.messages import RenderMessages

#: Bytes of messages that wait for a reader that takes less than comes. Reading from the server does not wait: it keeps
#: no more than that for a client, and then disconnects it, and how much was lost is unknown.
_MOST_BYTES = 64 * 1024 * 1024


class Display(Protocol):
    """What becomes of the messages. Only `finish` may wait."""

    broken: asyncio.Future[PynatsError]
    """Done when nothing can be shown any more."""

    def show(self, batch: list[Message], first: int, came: float, matched: bool = False) -> None:
        """Take messages, the number of the first, when they came, and whether they are replies to those numbers."""

    async def finish(self) -> None:
        """Wait until all is shown, as long as that takes, unless it may be dropped.

        Raises:
            PynatsError: not all could be shown.
        """

    def close(self) -> None:
        """Show no more."""


class Screen:
    """Shows messages on stdout. What a terminal does not take is dropped and counted; for a pipe, 64 MB may wait.

    `pump` writes them, and the log.
    """

    def __init__(self, environment: Environment, render: RenderMessages) -> None:
        self._environment = environment
        self._render = render
        self._lossy = environment.stdout.isatty()
        self._sink = environment.sink
        self.pump = Pump(
            environment, lossy=self._lossy, on_failure=in_loop(self._break), most_bytes=_MOST_BYTES
        )
        environment.sink = self.pump.log
        self.broken: asyncio.Future[PynatsError] = asyncio.get_running_loop().create_future()

    def show(self, batch: list[Message], first: int, came: float, matched: bool = False) -> None:
        """See `Display`."""
        size = 0 if self.pump.direct else sum(map(size_of, batch))
        self.pump.put(partial(self._render, batch, first, came, matched), len(batch), size)

    @property
    def idle(self) -> bool:
        """Whether everything is written."""
        return not self.pump.waiting

    def write(self, text: Callable[[], bytes]) -> None:
        """Write what `text` gives, which is none of the messages."""
        self.pump.put(lambda: (b"", text()), 1, 0)

    async def finish(self) -> None:
        """See `Display`. What a terminal does not take, `close` drops."""
        if self._lossy and not self.broken.done():
            return
        await self.pump.written(self.broken)
        if self.broken.done():
            raise self.broken.result()
        if self.pump.lost:
            raise PynatsError(f"messages lost, because the output could not keep up: {self.pump.lost}")

    def close(self) -> None:
        """See `Display`; what is logged from now on is written at once, or dropped if the terminal takes nothing."""
        self.pump.close()

    def _break(self, error: PynatsError) -> None:
        if not self.broken.done():
            self._environment.sink = self._sink
            self.broken.set_result(error)


def size_of(message: Message) -> int:
    """About how many bytes of memory a message takes."""
    return len(message[3]) + len(message[2] or b"") + 300
