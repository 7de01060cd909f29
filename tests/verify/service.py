"""A service that answers in every way, and that can be made to answer otherwise."""

from __future__ import annotations

import asyncio
import json
import threading
from base64 import b64encode
from types import TracebackType
from typing import Any

import nats
from nats.aio.msg import Msg

from natscli.message import headers
from tests.servers import Server

#: Headers and payload of a reply.
Reply = tuple[dict[str, str], bytes]


def usual(number: int) -> list[Reply]:
    """What the service answers to a request on `svc.NUMBER`."""
    kinds: list[list[Reply]] = [
        [({}, json.dumps({"id": number, "items": [{"n": 1}, {"n": 2.5}], "at": "now"}).encode())],
        [({}, bytes(range(256)) + bytes([number % 256]))],
        [({"Trace": str(number), "Kind": "text"}, f"grüße {number}".encode())],
        [({}, b"")],
        [({headers.SERVICE_ERROR: "not here", headers.SERVICE_ERROR_CODE: "404"}, b"details")],
        [({}, b"1"), ({"Part": "2"}, b'{"part": 2}'), ({}, b"")],
    ]
    return kinds[number % len(kinds)]


def by_hand(number: int) -> str:
    """The exchange as a person would write it down."""
    replies: list[dict[str, Any]] = []
    for names, payload in usual(number):
        try:
            content = {"data": payload.decode()}
        except UnicodeDecodeError:
            content = {"data_base64": b64encode(payload).decode()}
        replies.append({"headers": names, **content} if names else content)
    answer = {"reply": replies[0]} if len(replies) == 1 else {"replies": replies}
    return json.dumps({"subject": f"svc.{number}", "request": f"hello {number}", **answer})


class Service:
    """Answers on `svc.*` in a thread. `changes` has other replies by number."""

    def __init__(self, server: Server) -> None:
        self.changes: dict[int, list[Reply]] = {}
        self._url = server.url
        self._ready, self._loop = threading.Event(), asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    def __enter__(self) -> Service:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        client = await nats.connect(self._url)

        async def answer(message: Msg) -> None:
            number = int(message.subject.rpartition(".")[2])
            for names, payload in self.changes.get(number, usual(number)):
                await client.publish(message.reply, payload, headers=names or None)

        await client.subscribe("svc.*", cb=answer)
        await client.flush()
        self._ready.set()
        await self._stop.wait()
        await client.close()
