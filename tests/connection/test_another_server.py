"""A connection that is made again may be to a server that takes less: what waited for it, and what comes after."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex

import pytest

from natscli.wire.client import Client
from tests.asking import Asker
from tests.program import Program, Runner
from tests.servers import Server, free_port


def after(reply: Program, server: Server, config: str, spawn: Callable[..., Program]) -> Program:
    """What sees the replies, from before `reply` is there again."""
    os.kill(reply.pid, signal.SIGSTOP)
    server.restart(config)
    box = spawn("subscribe", "box", "--json", server=server, ready="Subscribed")
    os.kill(reply.pid, signal.SIGCONT)
    reply.wait_for("Reconnected")
    return box


class Answering:
    """A `reply` on a that is done with its requests, whose replies go to box, when there is no server."""

    def __init__(self, spawn: Callable[..., Program], server: Server, url: str, more: str, go: Path) -> None:
        self._spawn, self.server, self._url = spawn, server, url
        #: What the configuration of the next server needs, too.
        self.more = more
        self._go = go

    def run(self, *payloads: bytes, then: str = "", options: tuple[str, ...] = ()) -> Program:
        """Have it answer these with themselves, and `then` end as this command does."""
        command = f"sh -c 'until [ -e {self._go} ]; do sleep 0.02; done; cat{then}'"
        reply = self._spawn("reply", "a", "--command", command, "--json", *options, "-s", self._url)
        self._spawn("reply", "b", "OK", server=self.server)
        with Asker(self.server) as asker:
            asker.send("a", *payloads, reply=b"box")
            asker.ask("b", b"so the first have come")
            self.server.stop()
        reply.wait_for("Disconnected")
        self._go.touch()
        reply.wait_until(lambda: reply.stdout_bytes().count(b'"request"') >= len(payloads), "answers")
        return reply


@pytest.fixture(params=["nats", "ws"])
def answering(
    request: pytest.FixtureRequest, spawn: Callable[..., Program], server_factory: Callable[..., Server],
    tmp_path: Path,
) -> Answering:  # fmt: skip
    """For each transport."""
    port, more = free_port(), ""
    if request.param == "ws":
        more = f"websocket {{ host: 127.0.0.1, port: {port}, no_tls: true }}\n"
    server = server_factory(more)
    return Answering(spawn, server, f"ws://127.0.0.1:{port}" if more else server.url, more, tmp_path / "go")


def test_a_reply_that_waited_and_does_not_fit_is_an_error(
    answering: Answering, pynats: Runner, spawn: Callable[..., Program]
) -> None:
    reply = answering.run(b"short", b"x" * 300, b"also short")
    box = after(reply, answering.server, answering.more + "max_payload: 200", spawn)
    reply.wait_for("and do not fit: 1, the first has 300 bytes, the server takes 200")
    box.wait_until(lambda: box.stdout_bytes().count(b"\n") == 3, "replies")
    came = [json.loads(line) for line in box.stdout_bytes().splitlines()]
    assert sorted(message.get("data", "") for message in came) == ["", "also short", "short"]
    failed = next(message for message in came if not message.get("data"))
    assert failed["headers"]["Nats-Service-Error-Code"] == ["500"]
    assert failed["headers"]["Nats-Service-Error"] == ["the reply has 300 bytes, the server takes 200"]
    assert pynats("request", "a", "still there", server=answering.server).stdout == b"still there\n"
    assert reply.stop() == 0
    assert reply.stderr_text().count("Disconnected") == 1
    assert '"errors": 1,' in reply.stderr_text()


def test_a_server_without_headers_is_said_when_it_is_another(
    answering: Answering, pynats: Runner, spawn: Callable[..., Program]
) -> None:
    then = "; [ $NATS_REQUEST_BODY != fail ]"
    reply = answering.run(b"x", b"fail", then=then, options=("-H", "A: b"))
    assert "does not support headers" not in reply.stderr_text()
    box = after(reply, answering.server, answering.more + "no_header_support: true", spawn)
    reply.wait_for("does not support headers")
    reply.wait_for("and do not fit: 1, the first has headers, the server supports none")
    box.wait_until(lambda: b"\n" in box.stdout_bytes(), "the reply")
    assert json.loads(box.stdout_bytes())["data"] == "x"
    assert pynats("request", "a", "y", server=answering.server).stdout == b"y\n"
    assert reply.stop() == 0
    assert reply.stderr_text().count("Disconnected") == 1
    assert '"undelivered": 1,' in reply.stderr_text()


@pytest.mark.parametrize("more", [("--upstream", "service.of.a.long.name.{{1}}"),
                                  ("--upstream", "$JS.API.CONSUMER.MSG.NEXT.S.{{1}}"),
                                  ("--upstream", "ok", "--candidate", "service.of.a.long.name.{{1}}"),
                                  ("--upstream", "ok", "--candidate", "$JS.API.CONSUMER.MSG.NEXT.S.{{1}}")],
                         ids=["upstream", "upstream that pulls", "candidate", "candidate that pulls"])  # fmt: skip
def test_a_subject_that_is_too_long_where_it_is_passed_on_to_does_not_end_a_proxy(
    spawn: Callable[..., Program], nats_server: Server, more: tuple[str, ...]
) -> None:
    name = token_hex(3)
    spawn("reply", f"ok.{name}", "OK", server=nats_server)
    reply = spawn("reply", f"{name}.*", *(f"ok.{name}" if w == "ok" else w for w in more), server=nats_server)
    with Asker(nats_server) as asker:
        size = 4096 - len(f"{name}.  1") - 40
        (answer,) = asker.ask(f"{name}.{'x' * size}", b"1")
        if more[1] == "ok":
            assert answer.payload == b"OK"
        else:
            assert b"Code: 500" in answer.header
            assert b"does not fit into max_control_line" in answer.header
        asker.ask(f"{name}.short", b"1")
    assert reply.stop() == 0
    assert "maximum control line" not in reply.stderr_text()
    assert ("1 not asked" in reply.stderr_text()) is (more[1] == "ok")


def test_what_an_upstream_may_not_get_because_it_is_too_large_is_an_error(
    spawn: Callable[..., Program], server_factory: Callable[..., Server]
) -> None:
    server = server_factory(
        'accounts { A { limits { max_payload: 1000 }, imports: [{ service: { account: B, subject: "x" } }], '
        'users: [{user: u, password: "s3cr3t-u"}], exports: [{ service: "a" }] }, '
        'B { users: [{user: v, password: "s3cr3t-v"}], imports: [{ service: { account: A, subject: "a" } }], '
        'exports: [{ service: "x" }] } }'
    )
    reply = spawn("reply", "a", "--upstream", "x", "--user", "u", "--password", "s3cr3t-u", server=server)
    with Asker(server, user="v", **{"pass": "s3cr3t-v"}) as asker:
        (answer,) = asker.ask("a", b"x" * 2000)
        # With a header that the server has added.
        assert re.search(
            rb"Error: the request for \[x\] has 20\d\d bytes, the server takes 1000", answer.header
        )
    assert reply.stop() == 0
    assert "Disconnected" not in reply.stderr_text()


def test_a_requester_that_cannot_be_told_of_missing_responders_does_not_end_a_watch(
    spawn: Callable[..., Program], server_factory: Callable[..., Server]
) -> None:
    server, name = server_factory(), "w"
    watch = spawn("watch", name, "--answer-no-responders", "--timeout", "1s", "--json", "--count", "2",
                  server=server, ready="Watching")  # fmt: skip
    with Asker(server) as asker:
        # The line of the answer is longer than that of the request, with two sizes.
        asker.send(name, b"1", reply=b"_INBOX." + b"r" * (4096 - len(f"{name} _INBOX. 1")))
        (told,) = asker.ask(name, b"2")
        assert told.header.startswith(b"NATS/1.0 503")
    assert watch.wait() == 0
    assert "maximum control line" not in watch.stderr_text()


def test_own_messages_that_waited_for_a_connection_are_no_replies(
    server_factory: Callable[..., Server],
) -> None:
    """What the server says of them when they are too large is about what we send, and ends a run."""

    async def check() -> None:
        client = Client()
        await client.connect([server.url], allow_reconnect=True)
        client.send([(b"a", b"", None, b"x")])
        server.stop()
        while client.is_connected:
            await asyncio.sleep(0.01)
        client.send([(b"a", b"", None, b"y" * 100), (b"a", b"", None, b"z")])
        server.restart("max_payload: 50")
        while not client.is_connected:
            await asyncio.sleep(0.01)
        assert client.dropped == 1
        assert client._sends_own()
        await client.close()

    server = server_factory()
    asyncio.run(asyncio.wait_for(check(), 30))
