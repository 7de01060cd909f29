"""Where requests come from: a body and a count, or lines that arrive one after another."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple, Protocol

from natscli.errors import InputError
from natscli.message import headers
from natscli.message.payload import read_lines
from natscli.message.templates import Facts, Template


class Question(NamedTuple):
    """One request to send; its subject and its size are still to be checked."""

    number: int
    subject: str
    header: bytes | None
    payload: bytes


@dataclass(frozen=True)
class Recipe:
    """How to make requests: subject and headers as templates, and the body, unless it comes from elsewhere."""

    subject: Template
    header: tuple[tuple[str, Template], ...]
    body: Template
    _same: tuple[str, bytes | None, bytes] | None = field(init=False, repr=False, compare=False)

    def make(self, number: int, payload: bytes | None = None) -> Question:
        """Request `number`, which counts from 1."""
        if self._same is not None:
            subject, header, body = self._same
            return Question(number, subject, header, body if payload is None else payload)
        return self._make(number, payload)

    def __post_init__(self) -> None:
        static = all(
            template.is_static for template in (self.subject, self.body, *(t for _, t in self.header))
        )
        # What is the same for all requests is made once.
        object.__setattr__(self, "_same", self._make(1, None)[1:] if static else None)

    def _make(self, number: int, payload: bytes | None) -> Question:
        facts = Facts(number)
        pairs = [
            (name, template.fill(facts).decode("utf-8", "surrogateescape")) for name, template in self.header
        ]
        return Question(
            number,
            self.subject.fill(facts).decode("utf-8", "surrogateescape"),
            headers.encode(pairs) or None,
            self.body.fill(facts) if payload is None else payload,
        )


class Source(Protocol):
    """Gives requests as they are asked for."""

    def start(self, wake: Callable[[], None]) -> None:
        """Get ready; `wake` is called in the event loop whenever there may be more."""

    def take(self) -> Question | None:
        """The next request, or None when there is none now.

        Raises:
            InputError: there cannot be any more.
        """

    @property
    def exhausted(self) -> bool:
        """Whether there will be no more."""


class Counted:
    """`count` requests after one recipe."""

    def __init__(self, recipe: Recipe, count: int) -> None:
        self._recipe = recipe
        self._count = count
        self._given = 0

    def start(self, wake: Callable[[], None]) -> None:
        """See `Source`."""

    def take(self) -> Question | None:
        """See `Source`."""
        if self.exhausted:
            return None
        self._given += 1
        return self._recipe.make(self._given)

    @property
    def exhausted(self) -> bool:
        """See `Source`."""
        return self._given >= self._count


class Lines:
    """A request for each line of a stream, as it comes, each sent `count` times."""

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

    def take(self) -> Question | None:
        """See `Source`."""
        if not self._lines:
            return None
        line = self._lines[0]
        if isinstance(line, InputError):
            raise line
        self._given += 1
        self._repeated += 1
        if self._repeated >= self._count:
            self._lines.popleft()
            self._repeated = 0
            self._taken()
        return self._recipe.make(self._given, line)

    @property
    def exhausted(self) -> bool:
        """See `Source`."""
        return self._ended and not self._lines
