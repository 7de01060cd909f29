"""Requests to which a program of `--pipe` gives several answers, and which of them it is told to stop."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from natscli.reply.responders.parts.finished import Job
from natscli.reply.responders.parts.presence import Presence
from natscli.text import exact

#: Ids that the program was told to stop, and that it may still answer.
_MOST_STOPPED = 10_000


class Unfinished:
    """Knows them by the ids of their lines. `gone` is called with the id of one whose requester has left."""

    def __init__(self, client: Any, gone: Callable[[int], None]) -> None:
        self._presence = Presence(client, lambda token: gone(self._ids[token]))
        self._held: dict[int, tuple[bytes, Job]] = {}
        self._ids: dict[bytes, int] = {}
        self._stopped: OrderedDict[int, None] = OrderedDict()

    @property
    def numbers(self) -> list[int]:
        """Their ids."""
        return list(self._held)

    def look(self, number: int, job: Job) -> bytes:
        """The reply subject of the next reply to it; mostly none."""
        if number not in self._held:
            token = self._presence.begin()
            self._held[number] = token, job
            self._ids[token] = number
        return self._presence.look(self._held[number][0])

    def end(self, number: int) -> None:
        """Forget one that is answered, if it is one of them."""
        token, _ = self._held.pop(number, (b"", None))
        self._ids.pop(token, None)
        self._presence.end(token)

    def refused(self, text: str) -> tuple[bool, list[int]]:
        """Whether `text`, what the server does not permit, is about no reply, and which of them end for that."""
        if self._presence.refused(text):
            return True, []
        return False, [n for n, (_, job) in self._held.items() if f'"{exact(job.request[1])}"' in text]

    def stop(self, numbers: Iterable[int]) -> bytes:
        """The lines that tell the program to stop these; its answers to them are expected from now on, and ignored."""
        lines = b""
        for number in numbers:
            self.end(number)
            self._stopped[number] = None
            lines += b'{"id":%d,"stop":true}\n' % number
        while len(self._stopped) > _MOST_STOPPED:
            self._stopped.popitem(last=False)
        return lines

    def clear(self) -> None:
        """Forget all: the program has ended."""
        self.stop(self.numbers)
        self._stopped.clear()

    def was_stopped(self, number: int, *, more: bool) -> bool:
        """Whether an answer, after which `more` follow or none, is to one that was stopped."""
        if number not in self._stopped:
            return False
        if not more:
            del self._stopped[number]
        return True
