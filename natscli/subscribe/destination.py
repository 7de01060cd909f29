"""Where messages go when they came: shown, translated, saved or counted."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from typing import Protocol

from natscli.errors import PynatsError
from natscli.message.message import Message


class Destination(Protocol):
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

    def open(self) -> AbstractContextManager[None]:
        """Show what comes to the end of the block, and the log in its place among it."""
