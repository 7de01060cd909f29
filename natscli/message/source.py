"""Where messages to send come from: a body and a count, or lines that arrive one after another."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO, Protocol

from natscli.errors import InputError
from natscli.message.payload import read_lines
from natscli.message.recipe import Outgoing, Recipe


class Source(Protocol):
    """Gives messages as they are asked for."""

    def start(self, wake: Callable[[], None]) -> None:
        """Get ready; `wake` is called in the event loop whenever there may be more."""

    def take(self, most: int) -> list[Outgoing]:
        """The next messages, `most` at most; none when there is none now.

        Raises:
            InputError: there cannot be any more.
        """

    @property
    def exhausted(self) -> bool:
        """Whether there will be no more."""


class Counted:
    """`count` messages after one recipe; their numbers are `first` and each `step`th one after it."""

    def __init__(self, recipe: Recipe, count: int, first: int = 1, step: int = 1) -> None:
        self._recipe = recipe
        self._count = count
        self._next, self._step = first, step
        self._given = 0

    def start(self, wake: Callable[[], None]) -> None:
        """See `Source`."""

    def take(self, most: int) -> list[Outgoing]:
        """See `Source`."""
        count = min(most, self._count - self._given)
        if count == 1:
            number, self._next = self._next, self._next + self._step
            self._given += 1
            return [self._recipe.make(number)]
        first, self._next = self._next, self._next + count * self._step
        self._given += count
        return self._recipe.make_all(range(first, self._next, self._step))

    @property
    def exhausted(self) -> bool:
        """See `Source`."""
        return self._given >= self._count


class EachLine:
    """A message for each line of a stream, as it comes, each sent `count` times."""

    def __init__(self, recipe: Recipe, count: int, stream: BinaryIO) -> None:
        self._recipe = recipe
        self._count = count
        self._stream = stream
        self._lines: deque[bytes | InputError] = deque()
        self._ended = False
        self._given = 0
        self._repeated = 0
        self._taken: Callable[[], object] = lambda: None

    def start(self, wake: Callable[[], None]) -> None:
        """See `Source`: begin to read."""
        loop = asyncio.get_running_loop()

        def arrived(line: bytes | InputError | None) -> None:
            if line is not None:
                self._lines.append(line)
            self._ended = not isinstance(line, bytes)
            wake()

        def hand_over(line: bytes | InputError | None) -> None:
            with suppress(RuntimeError):  # the loop may be closed by the time a last line comes
                loop.call_soon_threadsafe(arrived, line)

        self._taken = read_lines(self._stream, hand_over)

    def take(self, most: int) -> list[Outgoing]:
        """See `Source`."""
        taken: list[Outgoing] = []
        while self._lines and len(taken) < most:
            line = self._lines[0]
            if isinstance(line, InputError):
                if taken:
                    break
                raise line
            self._given += 1
            self._repeated += 1
            if self._repeated >= self._count:
                self._lines.popleft()
                self._repeated = 0
                self._taken()
            taken.append(self._recipe.make(self._given, line))
        return taken

    @property
    def exhausted(self) -> bool:
        """See `Source`."""
        return self._ended and not self._lines
