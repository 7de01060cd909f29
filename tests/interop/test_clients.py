"""Inboxes of other clients as `watch` sees them, and services of other libraries as `service` does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import nats
import pytest

from tests.interop.projects import output_of, project, running
from tests.peers import Peers, echo
from tests.program import Program, Runner
from tests.servers import Server

Spawn = Callable[..., Program]


def records(program: Program, count: int) -> list[dict[str, Any]]:
    program.wait_until(lambda: program.stdout_bytes().count(b"\n") >= count, f"{count} records")
    return [json.loads(line) for line in program.stdout_bytes().splitlines()]


@pytest.fixture
def server(server_factory: Callable[..., Server], peers: Peers) -> Server:
    """A server with an echo on `shape`."""
    server = server_factory()
    peers.respond(peers.connect(server.url), "shape", echo)
    return server


@pytest.mark.parametrize("version", ["v2", "v3"])
@pytest.mark.parametrize("prefix", ["", "corp.inbox"])
def test_inboxes_of_nats_js(spawn: Spawn, server: Server, version: str, prefix: str) -> None:
    folder = project("clients")
    program = spawn("watch", "shape", "--json", server=server, ready="Watching [")
    for _ in range(2):
        assert output_of(folder, "clients.mjs", version, server.url, "shape", prefix) == "2"
    shown = records(program, 3 if prefix else 6)  # the first of another kind say where to look
    assert {record["outcome"] for record in shown} == {"answered"}
    assert all(record["reply_to"].startswith(prefix or "_INBOX.") for record in shown)


@pytest.mark.parametrize("prefix", ["_INBOX", "_INBOX_alice.x"])
def test_inboxes_of_nats_py(spawn: Spawn, server: Server, peers: Peers, prefix: str) -> None:
    program = spawn("watch", "shape", "--json", server=server, ready="Watching [")
    client = peers.connect(server.url, inbox_prefix=prefix)
    for number in range(3):
        peers.request(client, "shape", b"%d" % number)
        if prefix != "_INBOX" and not number:
            program.wait_for("Watching replies on [_INBOX_alice.x.>] too")
    assert {record["outcome"] for record in records(program, 2)} == {"answered"}


def test_inboxes_of_natsio(spawn: Spawn, server: Server) -> None:
    natsio = pytest.importorskip("natsio.client", reason="natsio is not installed")
    program = spawn("watch", "shape", "--json", server=server, ready="Watching [")

    async def ask() -> None:
        client = natsio.NATSCore(natsio.ClientConfig(servers=[server.url]))
        await client.connect()
        for _ in range(3):
            with suppress(asyncio.TimeoutError, TimeoutError):  # 0.2.1 does not always take its own reply
                await client.request("shape", b"x")
        await client.close()

    asyncio.run(ask())
    assert {record["outcome"] for record in records(program, 3)} == {"answered"}


def test_inboxes_of_natsrpy(spawn: Spawn, server: Server) -> None:
    natsrpy = pytest.importorskip("natsrpy", reason="natsrpy is not installed")
    program = spawn("watch", "shape", "--json", server=server, ready="Watching [")

    async def ask() -> None:
        client = natsrpy.Nats([server.url])
        await client.startup()
        for _ in range(3):
            await client.request("shape", b"x")
        await client.shutdown()

    asyncio.run(ask())
    assert {record["outcome"] for record in records(program, 3)} == {"answered"}


@pytest.mark.parametrize("token", ["{}", "x7.{}", "c.{}.r"])
def test_inboxes_that_count_are_seen_from_the_third_on(
    spawn: Spawn, server: Server, peers: Peers, token: str
) -> None:
    """As those of the C client, 0, 1, 2, below a prefix of its own."""
    program = spawn("watch", "shape", "--json", server=server, ready="Watching [")
    client = peers.connect(server.url)

    async def ask(number: int) -> None:
        subject = f"app.{token.format(number)}"
        subscription = await client.subscribe(subject)
        await client.publish("shape", b"x", reply=subject)
        await subscription.next_msg(5)

    for number in range(30):
        peers.run(ask(number))
        peers.run(asyncio.sleep(0.05))
    assert {record["outcome"] for record in records(program, 10)} == {"answered"}


@pytest.fixture
def service(nats_server: Server) -> Iterator[Server]:
    """The server, while a service of @nats-io/services answers."""
    with running(project("clients"), "clients.mjs", "service", nats_server.url):
        yield nats_server


def test_services_of_javascript(service: Server, pynats: Runner) -> None:
    assert pynats("request", "js.add", "[1,2]", server=service).text == "3\n"
    failed = pynats("request", "js.add", "[]", server=service)
    assert failed.status == 7
    assert "422: no numbers" in failed.errors[-1]
    found = {
        command: json.loads(
            pynats("service", command, "jscalc", "--json", "--timeout", "1s", server=service).text
        )
        for command in ("info", "stats", "ping")
    }
    assert found["info"][0]["metadata"] == {"lang": "js"}
    assert found["info"][0]["endpoints"][0]["subject"] == "js.add"
    [endpoint] = found["stats"][0]["endpoints"]
    assert (endpoint["num_requests"], endpoint["num_errors"]) == (2, 0)  # respondError is not counted
    assert endpoint["processing_time"] > 0
    assert found["ping"][0]["version"] == "1.2.3"
    assert "jscalc" in pynats("service", "stats", "jscalc", "--timeout", "1s", server=service).text


SERVICE = """
from natscli import ServiceError, endpoint
@endpoint("ours.fail", name="fail")
def fail(request): raise ServiceError(422, "no numbers")
@endpoint("ours.many", name="many")
async def many(request):
    for number in range(3): yield number
"""


def test_a_service_of_ours_is_found_by_javascript(spawn: Spawn, runner: Runner, nats_server: Server) -> None:
    (runner.directory / "ours.py").write_text(SERVICE)
    options = ("--service", "ours", "--metadata", "lang=py", "--service-version", "1.2.3")
    spawn("reply", "--handler", "ours.py", *options, server=nats_server)
    found = json.loads(output_of(project("clients"), "clients.mjs", "find", nats_server.url, "ours"))
    assert (found["ping"]["version"], found["info"]["metadata"]) == ("1.2.3", {"lang": "py"})
    assert [one["subject"] for one in found["info"]["endpoints"]] == ["ours.fail", "ours.many"]
    assert [one["num_requests"] for one in found["stats"]["endpoints"]] == [0, 0]
    assert found["failed"] == {"code": 422, "message": "no numbers"}
    assert found["many"] == ["0", "1", "2", ""]


def test_services_of_nats_py(nats_server: Server, peers: Peers, pynats: Runner) -> None:
    async def add(request: nats.micro.Request) -> None:
        await request.respond(b"3")

    peers.service(peers.connect(nats_server.url), "pycalc", {"add": add})
    assert pynats("request", "pycalc.add", "[1,2]", server=nats_server).text == "3\n"
    [found] = json.loads(
        pynats("service", "stats", "pycalc", "--json", "--timeout", "1s", server=nats_server).text
    )
    assert found["endpoints"][0]["num_requests"] == 1
