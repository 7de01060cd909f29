"""The connection below nats-py, on real servers: whole reads, with TLS, and in order."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import ssl
import sys
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

import natscli
from natscli.backoff import Backoff
from natscli.message.message import Message
from natscli.wire import nats_py, next_server
from natscli.wire.client import Client
from natscli.wire.parser import BatchParser
from natscli.wire.transport import MOST_UNSENT, READ_SIZE, Transport
from tests.certificates import Certificates
from tests.servers import Server, start_server
from tests.wire.test_client import Recorder, kept_by


@pytest.mark.parametrize("how", ["clear", "TLS", "TLS first"])
def test_every_size_of_payload_comes_through(
    nats_server: Server,
    server_factory: Callable[..., Server],
    certificates: Certificates,
    how: str,
) -> None:
    server, options = nats_server, dict[str, Any]()
    if how != "clear":
        server = server_factory(certificates.server_config(first=how == "TLS first"))
        options["tls"] = ssl.create_default_context(cafile=str(certificates.ca))
        options["tls_handshake_first"] = how == "TLS first"
    sizes = [0, 1, 100, 65_400, 65_536, 262_144, 1_000_000, 3, 500_000, 70_000, *range(200)] * 2
    payloads = [os.urandom(size) for size in sizes]

    async def go() -> list[bytes]:
        came: list[bytes] = []
        done = asyncio.Event()

        def on_batch(batch: list[Message], arrived: int) -> None:
            came.extend(payload for _, _, _, payload in batch)
            if len(came) == len(payloads):
                done.set()

        async with Client() as receiver, Client() as sender:
            for client in (receiver, sender):
                await client.connect(server.url, **options)
            await receiver.subscribe_batches("sizes.>", "", on_batch)
            await receiver.flush()
            for number, payload in enumerate(payloads):
                sender.send([(b"sizes.%d" % number, b"", None, payload)])
            await asyncio.wait_for(done.wait(), 30)
        return came

    assert asyncio.run(go()) == payloads


_ONE_RECORD = pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 gives each TLS record apart")


@pytest.mark.parametrize("how", ["clear", pytest.param("TLS", marks=_ONE_RECORD)])
def test_reads_that_leave_something_behind_are_counted(
    nats_server: Server, server_factory: Callable[..., Server], certificates: Certificates, how: str
) -> None:
    """A receiver that takes longer for each read than the server for 256 kB."""
    server, options = nats_server, dict[str, Any]()
    if how == "TLS":
        server = server_factory(certificates.server_config())
        options["tls"] = ssl.create_default_context(cafile=str(certificates.ca))
    total = 20_000

    async def go() -> tuple[int, int]:
        done, came = asyncio.Event(), 0

        def on_batch(batch: list[Message], arrived: int) -> None:
            nonlocal came
            came += len(batch)
            time.sleep(0.02)
            if came == total:
                done.set()

        async with Client() as receiver, Client() as sender:
            for client in (receiver, sender):
                await client.connect(server.url, **options)
            await receiver.subscribe_batches("full", "", on_batch)
            await receiver.flush()
            before = receiver.reads
            sender.send([(b"full", b"", None, bytes(1000))] * total)
            await asyncio.wait_for(done.wait(), 60)
            await receiver.flush()
            full, emptied = receiver.reads
            return full - before[0], emptied - before[1]

    full, emptied = asyncio.run(go())
    assert full > 50
    assert emptied > 0


def test_what_is_for_nats_py_and_what_is_not_both_keep_their_order(nats_server: Server) -> None:
    total = 20_000

    async def go() -> dict[str, list[int]]:
        came: dict[str, list[int]] = {"batches": [], "own": []}

        async with Client() as receiver, Client() as sender:
            for client in (receiver, sender):
                await client.connect(nats_server.url)

            def on_batch(batch: list[Message], arrived: int) -> None:
                came["batches"].extend(int(payload) for _, _, _, payload in batch)

            async def on_message(message: Any) -> None:
                came["own"].append(int(message.data))

            await receiver.subscribe_batches("order.batches", "", on_batch)
            await receiver.subscribe("order.own", cb=on_message)
            await receiver.flush()
            for start in range(0, total, 100):
                numbers = range(start, start + 100)
                sender.send([(b"order.batches", b"", None, b"%d" % n) for n in numbers])
                sender.send([(b"order.own", b"", None, b"%d" % n) for n in numbers if not n % 50])
                await asyncio.sleep(0)
            await sender.flush()
            await receiver.flush()  # its PONG comes after them all
            assert len(came["batches"]) == total
            deadline = time.monotonic() + 10
            while len(came["own"]) < total // 50 and time.monotonic() < deadline:
                await asyncio.sleep(0.01)
        return came

    assert asyncio.run(go()) == {"batches": list(range(total)), "own": list(range(0, total, 50))}


def test_replies_that_are_not_taken_stop_the_reading_of_requests(nats_server: Server) -> None:
    """What goes to the server is held up on its way; 32 MB of requests come, and must not become 32 MB of replies."""

    async def go() -> tuple[int, int]:
        held_up = asyncio.Event()

        async def forward(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stops: asyncio.Event | None
        ) -> None:
            with suppress(OSError):
                while data := await reader.read(1 << 16):
                    if stops is not None and stops.is_set():
                        await asyncio.sleep(3600)
                    writer.write(data)
                    await writer.drain()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            host, port = nats_server.url.removeprefix("nats://").split(":")
            server_reader, server_writer = await asyncio.open_connection(host, int(port))
            await asyncio.gather(
                forward(reader, server_writer, held_up), forward(server_reader, writer, None)
            )

        middle = await asyncio.start_server(accept, "127.0.0.1", 0)
        responder, requester = Client(), Client()
        await responder.connect(f"nats://127.0.0.1:{middle.sockets[0].getsockname()[1]}")
        await requester.connect(nats_server.url)
        answered = waiting = 0

        def on_batch(batch: list[Message], arrived: int) -> None:
            nonlocal answered, waiting
            held_up.set()
            responder.send([(reply, b"", None, payload) for _, reply, _, payload in batch])
            answered += len(batch)
            waiting = max(waiting, responder._transport._io_writer.transport.get_write_buffer_size())

        await responder.subscribe_batches("held.up", "", on_batch)
        await responder.flush()
        for _ in range(512):
            requester.send([(b"held.up", b"inbox", None, bytes(1 << 16))])
            await requester.flush()
        await asyncio.sleep(0.5)
        await responder.discard()
        await requester.close()
        middle.close()
        return answered, waiting

    answered, waiting = asyncio.run(go())
    assert 0 < answered < 400
    assert waiting < MOST_UNSENT + (1 << 20)


@pytest.mark.parametrize("step", ["feed", "room", "filled"])
def test_a_read_that_cannot_be_taken_ends_the_connection_and_not_the_service(
    nats_server: Server, step: str
) -> None:
    """nats-py reconnects; an exception that asyncio gets would leave a connection that nobody reads."""

    async def go() -> list[bytes]:
        came: list[bytes] = []
        lost, back, got = asyncio.Event(), asyncio.Event(), asyncio.Event()

        def on_batch(batch: list[Message], arrived: int) -> None:
            came.extend(payload for _, _, _, payload in batch)
            got.set()

        async def on_lost() -> None:
            lost.set()

        async def on_back() -> None:
            back.set()

        async with Client() as receiver, Client() as sender:
            await receiver.connect(
                nats_server.url, disconnected_cb=on_lost, reconnected_cb=on_back, reconnect_time_wait=0.01
            )
            await sender.connect(nats_server.url)
            await receiver.subscribe_batches("taken", "", on_batch)
            await receiver.flush()
            works = getattr(receiver._ps, step)

            def no_memory(*argument: object) -> bytes:
                setattr(receiver._ps, step, works)
                raise MemoryError

            setattr(receiver._ps, step, no_memory)
            sender.send([(b"taken", b"", None, bytes(1_000_000))])
            await asyncio.wait_for(lost.wait(), 10)
            await asyncio.wait_for(back.wait(), 10)
            await receiver.flush()
            sender.send([(b"taken", b"", None, b"came")])
            await asyncio.wait_for(got.wait(), 10)
        return came

    assert asyncio.run(go()) == [b"came"]


def test_what_was_read_from_the_last_connection_does_not_go_into_the_next(nats_server: Server) -> None:
    async def go() -> list[bytes]:
        came: list[bytes] = []
        back = asyncio.Event()

        async def on_back() -> None:
            back.set()

        async with Client() as client:
            await client.connect(nats_server.url, reconnected_cb=on_back, reconnect_time_wait=0.01)
            await client.subscribe_batches("anew", "", lambda batch, _: came.extend(m[3] for m in batch))
            await client.flush()
            client._transport._protocol.awaited = False
            client._transport._protocol.data_received(b"MSG anew 1 600000\r\nxxx")
            await client.force_reconnect()
            await asyncio.wait_for(back.wait(), 10)
            client.send([(b"anew", b"", None, b"came")])
            await client.flush()
        return came

    assert asyncio.run(go()) == [b"came"]


def test_writing_to_a_connection_that_is_lost_is_no_error(nats_server: Server) -> None:
    async def go() -> None:
        client = Client()
        await client.connect(nats_server.url)
        transport = client._transport
        transport.abort()
        await asyncio.sleep(0.05)
        transport.writelines([b"PI", b"NG\r\n"])
        await client.close()

    asyncio.run(go())


class Socket(asyncio.Transport):
    """The socket as asyncio's protocols see it; what it would write piles up now and then."""

    reading = True

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance

    def pause_reading(self) -> None:
        self.reading = False

    def close(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def resume_reading(self) -> None:
        self.reading = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return self._chance.choice([0, 0, 0, MOST_UNSENT + 1])


def random_stream(chance: random.Random, read_size: int) -> bytes:
    parts = []
    for _ in range(chance.randrange(1, 14)):
        size = chance.choice([0, 1, read_size - 1, read_size, read_size + 1, chance.randrange(6 * read_size)])
        body = bytes(chance.choices(b"ab\r\n MSG1", k=size))
        sid = chance.choice([1, 1, 2, 3])  # 3 is for nats-py
        parts.append(
            chance.choice(
                [
                    b"MSG s %d r %d\r\n%b\r\n" % (sid, size, body),
                    b"HMSG s %d r 12 %d\r\nNATS/1.0\r\n\r\n%b\r\n" % (sid, size + 12, body),
                    b"PING\r\n",
                ]
            )
        )
    return b"".join(parts)


def pass_through(chance: random.Random, patch: pytest.MonkeyPatch) -> tuple[list[Any], list[Any]]:
    """What the transport and the parser made of a random stream, and what nats-py's parser made of it.

    Reads are of any size; nats-py's reading task and back-pressure come in between at random.
    """
    read_size = chance.choice([3, 8, 20, 64, 300])
    patch.setattr("natscli.wire.transport.READ_SIZE", chance.choice([1, 5, read_size, 2 * read_size]))
    patch.setattr(BatchParser, "read_size", read_size)
    stream = random_stream(chance, read_size)
    theirs, ours = Recorder(), Recorder()
    parser = BatchParser(ours)

    async def some_turns() -> None:
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)

    async def go() -> None:
        await nats_py.Parser(theirs).parse(stream)
        transport = Transport(lambda: chance.choice([parser, parser, parser, None]))
        reader, protocol = transport._streams()
        socket = Socket(chance)
        protocol.connection_made(socket)
        transport._use(socket, protocol, reader)

        async def read() -> None:
            while data := await transport.read(0):
                await parser.parse(data)
                await some_turns()

        reading = asyncio.ensure_future(read())
        position = 0
        while position < len(stream):
            await some_turns()
            if socket.reading:
                view = protocol.get_buffer(-1)
                part = stream[
                    position : position + chance.choice([1, len(view), chance.randint(1, len(view))])
                ]
                view[: len(part)] = part
                position += len(part)
                protocol.buffer_updated(len(part))
        protocol.eof_received()
        await asyncio.wait_for(reading, 10)

    asyncio.run(go())
    assert not kept_by(parser)
    return ours.seen, theirs.seen


def test_whichever_way_a_read_goes_the_order_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(400):
        ours, theirs = pass_through(random.Random(seed), monkeypatch)
        assert ours == theirs, f"seed {seed}"


def test_a_large_message_is_read_to_where_it_belongs() -> None:
    async def go() -> None:
        parser = BatchParser(Recorder())
        transport = Transport(lambda: parser)
        _, protocol = transport._streams()
        protocol.connection_made(Socket(random.Random(0)))
        protocol._unsent = lambda: 0
        protocol.awaited = True
        whole = protocol.get_buffer(-1)
        assert len(whole) == READ_SIZE
        for size in (READ_SIZE + 1, 4 * READ_SIZE):
            begun = b"MSG s 1 r %d\r\n" % size
            whole[: len(begun)] = begun
            protocol.buffer_updated(len(begun))
            room = protocol.get_buffer(-1)
            assert room.obj is parser._room.obj
            while parser._needed:
                room = protocol.get_buffer(-1)
                assert len(room) >= READ_SIZE
                protocol.buffer_updated(min(len(room), parser._needed - parser._filled))
            assert [len(payload) for _, _, _, payload, _ in parser.nc.seen] == [size]
            parser.nc.seen.clear()
            assert protocol._room.obj is whole.obj  # and nothing holds the room
            assert protocol.get_buffer(-1).obj is whole.obj

    asyncio.run(go())


def test_attempts_to_reconnect_leave_no_buffers_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener whose server is away tries for hours; the garbage collector may not come in all that time."""
    monkeypatch.setattr(next_server, "UNREACHED", Backoff(0.01, 0.01))

    async def main() -> tuple[int, int]:
        with start_server() as server:
            client = await natscli.connect(server=server.url)
            server.stop()

            def attempts() -> int:
                return sum(client._next._failures.values())

            async def reach(number: int) -> None:
                while attempts() < number:
                    await asyncio.sleep(0.01)

            await asyncio.wait_for(reach(5), 30)
            tracemalloc.start()
            before = attempts()
            await asyncio.wait_for(reach(before + 40), 60)
            traced, done = tracemalloc.get_traced_memory()[0], attempts() - before
            await client.close()
            return traced, done

    gc.disable()
    try:
        traced, done = asyncio.run(main())
    finally:
        gc.enable()
        tracemalloc.stop()
    assert done >= 40
    assert traced < done * READ_SIZE / 8


@pytest.mark.parametrize("secure", [False, True])
def test_connections_that_are_lost_leave_little_to_the_garbage_collector(
    server_factory: Callable[..., Server],
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    secure: bool,
) -> None:
    monkeypatch.setattr(next_server, "REACHED", Backoff(0.001, 0.001))
    server = server_factory(certificates.server_config() if secure else "")

    async def main() -> int:
        tlsca = str(certificates.ca) if secure else None
        client = await natscli.connect(server=server.url, tlsca=tlsca, no_context=True)

        async def cut(times: int) -> None:
            for _ in range(times):
                reconnects = client.stats["reconnects"]
                client._transport.abort()
                while client.stats["reconnects"] == reconnects or not client.is_connected:
                    await asyncio.sleep(0.002)

        await cut(5)
        tracemalloc.start()
        await cut(30)
        traced = tracemalloc.get_traced_memory()[0]
        await client.close()
        return traced // 30

    gc.disable()
    try:
        assert asyncio.run(asyncio.wait_for(main(), 60)) < 30_000
    finally:
        gc.enable()
        tracemalloc.stop()
