"""Replies that the server does not take: counted, shown and recorded as what they are."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from natscli.connection.connect import connected
from natscli.connection.connection import Connection
from natscli.connection.options import prepare
from natscli.contexts.store import ContextStore
from natscli.environment import Environment
from natscli.reply.responders.parts.unconfirmed import Unconfirmed
from natscli.reply.responders.responder import Batch
from natscli.settings import resolve
from tests.asking import Asker
from tests.program import Program, Runner
from tests.servers import Server, free_port

AS_U = ("--user", "u", "--password", "s3cr3t-u")
#: `all` may do anything, and asks.
ALL = {"user": "all", "pass": "s3cr3t-all"}
AS_ALL = ("--user", "all", "--password", "s3cr3t-all")


def users(permissions: str) -> str:
    """The configuration of a server where `u` has these permissions."""
    return (
        f'authorization {{ users: [{{user: u, password: "s3cr3t-u", permissions: {{{permissions}}}}}, '
        '{user: all, password: "s3cr3t-all"}] }\n'
    )


def records_of(program: Program) -> list[dict[str, Any]]:
    """What --json wrote so far."""
    return [json.loads(line) for line in program.stdout_bytes().splitlines()]


def _has(program: Program, records: int) -> bool:
    return len(records_of(program)) == records


def totals_of(program: Program) -> dict[str, Any]:
    """The summary of --json, after the end."""
    totals: dict[str, Any] = json.loads(program.stderr_text().splitlines()[-1])
    return totals


@pytest.mark.parametrize("way", [[], ["--processes", "2"], ["--service", "s"], ["--sleep", "20ms"]], ids=str)
@pytest.mark.parametrize("transport", ["nats", "ws"])
def test_a_refused_reply_is_no_answer(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], way: list[str], transport: str
) -> None:
    port = free_port()
    server = server_factory(
        users('publish: {deny: "no.>"}') + f'websocket {{ listen: "127.0.0.1:{port}", no_tls: true }}'
    )
    url = server.url if transport == "nats" else f"ws://127.0.0.1:{port}"
    reply = spawn("reply", "a", "x", "--json", *way, *AS_U, server=url)
    with Asker(server, **ALL) as asker:
        asker.send("a", b"0", b"1", reply=b"no.inbox")
        reply.wait_until(lambda: len(records_of(reply)) == 2, "two records")
        assert asker.ask("a", b"2")[0].payload == b"x"
        reply.wait_until(lambda: len(records_of(reply)) == 3, "three records")
    assert reply.stop() == 0
    records = sorted(records_of(reply), key=lambda record: str(record["data"]))
    assert [record["outcome"] for record in records] == ["undelivered", "undelivered", "answered"]
    assert [len(record["replies"]) for record in records] == [0, 0, 1]
    totals = totals_of(reply)
    assert (totals["requests"], totals["answered"], totals["undelivered"]) == (3, 1, 2)


def test_of_replies_sent_together_those_that_were_refused_are_undelivered(
    spawn: Callable[..., Program], server_factory: Callable[..., Server]
) -> None:
    server = server_factory(users('publish: {deny: "no.>"}'))
    reply = spawn("reply", "a", "x", "--json", *AS_U, server=server)
    with Asker(server, **ALL) as asker:
        asker.write(
            b"".join(b"PUB a %b.%d 1\r\n%d\r\n" % (b"no" if n % 3 else b"yes", n, n) for n in range(9))
        )
        reply.wait_until(lambda: len(records_of(reply)) == 9, "nine records")
    reply.stop()
    assert [r["outcome"] == "undelivered" for r in records_of(reply)] == [bool(n % 3) for n in range(9)]
    assert totals_of(reply)["answered"] == 3


def test_a_refused_reply_is_not_recorded(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], tmp_path: Path
) -> None:
    server = server_factory(users('publish: {deny: "no.>"}'))
    file = tmp_path / "r.jsonl"
    reply = spawn("reply", "a", "x", "--record", str(file), *AS_U, server=server)
    with Asker(server, **ALL) as asker:
        asker.send("a", b"0", reply=b"no.inbox")
        asker.ask("a", b"1")
        asker.send("a", b"2", reply=b"no.inbox")
        reply.wait_for("no.inbox")
    assert reply.stop() == 0
    assert [json.loads(line)["request"]["data"] for line in file.read_text().splitlines()] == ["1"]


def test_verbose_says_what_became_of_a_refused_reply(
    spawn: Callable[..., Program], server_factory: Callable[..., Server]
) -> None:
    server = server_factory(users('publish: {deny: "no.>"}'))
    reply = spawn("reply", "a", "x", "--verbose", *AS_U, server=server)
    with Asker(server, **ALL) as asker:
        asker.send("a", b"0", reply=b"no.inbox")
        reply.wait_for("[#0] Not delivered: the server does not take the reply")
    reply.stop()
    assert "Answered 0 of 1 request" in reply.stderr_text()


def test_a_reply_that_comes_too_late_for_its_permission_is_undelivered(
    pynats: Runner, spawn: Callable[..., Program], server_factory: Callable[..., Server]
) -> None:
    server = server_factory(users('subscribe: "a", allow_responses: {max: 1, expires: "100ms"}'))
    reply = spawn("reply", "a", "x", "--sleep", "300ms..310ms", "--json", *AS_U, server=server)
    assert pynats("request", "a", "x", "--timeout", "600ms", *AS_ALL, server=server).status == 4
    reply.stop()
    assert [record["outcome"] for record in records_of(reply)] == ["undelivered"]


def test_of_several_replies_to_a_request_the_refused_count_once(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], tmp_path: Path
) -> None:
    server = server_factory(users('subscribe: [a, "_INBOX.>"], allow_responses: {max: 1}'))
    handler = tmp_path / "h.py"
    handler.write_text("def answer(request):\n    yield from 'abcd'\n")
    reply = spawn("reply", "a", "--handler", f"{handler}:answer", "--json", *AS_U, server=server)
    with Asker(server, **ALL) as asker:
        asker.send("a", b"0")
        reply.wait_until(lambda: len(records_of(reply)) == 1, "a record")
    reply.stop()
    assert [record["outcome"] for record in records_of(reply)] == ["undelivered"]
    totals = totals_of(reply)
    assert (totals["answered"], totals["undelivered"]) == (0, 1)


def test_what_is_refused_of_service_statistics_is_not_counted(
    spawn: Callable[..., Program], server_factory: Callable[..., Server]
) -> None:
    server = server_factory(users('publish: {deny: "no.>"}'))
    reply = spawn("reply", "a", "x", "--service", "s", "--json", *AS_U, server=server)
    with Asker(server, **ALL) as asker:
        asker.send("$SRV.STATS.s", b"", reply=b"no.inbox")
        reply.wait_for("no.inbox")
    reply.stop()
    assert totals_of(reply)["undelivered"] == 0


def test_a_reply_that_is_larger_than_a_reload_allows_is_counted(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], tmp_path: Path
) -> None:
    server, file = server_factory("max_payload: 1000"), tmp_path / "r.jsonl"
    reply = spawn("reply", "a", "y" * 500, "--json", server=server)
    recorded = spawn("reply", "b", "y" * 500, "--record", str(file), server=server)
    server.reload("max_payload: 300")
    with Asker(server) as asker:
        asker.send("a", b"0")
        asker.send("b", b"0")
        for program in (reply, recorded):
            program.wait_for("Maximum Payload Violation")
            program.wait_for("Reconnected")
        assert b"the server takes 300" in asker.ask("a", b"1")[0].header
    for program in (reply, recorded):
        assert program.stop() == 0
    assert [record["outcome"] for record in records_of(reply)] == ["undelivered", "error"]
    assert totals_of(reply)["undelivered"] == 1
    assert "1 undelivered" in recorded.stderr_text()
    assert file.read_text() == ""


@asynccontextmanager
async def _connected(server: Server) -> AsyncIterator[Connection]:
    environment = Environment(io.BytesIO(), io.BytesIO(), io.BytesIO(), {"NATS_URL": server.url})
    settings = resolve({"no_context": True}, environment.environ, ContextStore(""))
    async with connected(prepare(settings, environment), environment, listener=True) as connection:
        yield connection


@pytest.mark.parametrize(("most", "most_bytes"), [(16, 1 << 30), (1 << 30, 33 * 1024)])
def test_of_more_than_may_wait_for_the_server_the_oldest_waits_no_more(
    server_factory: Callable[..., Server], most: int, most_bytes: int
) -> None:
    async def check() -> None:
        async with _connected(server) as connection:
            released: list[int] = []
            unconfirmed: Unconfirmed[None] = Unconfirmed(
                connection, lambda batch, *_: released.append(batch.first), most, most_bytes
            )
            payload = bytes(1000)
            with server.paused():  # no PONG comes
                for number in range(64):
                    batch = Batch([(b"a", b"i", None, payload)], number, 0)
                    unconfirmed.keep(batch, [(b"i", b"", None, payload)], None, {})
                    assert len(released) <= max(number - 10, 0)  # no burst
                    await asyncio.sleep(0.001)
                assert 40 <= len(released) <= 54
            deadline = asyncio.get_running_loop().time() + 20
            while len(released) < 64 and asyncio.get_running_loop().time() < deadline:
                await asyncio.sleep(0.01)
        assert released == list(range(64))

    server = server_factory()
    asyncio.run(check())


@pytest.mark.parametrize("silent", [False, True], ids=["nothing there", "something silent there"])
def test_what_waited_for_a_connection_and_does_not_fit_is_not_recorded(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], tmp_path: Path, silent: bool
) -> None:
    server, go, file = server_factory(), tmp_path / "go", tmp_path / "calls.jsonl"
    command = f"sh -c 'until [ -e {go} ]; do sleep 0.02; done; cat'"
    reply = spawn("reply", "a", "--command", command, "--json", "--record", str(file), server=server)
    spawn("reply", "b", "OK", server=server)
    with Asker(server) as asker:
        asker.send("a", b"short", reply=b"box.1")
        asker.send("a", b"x" * 300, reply=b"box.2")
        asker.ask("b", b"so the first have come")
        server.stop()
    reply.wait_for("Disconnected")
    with ExitStack() as stack:
        if silent:  # so that a try is under way when the replies are sent
            there = stack.enter_context(socket.create_server(("127.0.0.1", server.port)))
            stack.enter_context(there.accept()[0])
        go.touch()
        reply.wait_until(lambda: len(records_of(reply)) == 2, "two records")
        time.sleep(0.1)  # for the PING that would be for them
    server.restart("max_payload: 200")
    reply.wait_for("do not fit: 1")
    assert reply.stop() == 0
    assert [json.loads(line)["request"]["data"] for line in file.read_text().splitlines()] == ["short"]


def test_a_reply_that_is_too_large_is_not_recorded(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], tmp_path: Path
) -> None:
    server, file = server_factory("max_payload: 1000"), tmp_path / "calls.jsonl"
    reply = spawn("reply", "a", "{{Request}}{{Request}}", "--record", str(file), server=server)
    with Asker(server) as asker:
        asker.ask("a", b"x" * 600, b"y")
    assert reply.stop() == 0
    assert [json.loads(line)["request"]["data"] for line in file.read_text().splitlines()] == ["y"]


#: What answers several times, at once and with a pause in which the server refuses the first.
SEVERAL = {
    "at once": "def answer(request):\n    yield from 'abc'\n",
    "slowly": (
        "import time\ndef answer(request):\n    for value in 'abc':\n        yield value\n        time.sleep(0.2)\n"
    ),
    "async, slowly": (
        "import asyncio\nasync def answer(request):\n    for value in 'abc':\n        yield value\n"
        "        await asyncio.sleep(0.2)\n"
    ),
    "a program, slowly": (
        "import json, sys, time\nfor line in sys.stdin:\n    asked = json.loads(line)\n"
        "    for more in (True, False) if 'data' in asked else ():\n"
        "        print(json.dumps({'id': asked['id'], 'data': 'a', 'more': more}), flush=True)\n"
        "        time.sleep(0.2)\n"
    ),
}


@pytest.mark.parametrize("several", [*SEVERAL, ""], ids=lambda name: name or "an internal request first")
def test_refusals_of_a_reply_subject_that_comes_again_are_all_seen(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], tmp_path: Path, several: str
) -> None:
    server = server_factory(users('publish: {deny: "no.>"}'))
    code = tmp_path / "several.py"
    code.write_text(SEVERAL.get(several, ""))
    how: tuple[str, ...] = ("--handler", f"{code}:answer") if several else ("x", "--service", "svc")
    if several == "a program, slowly":
        how = ("--pipe", f"{sys.executable} {code}")
    reply = spawn("reply", "a", "--json", *how, *AS_U, server=server)
    with Asker(server, **ALL) as asker:
        if not several:
            asker.send("$SRV.PING", b"", reply=b"no.inbox")
            reply.wait_for("does not permit")
        for number in range(1, 4):
            asker.send("a", b"%d" % number, reply=b"no.inbox")
            reply.wait_until(partial(_has, reply, number), "a record")
    assert reply.stop() == 0
    assert [record["outcome"] for record in records_of(reply)] == ["undelivered"] * 3
    totals = totals_of(reply)
    assert (totals["requests"], totals["answered"], totals["undelivered"], totals["errors"]) == (3, 0, 3, 0)
