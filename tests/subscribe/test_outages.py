"""`pynats subscribe` on bad days: servers that die, outputs that are slow."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from tests.asking import Asker
from tests.program import Program, Runner
from tests.servers import Server
from tests.terminal import on_terminal

Subscribe = Callable[..., Program]


def publish_until(program: Program, url: str, subject: str, payload: bytes) -> None:
    """Publish until the program has shown the payload."""
    with Asker(url) as asker:
        deadline = time.monotonic() + 30
        while payload not in program.stdout_bytes():
            assert time.monotonic() < deadline, program.stderr_text()
            asker.send(subject, payload, reply=b"")
            time.sleep(0.05)


def test_it_goes_on_when_the_server_comes_back(
    subscribe: Subscribe, server_factory: Callable[..., Server]
) -> None:
    server = server_factory()
    program = subscribe("t.back", "--raw", server=server)
    publish_until(program, server.url, "t.back", b"before")
    server.restart()
    program.wait_for("Reconnected to")
    publish_until(program, server.url, "t.back", b"after")
    assert program.stop() == 0
    assert re.search(
        r"not seen: what came in \d\S+ without a connection; disconnections: 1\n", program.stderr_text()
    )


@pytest.mark.parametrize(
    "arguments", [("subscribe",), ("watch",), ("watch", "--stats", "--json")], ids=" ".join
)
def test_at_the_end_it_says_how_long_there_is_no_connection(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], arguments: tuple[str, ...]
) -> None:
    server = server_factory()
    program = spawn(*arguments, "t.gone", server=server, ready="[t.gone]")
    server.stop()
    program.wait_for("Disconnected")
    time.sleep(1.1)
    assert program.stop(signal.SIGINT) == 0
    [line] = [line for line in program.stderr_text().splitlines() if "ot seen: " in line]
    assert re.search(r"what came in (1\.[1-9]|[2-9])\d*s without a connection; disconnections: 1$", line), (
        line
    )


@pytest.mark.parametrize(
    ("taken", "status"), [("_INBOX.>", 6), ("_R_.>", None)], ids=["its inboxes", "those of importers"]
)
def test_matching_replies_ends_when_a_reload_takes_the_inboxes(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], taken: str, status: int | None
) -> None:
    users = 'authorization {{ users: [{{ user: u, password: p, permissions: {{ subscribe: {{ deny: "{}" }} }} }}] }}'
    server = server_factory(users.format("other"))
    program = spawn(
        "subscribe",
        "a",
        "--match-replies",
        "--user",
        "u",
        "--password",
        "p",
        server=server,
        ready="Subscribed",
    )
    server.reload(users.format(taken))
    if status is None:
        time.sleep(0.5)
        assert program.status is None
        assert program.stop() == 0
        assert "permit" not in program.stderr_text()
    else:
        assert program.wait() == status
        assert f'Permissions Violation for Subscription to "{taken}"' in program.stderr_text()


def test_it_goes_on_when_a_node_of_its_cluster_is_killed(subscribe: Subscribe, cluster: list[Server]) -> None:
    program = subscribe("t.cluster", "--raw", server=",".join(node.url for node in cluster[:2]))
    publish_until(program, cluster[2].url, "t.cluster", b"through a route")
    cluster[0].stop(signal.SIGKILL)
    program.wait_for("Reconnected to")
    publish_until(program, cluster[2].url, "t.cluster", b"after the end of a node")
    assert program.stop() == 0


def test_a_pipe_that_is_not_read_for_a_second_loses_nothing(
    runner: Runner, nats_server: Server, asker: Asker
) -> None:
    command = [sys.executable, "-m", "natscli", "sub", "t.pause", "--raw", "--count", "40000"]
    environ = {**runner.environ, "NATS_URL": nats_server.url}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"Subscribed" in process.stderr.readline()
        for start in range(0, 40_000, 100):
            asker.send("t.pause", *[b"%06d" % n + b"x" * 993 for n in range(start, start + 100)], reply=b"")
        time.sleep(1)
        output = process.stdout.read()
        assert process.wait(30) == 0, process.stderr.read()
    assert [int(line[:6]) for line in output.splitlines()] == list(range(40_000))


def test_what_a_pipe_that_is_not_read_cannot_take_is_counted(
    runner: Runner, nats_server: Server, asker: Asker
) -> None:
    command = [sys.executable, "-m", "natscli", "sub", "t.stuck", "--raw", "--count", "100000"]
    environ = {**runner.environ, "NATS_URL": nats_server.url}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"Subscribed" in process.stderr.readline()
        for start in range(0, 100_000, 100):
            asker.send("t.stuck", *[b"%06d" % n + b"x" * 993 for n in range(start, start + 100)], reply=b"")
        asker.ask("t.stuck.nobody", b"")
        time.sleep(1)
        resident = _resident_mb(process.pid)
        output = process.stdout.read()
        errors = process.stderr.read().decode()
        assert process.wait(30) == 1
    lost = re.search(r"messages lost, because the output could not keep up: (\d+)", errors)
    assert lost, errors
    assert len(output.splitlines()) + int(lost[1]) == 100_000
    assert 60 < resident < 130


def _resident_mb(pid: int) -> float:
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_sigterm_ends_it_while_the_terminal_takes_nothing(
    runner: Runner, nats_server: Server, asker: Asker
) -> None:
    with on_terminal(runner, "subscribe", "t.stuck", server=nats_server) as (run, terminal):
        terminal.wait_for(b"Subscribed")
        terminal.stop()
        asker.send("t.stuck", b"x", reply=b"")
        run.send_signal(signal.SIGTERM)
        assert run.wait(20) == 0
