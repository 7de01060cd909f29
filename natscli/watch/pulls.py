"""Messages that JetStream delivers to those who pull: their subject is that of the stream, not the inbox.

Which request they answer is known from the consumer, which is in their reply subject (`$JS.ACK.`): the oldest that
waits for it, as the server serves them in turn.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import TYPE_CHECKING

from natscli.message.message import Message

if TYPE_CHECKING:
    from natscli.watch.matcher import Open

#: What a request to pull is sent to, before the stream and the consumer; an acknowledgement that begins so is one too.
_NEXT = b".CONSUMER.MSG.NEXT."
_ACK, _MORE = b"$JS.ACK.", b"+NXT"
#: Where stream and consumer are in a reply subject of so many tokens; longer ones begin with a domain and an account.
_SHORT, _IN_SHORT, _IN_LONG = 9, slice(2, 4), slice(4, 6)
#: Payloads that are longer (bytes) are not looked into for the number of messages.
_LARGEST = 1024


class Pulls:
    """The open exchanges that wait for messages of consumers, by stream and consumer, in the order of the requests."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, OrderedDict[bytes, int]] = {}

    def asked(self, exchange: Open) -> None:
        """An exchange has begun, perhaps one of these."""
        subject, reply, _, payload = exchange.message
        if subject.startswith(_ACK) and not payload.startswith(_MORE):
            return
        if consumer := _consumer(subject):
            self._waiting.setdefault(consumer, OrderedDict())[reply] = wanted(payload)

    def ended(self, exchange: Open) -> None:
        """An exchange is over, perhaps one of these."""
        subject, reply, _, _ = exchange.message
        if consumer := _consumer(subject):
            waiting = self._waiting.get(consumer, OrderedDict())
            waiting.pop(reply, None)
            if not waiting:
                self._waiting.pop(consumer, None)

    def answered_by(self, message: Message) -> bytes:
        """The reply subject of the request that a message answers; an empty one for any other message."""
        if not self._waiting or not message[1].startswith(_ACK):
            return b""
        waiting = self._waiting.get(_consumer(message[1]))
        if not waiting:
            return b""
        reply = next(iter(waiting))
        waiting[reply] -= 1
        if not waiting[reply]:
            del waiting[reply]
        return reply


def wanted(payload: bytes) -> int:
    """How many messages a request asks for: a number or `{"batch": N}`, in acknowledgements after `+NXT`; else one."""
    payload = payload.removeprefix(_MORE).strip()
    try:
        value = json.loads(payload) if payload and len(payload) <= _LARGEST else 1
    except (ValueError, RecursionError):
        return 1
    batch = value.get("batch", 1) if isinstance(value, dict) else value
    return batch if type(batch) is int and batch > 0 else 1


def _consumer(subject: bytes) -> bytes:
    """Stream and consumer of a subject to pull with, or to acknowledge on, as in `ORDERS.worker`; empty for others."""
    if subject.startswith(_ACK):
        tokens = subject.split(b".")
        return b".".join(tokens[_IN_SHORT if len(tokens) == _SHORT else _IN_LONG])
    return subject.partition(_NEXT)[2]
