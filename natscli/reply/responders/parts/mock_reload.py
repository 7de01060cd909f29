"""Reads the file of --mock again when it changes; until that is done, and if it fails, what was read before answers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from natscli.errors import InputError
from natscli.reply.responders.parts.mock_file import MockFile
from natscli.reply.responders.responder import Host, Place, Wrapper

if TYPE_CHECKING:
    from natscli.reply.responders.mock import Mock

#: Seconds between two looks at the file.
_LOOK = 0.2


class ReloadingMock(Wrapper):
    """A mock whose file may be edited."""

    def __init__(
        self, mock: Mock, path: str, check: Callable[[MockFile], object], read: Callable[[], MockFile]
    ) -> None:
        """`read` the file again, and `check` it, which raises InputError where the options do not go with it."""
        super().__init__(mock)
        self.immediate = False  # a reply of the next file may have a delay
        self._mock = mock
        self._path = path
        self._check = check
        self._read = read
        #: The indices of all subjects that were ever listened on.
        self._indices = {place.subject: index for index, place in enumerate(mock.places)}
        self._watching: asyncio.Task[None] | None = None

    async def start(self, host: Host) -> None:
        await super().start(host)
        self._watching = asyncio.get_running_loop().create_task(self._watch(host))

    def kill(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
        super().kill()

    async def _watch(self, host: Host) -> None:
        seen = self._stamp()
        while True:
            await asyncio.sleep(_LOOK)
            stamp = self._stamp()
            if stamp is None or stamp == seen:
                continue
            seen = stamp
            try:
                found = await asyncio.to_thread(self._read)
                self._check(found)
            except InputError as error:
                host.environment.warn(f"not reloaded, what was read before stays: {error}")
                continue
            self._mock.use(found)
            host.environment.log(f"Reloaded {self._path}")
            if host.listen is not None:
                indices = self._indices
                await host.listen({indices.setdefault(s, len(indices)): Place(s) for s in found.subjects})
            for note in found.notes:
                host.environment.warn(note)

    def _stamp(self) -> tuple[int, int] | None:
        """When the file was written, and its size; None while there is none."""
        try:
            status = os.stat(self._path)
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size
