"""Messages saved as files, one a message (`--dump DIRECTORY`)."""

from __future__ import annotations

import asyncio
import os
from contextlib import AbstractContextManager, nullcontext

from natscli.errors import PynatsError, reason
from natscli.message.message import Message
from natscli.message.status import read_acknowledgement
from natscli.subscribe.show.messages import RenderMessages


class Dump:
    """Writes message N to `N.json`, the reply to it to `N_reply.json`, that of a stream to `N_acknowledgement.json`.

    Names are made of numbers only, never of what came from the network; files are for their owner only, and one that
    is there already, or a link, is never written to. Writing is waited for, so that nothing is lost.
    """

    def __init__(self, folder: str, render: RenderMessages) -> None:
        self._folder = folder
        self._render = render
        self._loop = asyncio.get_running_loop()
        self.broken: asyncio.Future[PynatsError] = self._loop.create_future()

    def show(self, batch: list[Message], first: int, came: float, matched: bool = False) -> None:
        """See `Destination`."""
        try:
            for number, message in enumerate(batch, first):
                if self.broken.done():
                    return
                _, data = self._render([message], number, came, matched)
                ending = _ending(message) if matched else ""
                self._save(os.path.join(self._folder, f"{number}{ending}.json"), data)
        except OSError as error:
            what = f"cannot save a message: {reason(error)}"
            self.broken.set_result(PynatsError(what, where=str(error.filename)))

    async def finish(self) -> None:
        """See `Destination`."""
        if self.broken.done():
            raise self.broken.result()

    def open(self) -> AbstractContextManager[None]:
        """See `Destination`. The log stays where it is."""
        return nullcontext()

    @staticmethod
    def _save(path: str, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        fd = os.open(path, flags, 0o600)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
        except OSError as error:
            error.filename = path
            raise
        finally:
            os.close(fd)


def _ending(reply: Message) -> str:
    return "_reply" if read_acknowledgement(reply[3]) is None else "_acknowledgement"
