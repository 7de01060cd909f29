"""Messages on stdout, by way of the pump."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

from natscli.environment import Environment
from natscli.errors import PynatsError
from natscli.message.message import Message, memory_of
from natscli.output.pump import Pump, in_loop
from natscli.subscribe.show.messages import RenderMessages

#: Bytes of messages that wait for a reader that takes less than comes. Reading from the server does not wait: it keeps
#: no more than that for a client, and then disconnects it, and how much was lost is unknown.
_MOST_BYTES = 64 * 1024 * 1024


class MessageDisplay:
    """Shows messages on stdout. What a terminal does not take is dropped and counted; for a pipe, 64 MB may wait.

    `pump` writes them, and the log.
    """

    def __init__(
        self, environment: Environment, render: RenderMessages, wrap: Callable[[bytes], bytes] | None = None
    ) -> None:
        """`wrap` is what the pump wraps the log with."""
        self._render = render
        self._lossy = environment.stdout.isatty()
        self.pump = Pump(
            environment, lossy=self._lossy, on_failure=in_loop(self._break), most_bytes=_MOST_BYTES, wrap=wrap
        )
        self.broken: asyncio.Future[PynatsError] = asyncio.get_running_loop().create_future()

    def show(self, batch: list[Message], first: int, came: float, matched: bool = False) -> None:
        """See `Destination`."""
        size = 0 if self.pump.direct else memory_of(batch)
        self.pump.put(partial(self._render, batch, first, came, matched), len(batch), size)

    @property
    def idle(self) -> bool:
        """Whether everything is written."""
        return not self.pump.waiting

    def write(self, text: Callable[[], bytes]) -> None:
        """Write what `text` gives, which is none of the messages."""
        self.pump.put(lambda: (b"", text()), 1, 0)

    async def finish(self) -> None:
        """See `Destination`. What a terminal does not take, `close` drops."""
        if self._lossy and not self.broken.done():
            return
        await self.pump.written(self.broken)
        if self.broken.done():
            raise self.broken.result()
        if self.pump.lost:
            raise PynatsError(f"messages lost, because the output could not keep up: {self.pump.lost}")

    def open(self) -> AbstractContextManager[None]:
        """See `Destination`."""
        return self.pump.taking_log()

    def _break(self, error: PynatsError) -> None:
        if not self.broken.done():
            self.broken.set_result(error)
