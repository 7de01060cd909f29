"""The part of the client that the parser calls: messages of subscriptions go to their batch handlers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from natscli.message.message import Message, payload_of
from natscli.wire.reconnect import Reconnecting

#: Gets all messages of one network read for a subscription, and when they arrived (`perf_counter_ns`).
BatchHandler = Callable[[list[Message], int], object]
#: Gets those of several subscriptions that have a key: the key of each message, the messages, and when they arrived.
Together = Callable[[tuple[int, ...], list[Message], int], object]


class Delivering(Reconnecting):
    """nats-py's client with batch handlers. `on_failure` gets what one raises."""

    def __init__(self, *, require_tls: bool = False, socks_proxy: str = "") -> None:
        super().__init__(require_tls=require_tls, socks_proxy=socks_proxy)
        self.on_failure: Callable[[BaseException], None] = lambda error: None
        self._handlers: dict[bytes, tuple[Any, BatchHandler]] = {}
        #: The subscriptions whose messages are sorted out of a read; the keys of some, which have no limit.
        self.sorted_sids: set[bytes] = set()
        self.keys: dict[bytes, int] = {}
        self.together: Together | None = None

    def has_handler(self, sid: bytes) -> bool:
        """Whether this subscription has a batch handler."""
        return sid in self._handlers

    def same_handler(self, sid: bytes, other: bytes) -> bool:
        """Whether messages of two subscriptions can be in one batch: both are without a limit."""
        first, second = self._handlers.get(sid), self._handlers.get(other)
        if first is None or second is None or first[1] is not second[1]:
            return False
        return not (first[0]._max_msgs or second[0]._max_msgs)

    def deliver(self, sid: bytes, batch: list[Message], arrived: int) -> None:
        """Give messages of one subscription to its handler."""
        subscription, handler = self._handlers[sid]
        if subscription._id not in self._subs:
            return
        self._count(batch)
        subscription._received += len(batch)
        if 0 < subscription._max_msgs <= subscription._received:
            self._subs.pop(subscription._id, None)
            batch = batch[: len(batch) - (subscription._received - subscription._max_msgs)]
        try:
            handler(batch, arrived)
        except Exception as error:
            self.on_failure(error)

    def deliver_sorted(self, sids: list[bytes], messages: list[Message], arrived: int) -> bool:
        """Give messages, each with its subscription, to `together`, or sorted to handlers; whether all are to be."""
        if sids[0] == sids[-1] and sids.count(sids[0]) == len(sids):
            self.deliver(sids[0], messages, arrived)
            return True
        keys = tuple(map(self.keys.get, sids))
        if self.together is not None and None not in keys:
            self._count(messages)
            try:
                self.together(cast(tuple[int, ...], keys), messages, arrived)
            except Exception as error:
                self.on_failure(error)
            return True
        if not self.sorted_sids.issuperset(sids):
            return False
        sorted_out: dict[bytes, list[Message]] = {}
        for sid, message in zip(sids, messages, strict=True):
            sorted_out.setdefault(sid, []).append(message)
        for sid, those in sorted_out.items():
            self.deliver(sid, those, arrived)
        return True

    def _count(self, messages: list[Message]) -> None:
        self.stats["in_msgs"] += len(messages)
        self.stats["in_bytes"] += sum(map(len, map(payload_of, messages)))
