"""The loop that serves, with limits small enough to reach; in this process, against a real server."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from natscli.connection.connect import connected
from natscli.connection.options import prepare
from natscli.contexts.store import ContextStore
from natscli.environment import Environment
from natscli.errors import ConnectionFailedError, PynatsError
from natscli.message import headers
from natscli.message.message import Message
from natscli.message.templates import compile_template
from natscli.reply.listener import Listener
from natscli.reply.numbers import Numbers
from natscli.reply.reporter import Reporter
from natscli.reply.responders.echo import Echo
from natscli.reply.responders.faults import Faults, Faulty
from natscli.reply.responders.parts.threaded import Threaded
from natscli.reply.responders.responder import Batch, Done, Failure, Responder, Wrapper, fail
from natscli.reply.responders.static import static
from natscli.reply.routes import LIMITS, Limits, Route
from natscli.reply.show.requests import renderers
from natscli.reply.statistics import Statistics
from natscli.settings import resolve
from tests.asking import Asker
from tests.servers import Server as NatsServer

OK = static(compile_template("OK", "BODY", reply=True), ())


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """Serving takes SIGINT and SIGTERM over."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Gate(Threaded):
    """Answers with the payload, when it is opened."""

    def __init__(self) -> None:
        super().__init__(1)
        self.opened = threading.Event()
        self.killed = False

    def answer(self, request: Message, number: int, limit: int) -> tuple[Message, Failure | None]:
        self.opened.wait(30)
        return (request[1], b"", None, request[3]), None

    def kill(self) -> None:
        super().kill()
        self.killed = True
        self.opened.set()


class World:
    """A service that runs, and what it showed."""

    def __init__(self, environment: Environment, listener: Listener, serving: asyncio.Task[None]) -> None:
        self.listener = listener
        self.serving = serving
        self._environment = environment

    @property
    def log(self) -> str:
        assert isinstance(self._environment.stderr, io.BytesIO)
        return self._environment.stderr.getvalue().decode()

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(3000):
            if condition():
                return
            await asyncio.sleep(0.01)
        raise AssertionError(self.log)

    async def stop(self) -> None:
        """What a first signal does."""
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(self.serving, 30)


@asynccontextmanager
async def serving(
    nats: NatsServer, responder: Responder, tmp_path: Path, *, limits: Limits = LIMITS, count: int = 0
) -> AsyncIterator[World]:
    environment = Environment(io.BytesIO(), io.BytesIO(), io.BytesIO(), {"NATS_URL": nats.url})
    settings = resolve({}, environment.environ, ContextStore(str(tmp_path)))
    async with connected(prepare(settings, environment), environment, listener=True) as connection:
        listener = Listener(
            [Route(tmp_path.name, "q", responder)],
            connection,
            environment,
            renderers(environment, as_json=False),
            Numbers(count),
            Reporter(),
            limits,
        )
        task = asyncio.ensure_future(listener.run())
        world = World(environment, listener, task)
        await world.until(lambda: "Listening" in world.log or task.done())
        yield world
        task.cancel()
        with suppress(asyncio.CancelledError, PynatsError):
            await task


def run(check: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(check, 60))


def test_what_is_too_much_is_refused_and_counted(nats_server: NatsServer, tmp_path: Path) -> None:
    gate = Gate()

    async def check(asker: Asker) -> None:
        async with serving(nats_server, gate, tmp_path, limits=Limits(requests=5)) as world:
            asker.send(tmp_path.name, *[b"%d" % number for number in range(12)])
            refused = await asyncio.to_thread(asker.receive, 7)
            assert sorted(answer.number for answer in refused) == [5, 6, 7, 8, 9, 10, 11]
            assert {answer.header for answer in refused} == {
                headers.service_error("too many requests are waiting", 503)
            }
            gate.opened.set()
            answered = await asyncio.to_thread(asker.receive, 5)
            assert sorted(answer.payload for answer in answered) == [b"0", b"1", b"2", b"3", b"4"]
            assert (await asyncio.to_thread(asker.ask, tmp_path.name, b"more"))[0].payload == b"more"
            await world.until(lambda: "refused with code 503, because too many were waiting: 7" in world.log)
            await world.stop()
            assert world.log.count("refused") == 1
            assert [f"[#{number}] Received" in world.log for number in range(13)] == [True] * 13

    with Asker(nats_server) as asker:
        run(check(asker))


def test_refused_requests_are_counted_as_errors(nats_server: NatsServer, tmp_path: Path) -> None:
    gate = Gate()

    async def check(asker: Asker) -> None:
        async with serving(nats_server, gate, tmp_path, limits=Limits(requests=2)) as world:
            (route,) = world.listener._routes
            asker.send(tmp_path.name, *[b"x"] * 5)
            assert len(await asyncio.to_thread(asker.receive, 3)) == 3
            counted = route.statistics
            assert (counted.requests, counted.errors, counted.in_flight) == (5, 3, 2)
            assert counted.last_error == "503:too many requests are waiting"
            gate.opened.set()
            assert len(await asyncio.to_thread(asker.receive, 2)) == 2
            await world.stop()
            assert (counted.answered, counted.errors, counted.in_flight) == (5, 3, 0)

    with Asker(nats_server) as asker:
        run(check(asker))


def test_the_pending_bytes_are_limited_too(nats_server: NatsServer, tmp_path: Path) -> None:
    gate = Gate()

    async def check(asker: Asker) -> None:
        async with serving(nats_server, gate, tmp_path, limits=Limits(size=1400)) as world:
            asker.send(tmp_path.name, b"x" * 600, b"y" * 600, b"z" * 100)
            (refused,) = await asyncio.to_thread(asker.receive, 1)
            assert (refused.number, b"503" in refused.header) == (1, True)
            gate.opened.set()
            assert sorted(a.number for a in await asyncio.to_thread(asker.receive, 2)) == [0, 2]
            await world.stop()  # says at once what it would have said in a second
            assert "refused with code 503, because too many were waiting: 1" in world.log

    with Asker(nats_server) as asker:
        run(check(asker))


def test_delayed_requests_are_limited_too(nats_server: NatsServer, tmp_path: Path) -> None:
    async def check(asker: Asker) -> None:
        async with serving(
            nats_server, Faulty(OK, Faults(0, longest=0.3)), tmp_path, limits=Limits(requests=3)
        ) as world:
            asker.send(tmp_path.name, *[b"x"] * 5)
            answers = await asyncio.to_thread(asker.receive, 5)
            assert sorted(answer.payload for answer in answers) == [b"", b"", b"OK", b"OK", b"OK"]
            await world.stop()

    with Asker(nats_server) as asker:
        run(check(asker))


def test_a_responder_is_killed_when_it_is_stopped_for_good(nats_server: NatsServer, tmp_path: Path) -> None:
    gate = Gate()

    async def check(asker: Asker) -> None:
        async with serving(nats_server, gate, tmp_path) as world:
            asker.send(tmp_path.name, b"x")
            await world.until(lambda: world.listener._pending.requests == 1)
            world.serving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await world.serving
            assert gate.killed
            assert "requests left unanswered: 1" in world.log

    with Asker(nats_server) as asker:
        run(check(asker))


def test_replies_that_cannot_be_sent_any_more_are_an_error(
    server_factory: Callable[..., NatsServer], tmp_path: Path
) -> None:
    nats, gate = server_factory(), Gate()

    async def check(asker: Asker) -> None:
        async with serving(nats, gate, tmp_path, limits=Limits(timeout=0.2)) as world:
            asker.send(tmp_path.name, b"x")
            await world.until(lambda: world.listener._pending.requests == 1)
            nats.stop()
            await world.until(lambda: "Disconnected" in world.log)
            stopping = asyncio.ensure_future(world.stop())
            await world.until(lambda: "Draining" in world.log)
            gate.opened.set()
            with pytest.raises(ConnectionFailedError, match="the last replies"):
                await stopping
            world.listener._client._pending.clear()  # closing would try to write them
            world.listener._client._pending_data_size = 0

    with Asker(nats) as asker:
        run(check(asker))


def test_replies_given_without_a_connection_are_sent_with_the_next(
    server_factory: Callable[..., NatsServer], tmp_path: Path
) -> None:
    nats, gate = server_factory(), Gate()

    async def check() -> None:
        async with serving(nats, gate, tmp_path, limits=Limits(timeout=30)) as world:
            with Asker(nats) as asker:
                asker.send(tmp_path.name, b"late", reply=b"a.known.inbox")
                await world.until(lambda: world.listener._pending.requests == 1)
                nats.stop()
            await world.until(lambda: "Disconnected" in world.log)
            stopping = asyncio.ensure_future(world.stop())
            await world.until(lambda: "Draining" in world.log)
            gate.opened.set()
            await asyncio.sleep(0.05)
            nats.start()
            await stopping
            assert "Reconnected" in world.log

    run(check())


def test_the_log_says_what_draining_waits_for_and_how_to_stop(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    async def check() -> None:
        gate = Gate()
        async with serving(nats_server, gate, tmp_path, limits=Limits(reminder=0.02)) as world:
            with Asker(nats_server) as asker:
                asker.send(tmp_path.name, b"x")
                await world.until(lambda: "[#0] Received" in world.log)
                signal.raise_signal(signal.SIGTERM)
                reminder = "Draining for 0s, requests pending: 1; a second signal stops at once"
                await world.until(lambda: world.log.count(reminder) > 1)
                gate.opened.set()
                await asyncio.wait_for(world.serving, 30)
                assert asker.receive(1)[0].payload == b"x"

    run(check())


def test_what_went_wrong_is_shown_after_the_requests(nats_server: NatsServer, tmp_path: Path) -> None:
    class Wrong(Responder):
        immediate = True

        def respond(self, batch: Batch, done: Done) -> None:
            fail(batch, done, Failure(500, "it is wrong"))

    async def check() -> None:
        async with serving(nats_server, Wrong(), tmp_path) as world:
            with Asker(nats_server) as asker:
                asker.send(tmp_path.name, b"x")
                await world.until(lambda: "Received" in world.log and "it is wrong" in world.log)
            assert world.log.index("[#0] Received") < world.log.index("pynats: [#0] it is wrong")

    run(check())


def test_a_silent_server_does_not_hold_up_the_end(
    server_factory: Callable[..., NatsServer], tmp_path: Path
) -> None:
    nats = server_factory()

    async def check() -> None:
        async with serving(nats, OK, tmp_path, limits=Limits(timeout=0.2)) as world:
            os.kill(nats.pid, signal.SIGSTOP)
            os.waitpid(nats.pid, os.WUNTRACED)  # on a busy machine it goes on for a moment
            try:
                with pytest.raises(ConnectionFailedError, match="does not answer"):
                    await world.stop()
            finally:
                os.kill(nats.pid, signal.SIGCONT)

    run(check())


def test_every_batch_is_answered_with_the_parser_of_nats_py_too(
    nats_server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("natscli.wire.client.DIFFERENCES", frozenset({"Parser.parse"}))

    async def check(asker: Asker) -> None:
        async with serving(nats_server, Echo(()), tmp_path, count=50) as world:
            header = b"NATS/1.0\r\nA: 1\r\n\r\n"
            payloads = [b"%d" % number for number in range(50)]
            answers = await asyncio.to_thread(lambda: asker.ask(tmp_path.name, *payloads, header=header))
            assert [answer.payload for answer in answers] == payloads
            assert answers[7].lines == [b"A: 1", b"NATS-Reply-Counter: 7"]
            await asyncio.wait_for(world.serving, 30)

    with Asker(nats_server) as asker:
        run(check(asker))


def test_a_request_without_a_reply_subject_is_shown_and_not_answered(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    seen: list[bytes] = []

    class Watching(Wrapper):
        def respond(self, batch: Batch, done: Done) -> None:
            seen.extend(b"%d %b" % (one.first, one.requests[0][3]) for one in batch.single())
            self.inner.respond(batch, done)

    async def check(asker: Asker) -> None:
        async with serving(nats_server, Watching(OK), tmp_path) as world:
            asker.send(tmp_path.name, b"a", b"b")
            asker.send(tmp_path.name, b"c", reply=b"")
            asker.send(tmp_path.name, b"d")
            await asyncio.to_thread(asker.receive, 3)
            await world.stop()
            assert seen == [b"0 a", b"1 b", b"3 d"]
            assert "[#2] Received on" in world.log

    with Asker(nats_server) as asker:
        run(check(asker))


def counted(world: World) -> tuple[Statistics, list[tuple[int, int]]]:
    """What the only route counts, and the times that it takes from now on."""
    (route,) = world.listener._routes
    times: list[tuple[int, int]] = []
    route.statistics.times = lambda *given: times.append(given)
    return route.statistics, times


def test_an_immediate_responder_takes_its_time_once_for_a_batch(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    class Slow(Responder):
        immediate = True

        def respond(self, batch: Batch, done: Done) -> None:
            time.sleep(0.01)
            OK.respond(batch, done)

    async def check(asker: Asker) -> None:
        async with serving(nats_server, Slow(), tmp_path) as world:
            statistics, times = counted(world)
            start = time.perf_counter_ns()
            await asyncio.to_thread(asker.ask, tmp_path.name, *[b"x"] * 50)
            spent = time.perf_counter_ns() - start
            assert 10_000_000 * len(times) <= statistics.processing <= spent
            assert (sum(count for _, count in times), len(times) < 50) == (50, True)
            assert all(10_000_000 <= elapsed <= spent for elapsed, _ in times)

    with Asker(nats_server) as asker:
        run(check(asker))


def test_any_other_takes_the_time_from_arrival_to_reply_for_each_request(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    kept: list[tuple[Batch, Done]] = []

    class Later(Responder):
        def respond(self, batch: Batch, done: Done) -> None:
            kept.extend((one, done) for one in batch.single())

    async def check(asker: Asker) -> None:
        async with serving(nats_server, Later(), tmp_path) as world:
            statistics, times = counted(world)
            asker.send(tmp_path.name, b"a", b"b")
            await world.until(lambda: len(kept) == 2)
            assert (statistics.requests, statistics.in_flight, statistics.processing) == (2, 2, 0)
            await asyncio.sleep(0.01)
            for left in (1, 0):
                OK.respond(*kept.pop())
                assert (statistics.in_flight, statistics.answered) == (left, 2 - left)
            assert [count for _, count in times] == [1, 1]
            assert statistics.processing == sum(elapsed for elapsed, _ in times) >= 20_000_000

    with Asker(nats_server) as asker:
        run(check(asker))


def test_replies_that_are_too_large_are_counted_as_errors(
    server_factory: Callable[..., NatsServer], tmp_path: Path
) -> None:
    nats = server_factory("max_payload: 1000")

    class Twice(Responder):
        immediate = True

        def respond(self, batch: Batch, done: Done) -> None:
            done(batch, [(reply, b"", None, payload * 2) for _, reply, _, payload in batch.requests], None)

    async def check(asker: Asker) -> None:
        async with serving(nats, Twice(), tmp_path) as world:
            await asyncio.to_thread(asker.ask, tmp_path.name, b"x" * 600, b"x", b"x" * 700)
            statistics, _ = counted(world)
            assert (statistics.requests, statistics.answered, statistics.errors) == (3, 3, 2)
            assert statistics.last_error == "500:the reply is larger than the server takes"

    with Asker(nats) as asker:
        run(check(asker))


def test_many_subscriptions_share_one_time_at_the_end(
    server_factory: Callable[..., NatsServer], tmp_path: Path
) -> None:
    nats = server_factory()

    async def check() -> None:
        async with serving(nats, OK, tmp_path, limits=Limits(timeout=0.3)) as world:
            listener = world.listener
            many = [
                await listener._client.subscribe_batches(f"s.{n}", "", lambda *_: None) for n in range(50)
            ]
            os.kill(nats.pid, signal.SIGSTOP)
            os.waitpid(nats.pid, os.WUNTRACED)
            try:
                began = time.monotonic()
                await listener._subscriptions._end(many)
                assert time.monotonic() - began < 3  # one by one: 15
            finally:
                os.kill(nats.pid, signal.SIGCONT)

    run(check())
