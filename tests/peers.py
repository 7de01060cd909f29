"""Those who are watched: nats-py clients in a thread of their own, with no line of pynats in them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

import nats
import nats.micro
from nats.aio.client import Client
from nats.aio.msg import Msg

T = TypeVar("T")
#: Answers one request.
Answer = Callable[[Msg], Awaitable[None]]


async def echo(message: Msg) -> None:
    """Reply with the payload."""
    await message.respond(message.data)


async def never(message: Msg) -> None:
    """Give no reply."""


class Peers:
    """An event loop in a thread, and the clients in it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._clients: list[Client] = []
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], timeout: float = 60) -> T:
        """What `work` returns; it runs in the thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)

    def connect(self, url: str, **options: Any) -> Client:
        """A client that reconnects quickly and quietly."""

        async def ignore(*_: object) -> None:
            pass

        options = {"error_cb": ignore, "reconnect_time_wait": 0.1, "max_reconnect_attempts": -1, **options}
        client = self.run(nats.connect(url, **options))
        self._clients.append(client)
        return client

    def respond(self, client: Client, subject: str, answer: Answer = echo, queue: str = "") -> None:
        """Answer requests on `subject`; returns when the server knows."""

        async def subscribe() -> None:
            await client.subscribe(subject, queue=queue, cb=answer)
            await client.flush()

        self.run(subscribe())

    def request(self, client: Client, subject: str, payload: bytes = b"", **options: Any) -> Msg | Exception:
        """The reply to a request, or the exception that nats-py raises without one."""

        async def ask() -> Msg | Exception:
            try:
                return await client.request(subject, payload, **{"timeout": 5, **options})
            except Exception as error:
                return error

        return self.run(ask())

    def service(
        self,
        client: Client,
        name: str,
        endpoints: Mapping[str, Callable[..., Awaitable[None]]],
        **config: Any,
    ) -> nats.micro.Service:
        """An instance of a NATS service, with `endpoints` by name."""

        async def add() -> nats.micro.Service:
            service = await nats.micro.add_service(client, name=name, **{"version": "1.0.0", **config})
            for endpoint, handler in endpoints.items():
                await service.add_endpoint(name=endpoint, subject=f"{name}.{endpoint}", handler=handler)
            await client.flush()
            return service

        return self.run(add())

    def close(self) -> None:
        """Disconnect all, and end the thread."""

        async def leave() -> None:
            await asyncio.gather(*(client.close() for client in self._clients), return_exceptions=True)

        self.run(leave())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
