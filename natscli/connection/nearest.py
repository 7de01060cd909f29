"""Who might have been meant, when nobody subscribes to the subject of a request.

`$SYS.REQ.ACCOUNT.PING.CONNZ`, which users of any account may request, has the connections of the account with their
subscriptions. Every server of a cluster answers.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

from natscli.connection.connection import Connection
from natscli.errors import PynatsError
from natscli.message.message import Message
from natscli.text import replaced
from natscli.wire.nats_py import errors as nats_errors

_SUBJECT = b"$SYS.REQ.ACCOUNT.PING.CONNZ"
#: Seconds that servers have to answer, and those that others have once one did.
_LONGEST, _OTHERS = 0.5, 0.1
#: Connections that a server tells of.
_MOST_CONNECTIONS = 256
#: The least likeness of a subject that is named, and how many are.
_CUTOFF, _MOST_NAMED = 0.6, 2
#: How servers call the clients that NestJS is built on.
_JAVASCRIPT = ("nats.js", "nats.ws")


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


async def who_listens(connection: Connection, subject: str, *, all_clients: bool) -> str:
    """Which clients subscribe to `subject` and have not answered, and why that may be; perhaps nothing.

    Without `all_clients`, only where something is known to take requests for something else.
    """
    found: Counter[str] = Counter()
    await _ask(connection, {"filter_subject": subject}, lambda payload: found.update(_clients(payload)))
    names = ", ".join(f"{count} x {name}" if count > 1 else name for name, count in found.most_common(3))
    said = f"{found.total()} subscribe{'s' if found.total() == 1 else ''} to it and did not answer: {names}"
    if any(name.startswith(_JAVASCRIPT) for name in found):
        return f"{said}; to NestJS a request without an id is an event, which gets no reply: --format nestjs"
    return said if found and all_clients else ""


def _clients(answer: bytes) -> Iterator[str]:
    """The clients in the answer of a server, but for those that watch: language and version, and a name."""
    try:
        for client in json.loads(answer)["data"]["connections"]:
            name, lang = str(client.get("name", "")), f"{client.get('lang', '')} {client.get('version', '')}"
            if not name.startswith("pynats watch"):
                yield replaced(lang.strip() or "a client") + (f" {name!r}" if name else "")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return


async def _subscriptions(connection: Connection) -> Counter[str]:
    found: Counter[str] = Counter()
    question = {"subscriptions": True}
    await _ask(connection, question, lambda payload: found.update(subscribed(payload)))
    return found


async def _ask(connection: Connection, question: dict[str, Any], take: Callable[[bytes], object]) -> None:
    """Ask all servers; those that answer soon are heard. Of a connection that was lost meanwhile nothing is heard."""
    with suppress(asyncio.TimeoutError, OSError, nats_errors.Error, PynatsError):
        await connection.while_there(_LONGEST, _first_answer(connection, question, take))
        if connection.client.server_info.get("cluster"):
            await asyncio.sleep(_OTHERS)


async def _first_answer(
    connection: Connection, question: dict[str, Any], take: Callable[[bytes], object]
) -> None:
    client = connection.client
    answered = asyncio.Event()
    connection.on_refusal = lambda error: answered.set()

    def on_answers(batch: list[Message], arrived: int) -> None:  # noqa: ARG001
        for _, _, _, payload in batch:
            take(payload)
        answered.set()

    inbox = client.new_inbox()
    await client.subscribe_batches(inbox, "", on_answers)
    body = json.dumps({**question, "limit": _MOST_CONNECTIONS})
    client.send([(_SUBJECT, inbox.encode(), None, body.encode())])
    await answered.wait()
