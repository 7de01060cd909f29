"""Asks the servers whether anybody but watchers gets what is sent to a subject.

A server tells only the requester itself that there are no responders, and only if nobody at all subscribes; whoever
watches does. So the servers are asked two things, and nobody is only said to be there if both say so:

- `$SYS.REQ.ACCOUNT.PING.CONNZ`, which users of any account may request, has the clients and leaf nodes of the account
  that subscribe to a subject. Every server of a cluster answers.
- A trace (ADR-41) on the subject, which servers from 2.11 on answer and deliver to nobody, has where else a message
  would go: through an import to another account, as those to `$SYS` and to the JetStream API do, or into a stream.

Where leaf nodes subscribe, a third: which of them lead to the watcher itself. See `question.py` for what that makes.

Neither knows of other accounts from which a message came through the import of a stream, and where it may be answered.
Its requester is there too: so nobody is said to be there only to requesters whose inbox somebody here subscribes to.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from natscli.message import headers
from natscli.message.message import Message
from natscli.message.subjects import is_internal
from natscli.watch.question import Identity, Question, requester_of
from natscli.wire.client import Client

SUBJECT = "$SYS.REQ.ACCOUNT.PING.CONNZ"
#: Seconds in which all servers answer.
_WINDOW = 0.5
#: Subjects that are asked about at once; the requests on others are not checked.
_MOST_AT_ONCE = 16
#: Requesters that are looked for at once, and that are remembered.
_MOST_SOUGHT, _MOST_KNOWN = 32, 4096
#: Watchers that may come before others in the answer of a server.
_MOST_CONNECTIONS = 64
#: Where servers answer which leaf nodes lead to the watcher.
_LEADING = b"leading"


class Disconnection(NamedTuple):
    """What a server says of a connection that it has closed: why, and how many messages it had for it."""

    reason: str
    messages: int


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
        self._questions: dict[bytes, Question] = {}
        self._by_token: dict[bytes, Question] = {}
        #: Leaf nodes that lead to the connection that the watcher had then, and whether they are asked for.
        self._leading: set[tuple[Identity, Identity]] = set()
        self._asks_leading = False
        #: Requesters that are in this account; those that are looked for, by the token of the question.
        self._here = {b""}
        self._sought: dict[bytes, bytes] = {}
        self._closed: dict[bytes, tuple[Identity, Callable[[Disconnection], None]]] = {}

    async def start(self) -> None:
        """Subscribe to the answers."""
        await self._client.subscribe_batches(f"{self.inbox}.*", "", self._on_batch)

    def ask(self, subject: bytes, reply: bytes, if_none: Callable[[], None]) -> None:
        """Ask who gets what is sent to `subject`, and call `if_none` if the servers say that nobody does.

        `reply` is an inbox of the requester.
        """
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
            question = self._questions[subject] = Question(subject)
            token, inbox = self._new_inbox()
            self._by_token[token] = question
            body = json.dumps({"filter_subject": text, "limit": _MOST_CONNECTIONS})
            trace = headers.encode(headers.traced(inbox, deliver=False))
            self._send([(SUBJECT.encode(), inbox.encode(), None, body.encode()), (subject, b"", trace, b"")])
            self._loop.call_later(_WINDOW, self._decide, token)
        question.if_none.append((requester_of(reply), if_none))
        self._seek(reply)

    def _seek(self, reply: bytes) -> None:
        """Ask who subscribes to the inbox of a requester that is not known."""
        requester = requester_of(reply)
        known = requester in self._here or requester in self._sought.values()
        if known or len(self._sought) >= _MOST_SOUGHT:
            return
        try:
            body = json.dumps({"filter_subject": reply.decode(), "limit": _MOST_CONNECTIONS})
        except UnicodeDecodeError:
            return
        token, inbox = self._new_inbox()
        self._sought[token] = requester
        self._send([(SUBJECT.encode(), inbox.encode(), None, body.encode())])
        self._loop.call_later(_WINDOW, self._sought.pop, token, None)

    def ask_why(self, closed: Identity, told: Callable[[Disconnection], None]) -> None:
        """Ask about a connection that its server has `closed`, when it is done; `told` is called if it answers."""
        self._loop.call_later(_WINDOW, self._ask_why, closed, told)

    def _ask_why(self, closed: Identity, told: Callable[[Disconnection], None]) -> None:
        token, inbox = self._new_inbox()
        self._closed[token] = closed, told
        body = json.dumps({"state": 1, "cid": closed.connection})
        self._send([(SUBJECT.encode(), inbox.encode(), None, body.encode())])
        self._loop.call_later(_WINDOW, self._closed.pop, token, None)

    def refused(self, what: str) -> bool:
        """Whether `what` the server refused is one of the questions; from then on none is asked."""
        own = f'"{self.inbox.lower()}.' in what.lower()
        if "for publish" in what.lower():
            asked = [SUBJECT, *(q.subject.decode() for q in self._questions.values())]
            # The server checks where the trace is to go (`Nats-Trace-Dest`) as if it were published to.
            destination = f"{self.inbox}.*" if own else None
            subject = next((subject for subject in asked if f'"{subject}"' in what), destination)
            if subject is None:
                return False
            self._cannot(f"it is not permitted to publish to [{subject}]")
        elif own:  # no inboxes at all: that is said of those that are watched
            self.why_not = self.why_not or f"it is not permitted to subscribe to [{self.inbox}.*]"
        return own or "for publish" in what.lower()

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
                self._take(question, payload)
            elif token == _LEADING:
                own = Identity.of(self._client.server_info)
                self._leading |= {(own, leaf) for leaf in _leading(payload, f"{self.inbox}.*")}
            elif token in self._sought:
                self._take_requester(self._sought[token], payload)
            elif token in self._closed:
                closed, told = self._closed[token]
                disconnection = _disconnection(payload, closed)
                if disconnection is not None:
                    told(disconnection)

    def _take(self, question: Question, answer: bytes) -> None:
        own = Identity.of(self._client.server_info)
        with suppress(ValueError, LookupError, TypeError, AttributeError):
            question.take(json.loads(answer), own)
        if not self._asks_leading and any((own, leaf) not in self._leading for leaf in question.leaf_nodes):
            self._asks_leading = True
            self._loop.call_later(_WINDOW, self._may_ask_leading)
            inbox = f"{self.inbox}.{_LEADING.decode()}"
            body = json.dumps({"filter_subject": inbox, "subscriptions": True, "limit": _MOST_CONNECTIONS})
            self._send([(SUBJECT.encode(), inbox.encode(), None, body.encode())])

    def _take_requester(self, requester: bytes, answer: bytes) -> None:
        found = Question(requester)
        with suppress(ValueError, LookupError, TypeError, AttributeError):
            found.take(json.loads(answer), Identity.of(self._client.server_info))
        if found.anybody:
            if len(self._here) > _MOST_KNOWN:
                self._here = {b""}
            self._here.add(requester)

    def _send(self, messages: list[Message]) -> None:
        # The subjects are others' choice: what does not fit is left out, and ends nothing.
        self._client.send(messages, lambda message, why: None)

    def _may_ask_leading(self) -> None:
        self._asks_leading = False

    def _decide(self, token: bytes) -> None:
        question = self._by_token.pop(token)
        del self._questions[question.subject]
        if question.forbidden:
            self._cannot(f"it is not permitted to publish to [{question.subject.decode()}]")
            return
        own = Identity.of(self._client.server_info)
        if question.nobody({leaf for to, leaf in self._leading if to == own}):
            self._tell(question)
            self._loop.call_later(_WINDOW, self._tell, question)  # those that were asked for last

    def _tell(self, question: Question) -> None:
        """Nobody is there: say so for the requesters that are in this account."""
        asked, question.if_none = question.if_none, []
        for requester, call in asked:
            if requester in self._here:
                call()
            else:
                question.if_none.append((requester, call))


def _leading(answer: bytes, inbox: str) -> set[Identity]:
    """The leaf nodes of a list that have the subscription of `inbox`."""
    try:
        data = json.loads(answer)
        return {
            Identity(data["server"]["id"], c["cid"])
            for c in data["data"]["connections"]
            if c.get("kind") == "Leafnode" and inbox in c.get("subscriptions_list", ())
        }
    except (ValueError, LookupError, TypeError, AttributeError):
        return set()


def _disconnection(answer: bytes, closed: Identity) -> Disconnection | None:
    try:
        data = json.loads(answer)
        if data["server"]["id"] != closed.server:
            return None
        [found] = [c for c in data["data"]["connections"] if c["cid"] == closed.connection]
        return Disconnection(str(found.get("reason", "")), int(found.get("out_msgs", 0)))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
