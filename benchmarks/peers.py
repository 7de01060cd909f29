"""What people use instead, in Python: the same ten lines with another client. No output.

`python -m benchmarks.peers NAME HOST PORT SUBJECT ...`. nats-py's are among the floors; `peers.mjs` has those of
JavaScript. `benchmarks/alternatives.py` installs the clients.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from importlib import import_module
from typing import Any

QUEUE = "NATS-RPLY-22"


async def natsio_reply(url: str, subject: str, body: str) -> None:
    """natsio: a callback that responds."""
    natsio = import_module("natsio")  # an older one of other tests has other names

    connection = await natsio.connect(url)
    payload = body.encode()

    async def answer(message: Any) -> None:
        await message.respond(payload)

    connection.subscribe(subject, queue=QUEUE, cb=answer)
    await _stopped()
    await connection.close()


async def natsio_request(url: str, subject: str, body: str, count: str, tasks: str) -> None:
    """natsio: requests from `tasks` tasks at once, until `count` are answered."""
    natsio = import_module("natsio")  # an older one of other tests has other names

    connection = await natsio.connect(url)
    payload = body.encode()
    await _from_tasks(lambda: connection.request(subject, payload), int(count), int(tasks))
    await connection.close()


async def natsrpy_reply(url: str, subject: str, body: str) -> None:
    """natsrpy: a callback that publishes to the reply subject."""
    from natsrpy import Nats

    connection = Nats([url])
    await connection.startup()
    payload = body.encode()

    async def answer(message: Any) -> None:
        await connection.publish(message.reply, payload)

    subscription = await connection.subscribe(subject, answer, QUEUE).detatch()
    await _stopped()
    await subscription.unsubscribe()
    await connection.shutdown()


async def natsrpy_request(url: str, subject: str, body: str, count: str, tasks: str) -> None:
    """natsrpy: requests from `tasks` tasks at once, until `count` are answered."""
    from natsrpy import Nats

    connection = Nats([url])
    await connection.startup()
    payload = body.encode()
    await _from_tasks(lambda: connection.request(subject, payload), int(count), int(tasks))
    await connection.shutdown()


async def _from_tasks(ask: Callable[[], Awaitable[Any]], count: int, tasks: int) -> None:
    left = count

    async def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await ask()

    await asyncio.gather(*(work() for _ in range(tasks)))


async def _stopped() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()


PEERS: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
    "natsio-reply": natsio_reply,
    "natsio-request": natsio_request,
    "natsrpy-reply": natsrpy_reply,
    "natsrpy-request": natsrpy_request,
}

if __name__ == "__main__":
    name, folder, host, port, *arguments = sys.argv[1:]
    sys.path.insert(0, folder)
    asyncio.run(PEERS[name](f"nats://{host}:{port}", *arguments))
    sys.stdout.flush()
    os._exit(0)  # not the time that other threads take to end
