"""Older servers: what they cannot do is said, and not done in another way."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.interop.older import older_server
from tests.program import Program, Runner
from tests.servers import Server, free_port

#: The newest that cannot trace, and the oldest that can.
WITHOUT_TRACING, WITH_TRACING = "2.10.26", "2.11.0"


@pytest.fixture(scope="session")
def untraced() -> str:
    """The path of a nats-server that knows no tracing."""
    return older_server(WITHOUT_TRACING)


@pytest.mark.parametrize("version", [WITHOUT_TRACING, WITH_TRACING, "2.12.0"])
def test_requests_services_and_contexts(
    pynats: Runner, spawn: Callable[..., Program], server_factory: Callable[..., Server], version: str
) -> None:
    server = server_factory(binary=older_server(version))
    spawn("reply", "help.please", "OK", "--service", "help", server=server)
    assert pynats("request", "help.please", "I need help!", "--raw", server=server).stdout == b"OK"
    [instance] = json.loads(pynats("service", "stats", "help", "--json", server=server).stdout)
    assert [endpoint["num_requests"] for endpoint in instance["endpoints"]] == [1]
    assert pynats("request", "nobody", "x", server=server).status == 3
    info = json.loads(pynats("server", "info", "--json", server=server).stdout)
    assert info["version"] == version
    pynats("context", "add", "older", "--server", server.url)
    assert pynats("context", "validate", "older", "--connect").status == 0


def test_a_trace_is_not_delivered_by_a_server_that_cannot_trace(
    pynats: Runner, spawn: Callable[..., Program], server_factory: Callable[..., Server], untraced: str
) -> None:
    server = server_factory(binary=untraced)
    program = spawn("reply", "t.x", "OK", server=server)
    done = pynats("trace", "t.x", "hi", server=server)
    assert done.status == 1
    assert f"nats-server {WITHOUT_TRACING} traces no messages, 2.11 and newer do" in done.stderr
    assert pynats("request", "t.x", "real", "--raw", server=server).stdout == b"OK"
    assert b"hi" not in program.stdout_bytes()


def test_watch_says_what_it_cannot_find_out(
    pynats: Runner, spawn: Callable[..., Program], server_factory: Callable[..., Server], untraced: str
) -> None:
    server = server_factory(binary=untraced)
    program = spawn("watch", "t.>", "--timeout", "100ms", "--count", "1", server=server, ready="Watching [")
    assert pynats("request", "t.nobody", "x", "--timeout", "100ms", server=server).status == 4
    assert program.wait() == 0
    assert f"shown as unanswered: nats-server {WITHOUT_TRACING} traces no messages" in program.stderr_text()


def test_a_node_of_a_cluster_that_cannot_trace_gets_nothing(
    pynats: Runner, spawn: Callable[..., Program], server_factory: Callable[..., Server], untraced: str
) -> None:
    port = free_port()
    config = 'cluster {{ name: c, listen: "127.0.0.1:{}", routes: ["nats://127.0.0.1:{}"] }}'
    newer = server_factory(config.format(port, port))
    older = server_factory(config.format(-1, port), binary=untraced)
    program = spawn("reply", "t.x", "OK", server=older)
    # before the watch, which subscribes too: beside it nobody is told that there are no responders yet
    request = pynats("request", "t.x", "real", "--raw", "--wait-for-responders", "20s", server=newer)
    assert request.stdout == b"OK"
    spawn("watch", "t.>", server=newer, ready="Watching [")
    done = pynats("trace", "t.x", "traced", server=newer)
    assert "does not support message tracing" in done.text
    assert pynats("request", "t.x", "last", "--raw", server=newer).stdout == b"OK"
    program.wait_for("Received on [t.x]")
    assert b"traced" not in program.stdout_bytes()
