"""Requests that something else answers, another service or a program: given to it or waiting for that.

It has no clock, as `InFlight`, which holds all of them: times are arguments, and the time of a request counts from its
arrival, whether it waits or not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from natscli.message.in_flight import InFlight
from natscli.message.message import Message
from natscli.reply.responders.parts.finished import Job
from natscli.reply.responders.responder import reply_subject

Key = TypeVar("Key")

#: First tokens of inboxes, in lower case: what is refused there is a reply, whatever else is in flight.
_INBOXES = (b"_inbox", b"_r_")
#: Subjects that were refused, and of replies, that are remembered. The server says soon that it refuses a reply.
_MOST_KNOWN, _MOST_REPLIED = 1000, 20_000
#: Requests more than those in flight that are indexed before most of the index is old.
_MOST_OLD = 1000


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

    def expire(self, now: float) -> list[Job]:
        """Take out those whose time is over."""
        over = self._held.expire(now)
        for entry in over:
            self._given.pop(entry.key, None)
        while self._waiting and self._held.get(self._waiting[0]) is None:
            self._waiting.popleft()
        return [entry.job for entry in over]

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


class Losses:
    """Which requests were under way when the connection was lost, so that they or their replies may never have come.

    It is to `look` before requests are sent, and when their time is over; times are nanoseconds of one clock.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._reconnects = client.stats["reconnects"]
        self._at = -1

    def look(self, now: int) -> None:
        """Note whether the connection was lost, since the last look and not after `now`."""
        reconnects = self._client.stats["reconnects"]
        if reconnects != self._reconnects or not self._client.is_connected:
            self._reconnects, self._at = reconnects, now

    def since(self, sent: int) -> bool:
        """Whether it was after `sent`."""
        return self._at >= sent


class Denials(Generic[Key]):
    """Which requests the server means with a subject that it permits nobody to publish to: often not what was asked.

    It checks what a mapping made of that. So when all in flight were sent to one subject it means these, unless what it
    names is where a reply went. It says so of each request, and what it means is remembered.

    `in_flight` gives the keys and subjects of all requests that wait for a reply, `waits` says whether one does. They
    are indexed by their subjects when something is refused: else a request costs nothing, and a refusal never a search.
    """

    def __init__(
        self, in_flight: Callable[[], Iterable[tuple[Key, bytes]]], waits: Callable[[Key], bool]
    ) -> None:
        self._in_flight, self._waits = in_flight, waits
        #: Keys by subject in lower case, some of which wait no more; None where nothing was refused lately.
        self._index: dict[bytes, list[Key]] | None = None
        self._room = 0
        self._known: dict[bytes, bytes] = {}
        self._new: deque[bytes] = deque(maxlen=_MOST_REPLIED)
        self._replied: set[bytes] = set()
        self._earlier: set[bytes] = set()

    def sent(self, requests: Iterable[tuple[Key, bytes]]) -> None:
        """Know the keys and subjects of requests; they are looked at only where something was refused lately."""
        if self._index is None:
            return
        for key, subject in requests:
            self._index.setdefault(subject.lower(), []).append(key)
            self._room -= 1
        if self._room < 0:
            self._index = None

    def answered(self, requests: Iterable[Message]) -> None:
        """Know where the replies to requests go, before they are sent."""
        self._new.extend(map(reply_subject, requests))

    def meant(self, name: bytes, *, guess: bool = True) -> list[Key] | None:
        """The keys of those that are meant with `name`, in lower case, to be ended now; perhaps none is left of them.

        None: not ours. Without `guess`, `name` has to be one that was sent to, or known.
        """
        index = self._indexed()
        subject = name if self._any(index.get(name)) else self._known.get(name)
        if subject is None and guess and not self._is_reply(name):
            subject = self._only(index)
        if subject is None:
            return None
        self._known[name] = subject
        if len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return [key for key in index.pop(subject, ()) if self._waits(key)]

    def _indexed(self) -> dict[bytes, list[Key]]:
        if self._index is None:
            requests = list(self._in_flight())
            self._index, self._room = {}, 2 * len(requests) + _MOST_OLD
            self.sent(requests)
        return self._index

    def _any(self, keys: list[Key] | None) -> bool:
        """Whether one of `keys` waits; those at the end that do not are taken away."""
        while keys and not self._waits(keys[-1]):
            keys.pop()
        return bool(keys)

    def _only(self, index: dict[bytes, list[Key]]) -> bytes | None:
        """The subject that all which wait were sent to, if it is one; those where none waits are taken away."""
        old: list[bytes] = []
        found: list[bytes] = []
        for subject, keys in index.items():
            (found if self._any(keys) else old).append(subject)
            if len(found) > 1:
                break
        for subject in old:
            del index[subject]
        return found[0] if len(found) == 1 else None

    def _is_reply(self, name: bytes) -> bool:
        """Whether `name`, in lower case, is where a reply went lately."""
        if name.partition(b".")[0] in _INBOXES:
            return True
        if len(self._replied) >= _MOST_REPLIED:
            self._earlier, self._replied = self._replied, set()
        self._replied.update(map(bytes.lower, self._new))
        self._new.clear()
        return name in self._replied or name in self._earlier
