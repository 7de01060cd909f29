"""Inboxes of single requests, where the subject of a reply cannot say which request it answers.

A message that a consumer of JetStream delivers (`$JS.API.CONSUMER.MSG.NEXT.*.*`) keeps the subject of its stream. Only
the subscription says what it answers, so that each request for which `subjects.is_pull` holds has one of its own.
An idle heartbeat (status 100), which a pull may ask for, says only that it goes on: it is no reply.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from natscli.message import headers
from natscli.message.message import Message
from natscli.wire.client import Client


class OwnInboxes:
    """Sends requests, each with an inbox of its own; `deliver` gets its token, the replies, and when they arrived.

    `unfit` is called with the token, and why, for what the server would not take, where others choose the subjects.
    """

    def __init__(
        self,
        client: Client,
        deliver: Callable[[bytes, list[Message], int], None],
        unfit: Callable[[bytes, str], None] | None = None,
    ) -> None:
        self._client = client
        self._deliver = deliver
        self._unfit = unfit
        self._subscriptions: dict[bytes, Any] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, token: bytes, message: Message, seconds: float = 0.0) -> None:
        """Send `message` once its inbox is subscribed to, in place of its reply subject.

        With `seconds` the inbox is closed after that time, if it is not before.
        """
        self._subscriptions[token] = None
        self._run(self._send(token, message))
        if seconds:
            asyncio.get_running_loop().call_later(seconds, self.close, token)

    def close(self, token: bytes) -> None:
        """Take no more replies to the request of `token`."""
        subscription = self._subscriptions.pop(token, None)
        if subscription is not None and self._client.is_connected:
            self._run(subscription.unsubscribe())

    def inbox(self, token: bytes) -> bytes:
        """The inbox of the request of `token`, which is not closed yet; else an empty one."""
        subscription = self._subscriptions.get(token)
        return b"" if subscription is None else str(subscription.subject).encode()

    async def _send(self, token: bytes, message: Message) -> None:
        inbox = self._client.new_inbox()
        subscription = await self._client.subscribe_batches(inbox, "", partial(self._take, token))
        if token not in self._subscriptions:  # closed meanwhile
            await subscription.unsubscribe()
            return
        self._subscriptions[token] = subscription
        subject, _, header, payload = message
        unfit = self._unfit
        instead = None if unfit is None else lambda message, why: unfit(token, why)
        self._client.send([(subject, inbox.encode(), header, payload)], instead)

    def _take(self, token: bytes, messages: list[Message], arrived: int) -> None:
        replies = [message for message in messages if headers.status(message[2]) != headers.HEARTBEAT]
        if replies:
            self._deliver(token, replies, arrived)

    def _run(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # the connection was lost, which is reported elsewhere
