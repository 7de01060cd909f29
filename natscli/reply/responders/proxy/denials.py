"""Which requests the server means when it does not permit something, of many that were passed on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from natscli.message.message import Message
from natscli.reply.responders.responder import reply_subject

Key = TypeVar("Key")

#: First tokens of inboxes, in lower case: what is refused there is a reply, whatever else is in flight.
_INBOXES = (b"_inbox", b"_r_")
#: Subjects that were refused, and of replies, that are remembered. The server says soon that it refuses a reply.
_MOST_KNOWN, _MOST_REPLIED = 1000, 20_000
#: Requests more than those in flight that are indexed before most of the index is old.
_MOST_OLD = 1000


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
