"""Who might have been meant, when nobody subscribes to the subject of a request.

`$SYS.REQ.ACCOUNT.PING.CONNZ`, which users of any account may request, has the connections of the account with their
subscriptions. Every server of a cluster answers.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from natscli.connection.connection import Connection
from natscli.message.message import Message
from natscli.system.waiting import within

_SUBJECT = b"$SYS.REQ.ACCOUNT.PING.CONNZ"
#: Seconds that servers have to answer, and those that others have once one did.
_LONGEST, _OTHERS = 0.5, 0.1
#: Connections that a server tells of.
_MOST_CONNECTIONS = 256
#: The least likeness of a subject that is named, and how many are.
_CUTOFF, _MOST_NAMED = 0.6, 2


async def hint(connection: Connection, subject: str, context: str) -> str:
    """Where nobody subscribes to `subject`, and which similar subjects have subscribers there."""
    where = f"nobody subscribes to it on {connection.url}" + (f", context {context}" if context else "")
    named = nearest(subject, await _subscriptions(connection))
    return f"{where}; did you mean {' or '.join(named)}?" if named else where


def nearest(subject: str, subscriptions: Mapping[str, int]) -> list[str]:
    """The subjects most like `subject`, the most similar first, with the number of their subscribers."""
    lower = {name.lower(): name for name in subscriptions}
    found = get_close_matches(subject.lower(), lower, _MOST_NAMED, _CUTOFF)
    counted = [(lower[name], subscriptions[lower[name]]) for name in found]
    return [f"{name} ({count} subscriber{'' if count == 1 else 's'})" for name, count in counted]


def subscribed(answer: bytes) -> Iterator[str]:
    """The subjects of the subscriptions in the answer of a server, but for inboxes and those of servers."""
    try:
        connections = json.loads(answer)["data"]["connections"]
        lists = [connection.get("subscriptions_list", ()) for connection in connections]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return
    for names in lists:
        for name in names if isinstance(names, list) else ():
            if isinstance(name, str) and not name.startswith(("_INBOX.", "$", "_R_.")):
                yield name


async def _subscriptions(connection: Connection) -> Counter[str]:
    client, found = connection.client, Counter[str]()
    answered = asyncio.Event()
    connection.on_refusal = lambda error: answered.set()

    def on_answers(batch: list[Message], arrived: int) -> None:  # noqa: ARG001
        for _, _, _, payload in batch:
            found.update(subscribed(payload))
        answered.set()

    inbox = client.new_inbox()
    await client.subscribe_batches(inbox, "", on_answers)
    question: dict[str, Any] = {"subscriptions": True, "limit": _MOST_CONNECTIONS}
    client.send([(_SUBJECT, inbox.encode(), None, json.dumps(question).encode())])
    try:
        await within(_LONGEST, answered.wait())
    except asyncio.TimeoutError:
        return found
    if client.server_info.get("cluster"):
        await asyncio.sleep(_OTHERS)
    return found
