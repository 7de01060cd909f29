"""Messages on their way through a command."""

from __future__ import annotations

import asyncio
import io
import os
from contextlib import AbstractContextManager, nullcontext

import pytest

from natscli.environment import Environment
from natscli.errors import PynatsError
from natscli.message.message import Message
from natscli.programs.translate import Translator
from natscli.subscribe.show.translated import Translated


class Failing:
    """A destination that cannot show anything."""

    def __init__(self) -> None:
        self.broken: asyncio.Future[PynatsError] = asyncio.get_running_loop().create_future()

    def show(self, batch: list[Message], first: int, came: float, matched: bool = False) -> None:
        """See `Destination`."""
        raise ZeroDivisionError

    async def finish(self) -> None:
        """See `Destination`."""

    def open(self) -> AbstractContextManager[None]:
        """See `Destination`."""
        return nullcontext()


@pytest.mark.parametrize("more", [False, True], ids=["at the end", "at the next message"])
def test_what_goes_wrong_while_a_message_is_shown_is_not_lost(more: bool) -> None:
    async def main() -> None:
        environment = Environment(io.BytesIO(), io.BytesIO(), io.BytesIO(), os.environ)
        translated = Translated(Failing(), Translator("cat", os.environ), environment)
        translated.show([(b"a", b"", None, b"x")], 1, 0.0)
        if more:
            await asyncio.sleep(1)
            translated.show([(b"a", b"", None, b"x")], 2, 0.0)
        await translated.finish()

    with pytest.raises(ZeroDivisionError):
        asyncio.run(main())
