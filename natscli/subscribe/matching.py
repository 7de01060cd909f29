"""Requests that wait for the reply to be seen, so that both are shown together (`--match-replies`)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from natscli.message.message import Message, memory
from natscli.message.subjects import ACKNOWLEDGED
from natscli.subscribe.destination import Destination
from natscli.text import exact

#: Requests that may wait, and their bytes; the one that waits longest is shown without a reply when there are more.
_MOST, _MOST_BYTES = 16_384, 16 * 1024 * 1024


class Matching:
    """Shows each request when its reply comes, and messages that ask for no reply, or for an acknowledgement, at once.

    That a stream has taken a request is shown too, and a responder's reply still waited for, if there is one.
    `unmatched` counts requests that were shown without a reply, `outside` those whose replies go elsewhere, the last
    one to `elsewhere`. `on_empty` is called when none waits any more.
    """

    def __init__(self, destination: Destination, inboxes: tuple[str, ...]) -> None:
        """`inboxes` are the subjects that all replies are seen on: `_INBOX.>`, `_R_.>`."""
        self._destination = destination
        self._prefixes = tuple(pattern.removesuffix(">").encode() for pattern in inboxes)
        self._waiting: OrderedDict[bytes, tuple[Message, int, float]] = OrderedDict()
        #: Inboxes of requests that are shown, and wait for a responder after a stream.
        self._acknowledged: set[bytes] = set()
        self._bytes = 0
        self._seen = self._prefixes
        self.unmatched = self.outside = 0
        self.elsewhere = b""
        self.on_empty: Callable[[], object] = lambda: None

    @property
    def waiting(self) -> bool:
        """Whether there are requests without a reply of a responder."""
        return bool(self._waiting)

    def refused(self, pattern: str) -> None:
        """No replies are seen on one of the inboxes."""
        self._seen = tuple(prefix for prefix in self._seen if prefix != pattern.removesuffix(">").encode())

    def begin_anew(self) -> None:
        """Nothing is refused until it is again: there is another connection."""
        self._seen = self._prefixes

    def without_replies(self, batch: list[Message]) -> list[Message]:
        """`batch` without what came to an inbox: replies come by a subscription of their own."""
        return [message for message in batch if not message[0].startswith(self._prefixes)]

    def show(self, batch: list[Message], first: int, came: float) -> None:
        """Take messages that were received."""
        for number, message in enumerate(batch, first):
            if not message[1] or message[1].startswith(ACKNOWLEDGED):
                self._destination.show([message], number, came)
                continue
            if not message[1].startswith(self._seen):
                self.outside += 1
                self.elsewhere = message[1]
                self._destination.show([message], number, came)
                continue
            if message[1] in self._waiting:  # a second request with the same inbox: only one can be matched
                self._give_up(message[1])
            self._waiting[message[1]] = message, number, came
            self._bytes += memory(message[2], message[3])
            while len(self._waiting) > _MOST or self._bytes > _MOST_BYTES:
                self._give_up(next(iter(self._waiting)))

    def replies(self, batch: list[Message], came: float) -> None:
        """Take messages that came to inboxes."""
        for reply in batch:
            inbox, request = reply[0], self._waiting.get(reply[0])
            if request is None:
                continue
            message, number, requested = request
            again, acknowledges = inbox in self._acknowledged, _is_acknowledgement(reply, message)
            if again and acknowledges:
                continue
            if not again:
                self._destination.show([message], number, requested)
            self._destination.show([reply], number, came, True)
            if acknowledges:
                self._acknowledged.add(inbox)
            else:
                self._forget(inbox)
        if not self._waiting:
            self.on_empty()

    def show_rest(self) -> None:
        """Show the requests that have had no reply."""
        for inbox in list(self._waiting):
            self._give_up(inbox)

    def _give_up(self, inbox: bytes) -> None:
        message, number, came = self._waiting[inbox]
        if inbox not in self._acknowledged:
            self.unmatched += 1
            self._destination.show([message], number, came)
        self._forget(inbox)

    def _forget(self, inbox: bytes) -> None:
        message, _, _ = self._waiting.pop(inbox)
        self._bytes -= memory(message[2], message[3])
        self._acknowledged.discard(inbox)


def _is_acknowledgement(reply: Message, request: Message) -> bool:
    """Whether a stream has sent the reply, of which a responder knows nothing."""
    if not reply[3].startswith(b'{"'):
        return False
    from natscli.message.status import read_acknowledgement

    return read_acknowledgement(reply[3], exact(request[0])) is not None
