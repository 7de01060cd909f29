"""Asks the servers whether anybody but watchers gets what is sent to a subject.

A server tells only the requester itself that there are no responders, and only if nobody at all subscribes; whoever
watches does. So the servers are asked two things, and nobody is only said to be there if both say so:

- `$SYS.REQ.ACCOUNT.PING.CONNZ`, which users of any account may request, has the clients and leaf nodes of the account
  that subscribe to a subject. Every server of a cluster answers.
- A trace (ADR-41) on the subject, which servers from 2.11 on answer and deliver to nobody, has where else a message
  would go: through an import to another account, as those to `$SYS` and to the JetStream API do, or into a stream.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from natscli.message import headers
from natscli.message.message import Message
from natscli.message.subjects import is_internal
from natscli.watch.options import WATCHER
from natscli.wire.client import Client

SUBJECT = "$SYS.REQ.ACCOUNT.PING.CONNZ"
#: Seconds in which all servers answer.
_WINDOW = 0.5
#: Subjects that are asked about at once; the requests on others are not checked.
_MOST_AT_ONCE = 16
#: Watchers that may come before others in the answer of a server.
_MOST_CONNECTIONS = 64
#: Events of a trace that are a way to somebody whom CONNZ does not know: an import, a stream, a mapping.
_ELSEWHERE = frozenset({"si", "se", "js", "sm"})


class Identity(NamedTuple):
    """A connection as its server knows it: the id of the server, and the number of the connection there."""

    server: str
    connection: int

    @classmethod
    def of(cls, info: dict[str, Any]) -> Identity:
        """That of the connection whose server has sent `info`."""
        return cls(str(info.get("server_id", "")), int(info.get("client_id") or 0))


class Disconnection(NamedTuple):
    """What a server says of a connection that it has closed: why, and how many messages it had for it."""

    reason: str
    messages: int


class _Question:
    """A subject that is asked about, and what the servers have said so far."""

    def __init__(self, subject: bytes) -> None:
        self.subject = subject
        self.listed = False
        self.traced = False
        self.somebody = False
        self.forbidden = False
        self.if_none: list[Callable[[], None]] = []


class Interest:
    """Asks about few subjects at a time, and is answered on `inbox`; not about those that the server itself may take.

    `why_not` is why nothing can be found out, an empty string as long as it can; `on_failure` is called with it.
    """

    def __init__(self, client: Client, on_failure: Callable[[str], None]) -> None:
        self._on_failure = on_failure
        self.why_not = ""
        self._client = client
        self._loop = asyncio.get_running_loop()
        self.inbox = client.new_inbox()
        self._number = 0
        self._questions: dict[bytes, _Question] = {}
        self._by_token: dict[bytes, _Question] = {}
        self._closed: dict[bytes, tuple[Identity, Callable[[Disconnection], None]]] = {}

    async def start(self) -> None:
        """Subscribe to the answers."""
        await self._client.subscribe_batches(f"{self.inbox}.*", "", self._on_batch)

    def ask(self, subject: bytes, if_none: Callable[[], None]) -> None:
        """Ask who gets what is sent to `subject`, and call `if_none` if the servers say that nobody does."""
        if problem := self._client.why_untraced():
            self._cannot(problem)
        question = self._questions.get(subject)
        if question is None:
            if self.why_not or len(self._questions) >= _MOST_AT_ONCE:
                return
            try:
                text = subject.decode()
            except UnicodeDecodeError:
                return
            if is_internal(text):
                return
            question = self._questions[subject] = _Question(subject)
            token, inbox = self._new_inbox()
            self._by_token[token] = question
            body = json.dumps({"filter_subject": text, "limit": _MOST_CONNECTIONS})
            trace = headers.encode(headers.traced(inbox, deliver=False))
            self._client.send(
                [(SUBJECT.encode(), inbox.encode(), None, body.encode()), (subject, b"", trace, b"")]
            )
            self._loop.call_later(_WINDOW, self._decide, token)
        question.if_none.append(if_none)

    def ask_why(self, closed: Identity, told: Callable[[Disconnection], None]) -> None:
        """Ask about a connection that its server has `closed`, when it is done; `told` is called if it answers."""
        self._loop.call_later(_WINDOW, self._ask_why, closed, told)

    def _ask_why(self, closed: Identity, told: Callable[[Disconnection], None]) -> None:
        token, inbox = self._new_inbox()
        self._closed[token] = closed, told
        body = json.dumps({"state": 1, "cid": closed.connection})
        self._client.send([(SUBJECT.encode(), inbox.encode(), None, body.encode())])
        self._loop.call_later(_WINDOW, self._closed.pop, token, None)

    def refused(self, what: str) -> bool:
        """Whether `what` the server refused is one of the questions; from then on none is asked."""
        publish = "for publish" in what.lower()
        asked = [SUBJECT, *(q.subject.decode() for q in self._questions.values())] if publish else []
        subject = next((subject for subject in asked if f'"{subject}"' in what), None)
        if subject is None and f'"{self.inbox}' not in what:
            return False
        if subject is None:  # no inboxes at all: that is said of those that are watched
            self.why_not = self.why_not or f"it is not permitted to subscribe to [{self.inbox}.*]"
        else:
            self._cannot(f"it is not permitted to publish to [{subject}]")
        return True

    def _cannot(self, why_not: str) -> None:
        if not self.why_not:
            self.why_not = why_not
            self._on_failure(why_not)

    def _new_inbox(self) -> tuple[bytes, str]:
        self._number += 1
        return b"%d" % self._number, f"{self.inbox}.{self._number}"

    def _on_batch(self, batch: list[Message], arrived: int) -> None:  # noqa: ARG002
        for subject, _, _, payload in batch:
            token = subject[len(self.inbox) + 1 :]
            question = self._by_token.get(token)
            if question is not None:
                _take(question, payload, self._client.server_info)
            elif token in self._closed:
                closed, told = self._closed[token]
                disconnection = _disconnection(payload, closed)
                if disconnection is not None:
                    told(disconnection)

    def _decide(self, token: bytes) -> None:
        question = self._by_token.pop(token)
        del self._questions[question.subject]
        if question.forbidden:
            self._cannot(f"it is not permitted to publish to [{question.subject.decode()}]")
        elif question.listed and question.traced and not question.somebody:
            for call in question.if_none:
                call()


def _take(question: _Question, answer: bytes, info: dict[str, Any]) -> None:
    """Take the answer of a server: a list of connections, or a trace."""
    try:
        data = json.loads(answer)
        if "events" in data:
            events = data["events"]
            question.traced = True
            question.forbidden |= any("error" in event for event in events if event["type"] == "in")
            question.somebody |= any(event["type"] in _ELSEWHERE for event in events)
            return
        server, connections = data["server"]["id"], data["data"]["connections"]
        own = Identity.of(info)
        question.listed = True
        question.somebody |= any(
            (server, c["cid"]) != own and not c.get("name", "").startswith(WATCHER) for c in connections
        )
    except (ValueError, LookupError, TypeError, AttributeError):
        return


def _disconnection(answer: bytes, closed: Identity) -> Disconnection | None:
    try:
        data = json.loads(answer)
        if data["server"]["id"] != closed.server:
            return None
        [found] = [c for c in data["data"]["connections"] if c["cid"] == closed.connection]
        return Disconnection(str(found.get("reason", "")), int(found.get("out_msgs", 0)))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
