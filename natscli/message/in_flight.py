"""What is in flight: requests and the like, each found by a key of its own, until they end or their time is over.

The law of this file: it has no clock. Times are seconds of one clock that the caller reads (`loop.time()`), and no
`since` is before that of an earlier call with the same `seconds`. So those with the same time to live end in the order
in which they came, each such lane is a queue, and nothing is ever searched.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from struct import Struct
from typing import Generic, TypeVar

Key = TypeVar("Key")
Entry = TypeVar("Entry")

#: 64 random numbers of 8 bytes each, in hexadecimal digits.
_TOKENS = Struct("16s" * 64)


class InFlight(Generic[Key, Entry]):
    """Entries in flight, by a key from `keys`. `next_end` says when to call `expire`."""

    def __init__(self, keys: Iterator[Key]) -> None:
        self._keys = keys
        self._held: dict[Key, Entry] = {}
        #: When the time of each key is over, the next first: a lane for each time to live.
        self._lanes: dict[float, dict[Key, float]] = {}
        #: Gives the entry of a key, if it is in flight.
        self.get = self._held.get

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._held.values()))

    def items(self) -> list[tuple[Key, Entry]]:
        """The entries in flight, with their keys."""
        return list(self._held.items())

    @property
    def next_end(self) -> float | None:
        """When the time of the next one is over; None with none in flight."""
        return min((next(iter(lane.values())) for lane in self._lanes.values() if lane), default=None)

    def add(self, entries: Sequence[Entry], since: float, seconds: float) -> list[Key]:
        """Put `entries` in flight until `seconds` after `since`; their keys, in the same order."""
        if len(entries) == 1:  # as for most people: one after the other
            key = next(self._keys)
            self._held[key], self._lane(seconds)[key] = entries[0], since + seconds
            return [key]
        keys = list(islice(self._keys, len(entries)))
        self._held.update(zip(keys, entries, strict=True))
        self._lane(seconds).update(dict.fromkeys(keys, since + seconds))
        return keys

    def extend(self, key: Key, since: float, seconds: float) -> None:
        """Let the time of an entry in flight be over `seconds` after `since`, instead of what was said before."""
        for lane in self._lanes.values():
            lane.pop(key, None)
        self._lane(seconds)[key] = since + seconds

    def extend_all(self, keys: Sequence[Key], since: float, seconds: float) -> None:
        """`extend` for several."""
        for lane in self._lanes.values():
            for key in keys:
                lane.pop(key, None)
        self._lane(seconds).update(dict.fromkeys(keys, since + seconds))

    def remove(self, key: Key) -> Entry | None:
        """Take the entry of `key` out, which has ended; None if it is not in flight."""
        entry = self._held.pop(key, None)
        if entry is not None:
            for lane in self._lanes.values():
                if lane.pop(key, None) is not None:
                    break
        return entry

    def remove_all(self, keys: Sequence[Key]) -> None:
        """Take the entries of `keys` out, which are in flight and have ended."""
        for key in keys:
            del self._held[key]
        for lane in self._lanes.values():
            for key in keys:
                lane.pop(key, None)

    def expire(self, now: float) -> list[Entry]:
        """Take out those whose time is over."""
        over = []
        for seconds, lane in list(self._lanes.items()):
            late = []
            for key, end in lane.items():
                if end > now:
                    break
                late.append(key)
            for key in late:
                del lane[key]
                over.append(self._held.pop(key))
            if not lane:
                del self._lanes[seconds]
        return over

    def clear(self) -> list[Entry]:
        """Take all out."""
        rest = list(self)
        self._held.clear()
        self._lanes.clear()
        return rest

    def _lane(self, seconds: float) -> dict[Key, float]:
        return self._lanes.setdefault(seconds, {})


def random_tokens() -> Iterator[bytes]:
    """Last tokens of inboxes, 16 characters each, not to be guessed: who got one request must not answer another."""
    while True:
        yield from _TOKENS.unpack(os.urandom(8 * 64).hex().encode())
