"""`watch --where` shows what an expression is true of; `--record` keeps it for `reply --mock`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from nats.aio.msg import Msg

from tests.peers import Peers, echo, never
from tests.program import Program, Runner
from tests.servers import Server

Spawn = Callable[..., Program]


def content(reply: Msg | Exception) -> tuple[bytes, dict[str, str] | None]:
    """The payload and the headers of what came."""
    assert isinstance(reply, Msg)
    return reply.data, reply.headers


@pytest.fixture
def server(server_factory: Callable[..., Server], peers: Peers) -> Server:
    """A server with an echo on `w.echo` and silence on `w.silent`."""
    server = server_factory()
    client = peers.connect(server.url)
    peers.respond(client, "w.echo", echo)
    peers.respond(client, "w.silent", never)
    return server


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ('json["n"] > 1', [2, 3]),
        ('request.json["n"] == 1', [1, 1]),
        ("reply is None and subject.endswith('silent')", [1]),
        ("rtt is not None and rtt < 60 and size == 8 and outcome == 'answered'", [1, 2, 3]),
        ("1 / 0", []),
        ("exit()", []),
        ("json[10**5000]", []),
    ],
)
def test_exchanges_are_shown_that_it_is_true_of(
    spawn: Spawn, server: Server, peers: Peers, expression: str, shown: list[int]
) -> None:
    program = spawn(
        "watch",
        "w.>",
        "--json",
        "--where",
        expression,
        "--timeout",
        "500ms",
        server=server,
        ready="Watching [",
    )
    client = peers.connect(server.url)
    peers.request(client, "w.silent", b'{"n": 1}', timeout=0.02)
    for number in (1, 2, 3):
        peers.request(client, "w.echo", b'{"n": %d}' % number)
    time.sleep(1.2)
    assert program.stop() == 0
    records = [json.loads(line) for line in program.stdout_bytes().splitlines()]
    assert sorted(record["json"]["n"] for record in records) == shown
    assert "Seen 4 exchanges" in program.stderr_text()


@pytest.mark.parametrize("expression", ["json[", "nothing == 1"])
def test_what_is_no_expression_is_refused_before_connecting(pynats: Runner, expression: str) -> None:
    run = pynats("watch", "w.>", "--where", expression, "-s", "nats://127.0.0.1:1")
    assert run.status == 2
    assert "--where" in run.errors[0]


@pytest.mark.parametrize("how", ["file", "-"])
def test_what_is_recorded_is_a_mock(
    spawn: Spawn,
    server: Server,
    server_factory: Callable[..., Server],
    peers: Peers,
    tmp_path: Path,
    how: str,
) -> None:
    file = tmp_path / "seen.jsonl"
    target = str(file) if how == "file" else "-"
    program = spawn("watch", "w.echo", "--record", target, "--count", "3", server=server, ready="Watching [")
    client = peers.connect(server.url)
    seen = [peers.request(client, "w.echo", b'{"n": %d}' % number) for number in (1, 2, 3)]
    assert program.wait() == 0
    if how == "-":
        file.write_bytes(program.stdout_bytes())
    assert len(file.read_text().splitlines()) == 3
    elsewhere = server_factory()
    spawn("reply", "--mock", str(file), server=elsewhere)
    client = peers.connect(elsewhere.url)
    mocked = [peers.request(client, "w.echo", b'{"n": %d}' % number) for number in (1, 2, 3)]
    assert list(map(content, mocked)) == list(map(content, seen))
    assert [content(reply)[0] for reply in mocked] == [b'{"n": %d}' % number for number in (1, 2, 3)]
