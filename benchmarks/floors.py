"""The floors: what a job costs without pynats.

`python -m benchmarks.floors NAME HOST PORT SUBJECT ...`. Each imports only what it needs.
The `bare-` ones are what anybody writes with nats-py in ten lines. `raw-reply` is the practical limit of one Python
process: no client library at all, whole reads parsed by the regular expression engine, one write of replies and one of
log lines for each read. `mirror` is not even a responder but a search-and-replace; it measures the generator and the
server.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from itertools import chain

QUEUE = "NATS-RPLY-22"


def bare_reply(host: str, port: str, subject: str, body: str) -> None:
    """nats-py as its README shows it: a callback that responds. No output."""
    import asyncio

    import nats

    async def serve() -> None:
        connection = await nats.connect(f"nats://{host}:{port}")
        payload = body.encode()

        async def answer(message: nats.aio.msg.Msg) -> None:
            await message.respond(payload)

        await connection.subscribe(subject, queue=QUEUE, cb=answer)
        await _stopped()
        await connection.drain()

    asyncio.run(serve())


def bare_echo(host: str, port: str, subject: str) -> None:
    """The same, answering with what was asked, headers included."""
    import asyncio

    import nats

    async def serve() -> None:
        connection = await nats.connect(f"nats://{host}:{port}")

        async def answer(message: nats.aio.msg.Msg) -> None:
            await connection.publish(message.reply, message.data, headers=message.headers)

        await connection.subscribe(subject, queue=QUEUE, cb=answer)
        await _stopped()
        await connection.drain()

    asyncio.run(serve())


async def _stopped() -> None:
    """Return at SIGTERM."""
    import asyncio

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()


def bare_request(host: str, port: str, subject: str, body: str, count: str, tasks: str) -> None:
    """nats-py's `request` from so many tasks at once until `count` are answered. No output."""
    import asyncio

    import nats

    async def send() -> None:
        connection = await nats.connect(f"nats://{host}:{port}")
        payload = body.encode()
        left = int(count)

        async def work() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                await connection.request(subject, payload, timeout=5)

        await asyncio.gather(*(work() for _ in range(int(tasks))))
        await connection.close()

    asyncio.run(send())


def bare_publish(host: str, port: str, subject: str, body: str, count: str) -> None:
    """nats-py's `publish` in a loop, and a flush. No output."""
    import asyncio

    import nats

    async def send() -> None:
        connection = await nats.connect(f"nats://{host}:{port}")
        payload = body.encode()
        for _ in range(int(count)):
            await connection.publish(subject, payload)
        await connection.flush()
        await connection.close()

    asyncio.run(send())


def bare_subscribe(host: str, port: str, subject: str, count: str) -> None:
    """nats-py's callback, which writes each payload and a line break to stdout, until `count` came."""
    import asyncio

    import nats

    async def receive() -> None:
        connection = await nats.connect(f"nats://{host}:{port}")
        done = asyncio.Event()
        left = int(count)
        write = sys.stdout.buffer.write

        async def show(message: nats.aio.msg.Msg) -> None:
            nonlocal left
            write(message.data + b"\n")
            left -= 1
            if not left:
                done.set()

        await connection.subscribe(subject, cb=show)
        await done.wait()
        await connection.close()

    asyncio.run(receive())


def bare_watch(host: str, port: str, subject: str) -> None:
    """nats-py's callback, which counts, whatever it misses. No output."""
    import asyncio

    import nats

    async def ignore(*_: object) -> None: ...

    async def watch() -> None:
        connection = await nats.connect(f"nats://{host}:{port}", error_cb=ignore, disconnected_cb=ignore)
        seen = 0

        async def count(message: nats.aio.msg.Msg) -> None:  # noqa: ARG001
            nonlocal seen
            seen += 1

        await connection.subscribe(subject, cb=count)
        await _stopped()

    asyncio.run(watch())


def raw_reply(host: str, port: str, subject: str, body: str, log: str = "log") -> None:
    """asyncio without a client: parse the read, answer it in one write, log it in another (unless `quiet`)."""
    import asyncio

    connect = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True, "protocol": 1}
    hello = f"CONNECT {json.dumps(connect)}\r\nSUB {subject} {QUEUE} 1\r\nPING\r\n".encode()
    after = b" %d\r\n%b\r\n" % (len(body.encode()), body.encode())
    between = after + b"PUB "
    quiet = log == "quiet"

    class Responder(asyncio.Protocol):
        def __init__(self) -> None:
            self.rest = b""
            self.count = 0
            self.done = asyncio.get_running_loop().create_future()

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport
            self.write = transport.write
            self.write(hello)

        def data_received(self, data: bytes) -> None:
            if self.rest:
                data = self.rest + data
                self.rest = b""
            found = MESSAGE.findall(data)
            if found:
                records, subjects, replies, sizes, payloads = zip(*found, strict=True)
                whole = b"".join(records)
                # The search is right if nothing lies between the messages and each payload has its size.
                if data.startswith(whole) and list(map(len, payloads)) == list(map(int, sizes)):
                    self.answer(subjects, replies, payloads)
                    data = data[len(whole) :]
            if data:
                self.rest = self.one_by_one(data)

        def one_by_one(self, data: bytes) -> bytes:
            """Whatever the search could not take; returns what is not complete."""
            position = 0
            while (end := data.find(b"\r\n", position)) >= 0:
                words = data[position:end].split()
                if words[0] == b"MSG":
                    stop = end + 2 + int(words[-1])
                    if len(data) < stop + 2:
                        break
                    self.answer((words[1],), (words[3],), (data[end + 2 : stop],))
                    position = stop + 2
                    continue
                if words[0] == b"PING":
                    self.write(b"PONG\r\n")
                position = end + 2
            return data[position:]

        def answer(
            self, subjects: tuple[bytes, ...], replies: tuple[bytes, ...], payloads: tuple[bytes, ...]
        ) -> None:
            self.write(b"PUB " + between.join(replies) + after)
            first = self.count
            self.count += len(replies)
            if not quiet:
                os.write(1, log_lines(first, subjects, payloads))

        def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
            self.done.set_result(None)

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        _, responder = await loop.create_connection(Responder, host, int(port))
        loop.add_signal_handler(signal.SIGTERM, responder.transport.close)
        await responder.done

    asyncio.run(serve())


#: record, subject, reply, size, payload
MESSAGE = re.compile(rb"(MSG (\S+) 1 (\S+) (\d+)\r\n([^\r]*)\r\n)")


def raw_request(host: str, port: str, subject: str, body: str, count: str, most: str) -> None:
    """asyncio without a client: `most` in flight, each reply held against its request, timed and written to stdout."""
    import asyncio

    inbox = f"_INBOX.{os.urandom(11).hex()}."
    connect = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True, "protocol": 1}
    hello = f"CONNECT {json.dumps(connect)}\r\nSUB {inbox}* 1\r\nPING\r\n".encode()
    before = f"PUB {subject} {inbox}".encode()
    after = b" %d\r\n%b\r\n" % (len(body.encode()), body.encode())
    between, cut = after + before, len(inbox)

    class Requester(asyncio.Protocol):
        def __init__(self) -> None:
            self.rest = b""
            self.left = int(count)
            self.in_flight: dict[bytes, int] = {}
            self.rtts: list[int] = []
            self.done = asyncio.get_running_loop().create_future()

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.write = transport.write
            self.write(hello)
            self.send(int(most))

        def send(self, number: int) -> None:
            number = min(number, self.left)
            self.left -= number
            digits = os.urandom(8 * number).hex().encode()
            tokens = [digits[start : start + 16] for start in range(0, 16 * number, 16)]
            self.in_flight.update(dict.fromkeys(tokens, time.perf_counter_ns()))
            if tokens:
                self.write(before + between.join(tokens) + after)

        def data_received(self, data: bytes) -> None:
            now = time.perf_counter_ns()
            data = self.rest + data
            found = REPLY.findall(data)
            if found:
                records, subjects, sizes, payloads = zip(*found, strict=True)
                whole = b"".join(records)
                # The search is right if nothing lies between the messages and each payload has its size.
                if data.startswith(whole) and list(map(len, payloads)) == list(map(int, sizes)):
                    self.take(subjects, payloads, now)
                    data = data[len(whole) :]
            self.rest = self.one_by_one(data, now) if data else b""

        def one_by_one(self, data: bytes, now: int) -> bytes:
            """Whatever the search could not take; returns what is not complete."""
            position = 0
            while (end := data.find(b"\r\n", position)) >= 0:
                words = data[position:end].split()
                if words[0] == b"MSG":
                    stop = end + 2 + int(words[-1])
                    if len(data) < stop + 2:
                        break
                    self.take((words[1],), (data[end + 2 : stop],), now)
                    position = stop + 2
                    continue
                if words[0] == b"PING":
                    self.write(b"PONG\r\n")
                position = end + 2
            return data[position:]

        def take(self, subjects: tuple[bytes, ...], payloads: tuple[bytes, ...], now: int) -> None:
            sent = [self.in_flight.pop(name[cut:]) for name in subjects]
            self.rtts += [now - at for at in sent]
            self.send(len(sent))
            os.write(1, b"\n".join(payloads) + b"\n")
            if not self.in_flight:
                self.done.set_result(None)

    async def run() -> None:
        _, requester = await asyncio.get_running_loop().create_connection(Requester, host, int(port))
        await requester.done

    asyncio.run(run())


#: record, subject, size, payload
REPLY = re.compile(rb"(MSG (\S+) 1 (\d+)\r\n([^\r]*)\r\n)")


def log_lines(first: int, subjects: tuple[bytes, ...], payloads: tuple[bytes, ...]) -> bytes:
    """What `pynats reply` logs about these requests, to the byte (a test compares them)."""
    line = time.strftime("%Y-%m-%d %H:%M:%S [#%%d] Received on [%%b]\n%%b\n\n").encode()
    count = len(subjects)
    items = zip(range(first, first + count), subjects, payloads, strict=True)
    return (line * count) % tuple(chain.from_iterable(items))


def mirror(host: str, port: str, subject: str, request: str, body: str) -> None:
    """Turns the text of requests into the text of replies; only for requests that are all the same."""
    from benchmarks.wire import Wire, WireError

    wire = Wire(host, int(port), timeout=600)
    rest = wire.subscribe(subject, QUEUE)
    before = f"MSG {subject} 1 ".encode()
    middle = f" {len(request)}\r\n{request}\r\n".encode()
    answer = f" {len(body)}\r\n{body}\r\n".encode()
    while True:
        try:
            chunk = wire.receive()
        except WireError:
            return
        if not chunk:
            return
        if b"PING\r\n" in chunk:
            wire.send(b"PONG\r\n")
            chunk = chunk.replace(b"PING\r\n", b"")
        rest += chunk
        used = rest.rfind(middle) + len(middle)
        if used >= len(middle):
            wire.send(rest[:used].replace(before, b"PUB ").replace(middle, answer))
            rest = rest[used:]


FLOORS: dict[str, Callable[..., None]] = {
    "bare-reply": bare_reply,
    "bare-echo": bare_echo,
    "bare-request": bare_request,
    "bare-publish": bare_publish,
    "bare-subscribe": bare_subscribe,
    "bare-watch": bare_watch,
    "raw-reply": raw_reply,
    "raw-request": raw_request,
    "mirror": mirror,
}

if __name__ == "__main__":
    # nats-py imports aiohttp where it is installed, which no floor should pay for.
    sys.modules["aiohttp"] = None  # type: ignore[assignment]
    FLOORS[sys.argv[1]](*sys.argv[2:])
