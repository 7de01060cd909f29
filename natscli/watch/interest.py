"""Asks the servers whether anybody but watchers subscribes to a subject.

A server tells only the requester itself that there are no responders, and only if nobody at all subscribes; whoever
watches does. So the servers are asked who does: `$SYS.REQ.ACCOUNT.PING.CONNZ`, which users of any account may request,
has the clients and leaf nodes of the account that subscribe to a subject. Every server of a cluster answers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from natscli.message.message import Message
from natscli.watch.options import WATCHER
from natscli.wire.client import Client

SUBJECT = "$SYS.REQ.ACCOUNT.PING.CONNZ"
#: Seconds in which all servers answer.
_WINDOW = 0.5
#: Subjects that are asked about at once; the requests on others are not checked.
_MOST_AT_ONCE = 16
#: Watchers that may come before others in the answer of a server.
_MOST_CONNECTIONS = 64


class _Question:
    """A subject that is asked about, and what the servers have said so far."""

    def __init__(self, subject: bytes) -> None:
        self.subject = subject
        self.answered = False
        self.somebody = False
        self.if_none: list[Callable[[], None]] = []


class Interest:
    """Asks about few subjects at a time, and is answered on `inbox`. `refused` is whether that is not permitted."""

    def __init__(self, client: Client) -> None:
        self.refused = False
        self._client = client
        self._loop = asyncio.get_running_loop()
        self.inbox = client.new_inbox()
        self._number = 0
        self._questions: dict[bytes, _Question] = {}
        self._by_token: dict[bytes, _Question] = {}

    async def start(self) -> None:
        """Subscribe to the answers."""
        await self._client.subscribe_batches(f"{self.inbox}.*", "", self._on_batch)

    def ask(self, subject: bytes, if_none: Callable[[], None]) -> None:
        """Ask who subscribes to `subject`, and call `if_none` unless somebody does or no server answers."""
        question = self._questions.get(subject)
        if question is None:
            if self.refused or len(self._questions) >= _MOST_AT_ONCE:
                return
            try:
                body = json.dumps({"filter_subject": subject.decode(), "limit": _MOST_CONNECTIONS})
            except UnicodeDecodeError:
                return
            question = self._questions[subject] = _Question(subject)
            self._number += 1
            token = b"%d" % self._number
            self._by_token[token] = question
            inbox = f"{self.inbox}.{self._number}".encode()
            self._client.send([(SUBJECT.encode(), inbox, None, body.encode())])
            self._loop.call_later(_WINDOW, self._decide, token)
        question.if_none.append(if_none)

    def _on_batch(self, batch: list[Message], arrived: int) -> None:  # noqa: ARG002
        for subject, _, _, payload in batch:
            question = self._by_token.get(subject[len(self.inbox) + 1 :])
            if question is None:
                continue
            somebody = _others(payload, self._client.server_info)
            question.answered = question.answered or somebody is not None
            question.somebody = question.somebody or bool(somebody)

    def _decide(self, token: bytes) -> None:
        question = self._by_token.pop(token)
        del self._questions[question.subject]
        if question.answered and not question.somebody:
            for call in question.if_none:
                call()


def _others(answer: bytes, info: dict[str, Any]) -> bool | None:
    """Whether the answer of a server has connections that do not only watch; None if it is none."""
    try:
        data = json.loads(answer)
        server, connections = data["server"]["id"], data["data"]["connections"]
        own = info.get("client_id") if server == info.get("server_id") else None
        return any(c["cid"] != own and not c.get("name", "").startswith(WATCHER) for c in connections)
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
