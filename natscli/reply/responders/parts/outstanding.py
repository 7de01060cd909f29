"""Requests that something else answers, another service or a program: given to it or waiting for that.

It has no clock, as `InFlight`, which holds all of them: times are arguments, and the time of a request counts from its
arrival, whether it waits or not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from natscli.message.in_flight import InFlight
from natscli.reply.responders.parts.finished import Job

Key = TypeVar("Key")


class _Entry(Generic[Key]):
    """A job and its key."""

    __slots__ = ("job", "key")
    key: Key

    def __init__(self, job: Job) -> None:
        self.job = job


class Outstanding(Generic[Key]):
    """Jobs by a key from `keys`; `most` of them are given away at once, 0 for any number, the others wait in order."""

    def __init__(self, keys: Iterator[Key], most: int = 0) -> None:
        self._held: InFlight[Key, _Entry[Key]] = InFlight(keys)
        self._most = most
        self._waiting: deque[Key] = deque()
        self._given: dict[Key, _Entry[Key]] = {}

    @property
    def next_end(self) -> float | None:
        """When to call `expire`; None without any."""
        return self._held.next_end

    def __contains__(self, key: Key) -> bool:
        """Whether the job with this key is given away, and is not answered."""
        return key in self._given

    def given(self) -> dict[Key, Job]:
        """The jobs that are given away, and not answered, by their keys."""
        return {key: entry.job for key, entry in self._given.items()}

    def add(self, jobs: Iterable[Job], since: float, seconds: float) -> None:
        """Let jobs wait; their time is over `seconds` after `since`."""
        entries: list[_Entry[Key]] = [_Entry(job) for job in jobs]
        for entry, key in zip(entries, self._held.add(entries, since, seconds), strict=True):
            entry.key = key
            self._waiting.append(key)

    def give(self) -> tuple[Key, Job] | None:
        """The next that waits, which is given away now; None if there is none, or `most` are given."""
        while self._waiting and (not self._most or len(self._given) < self._most):
            key = self._waiting.popleft()
            entry = self._held.get(key)
            if entry is not None:  # else its time is over
                self._given[key] = entry
                return key, entry.job
        return None

    def end(self, key: Key) -> Job | None:
        """Take out the job with this key, which is answered; None if no such one is given away, or its time is over."""
        entry = self._given.pop(key, None)
        if entry is None:
            return None
        self._held.remove(key)
        return entry.job

    def extend(self, key: Key, since: float, seconds: float) -> Job | None:
        """The job with this key, which goes on: its time is over `seconds` after `since`; None as of `end`."""
        entry = self._given.get(key)
        if entry is None:
            return None
        self._held.extend(key, since, seconds)
        return entry.job

    def expire(self, now: float) -> list[tuple[Key, Job]]:
        """Take out those whose time is over, with their keys."""
        over = self._held.expire(now)
        for entry in over:
            self._given.pop(entry.key, None)
        while self._waiting and self._held.get(self._waiting[0]) is None:
            self._waiting.popleft()
        return [(entry.key, entry.job) for entry in over]

    def lose(self) -> list[Job]:
        """Take out those that are given away."""
        given, self._given = self._given, {}
        for key in given:
            self._held.remove(key)
        return [entry.job for entry in given.values()]

    def clear(self) -> list[Job]:
        """Take out all, those that are given away first."""
        given = self.lose()
        self._waiting.clear()
        return [*given, *(entry.job for entry in self._held.clear())]
