"""Completion of service names and endpoint subjects: those of a real server, quickly or not at all."""

from __future__ import annotations

import io
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nats.aio.msg import Msg

from natscli.cli import discovery
from natscli.cli.completion import answer
from natscli.cli.discovery import PATIENCE
from natscli.cli.options import App
from natscli.cli.root import cli
from natscli.environment import Environment
from tests.peers import Peers, echo
from tests.program import Runner
from tests.servers import Server, start_server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with two services, two instances of the one, and answers that are none of a service."""
    with start_server() as server:
        peers = Peers()
        for _ in range(2):
            peers.service(peers.connect(server.url), "calculator", {"add": echo, "divide": echo})
        peers.service(peers.connect(server.url), "clock", {"now": echo}, version="2.1.0")
        peers.respond(peers.connect(server.url), "$SRV.INFO")
        hostile = {
            "type": "io.nats.micro.v1.info_response",
            "name": "x",
            "id": "y",
            "version": "1",
            "endpoints": [
                {"name": "e", "subject": s} for s in ("a;reboot;'", "$(reboot)", "a\nb", "\x1b[2J")
            ],
        }

        async def answer(message: Msg) -> None:
            await message.respond(json.dumps(hostile).encode())

        peers.respond(peers.connect(server.url), "$SRV.INFO", answer)
        yield server
        peers.close()


def ask(pynats: Runner, line: str, shell: str = "fish", **environ: str) -> list[str]:
    run = pynats(env={"_PYNATS_COMPLETE": shell, "COMP_LINE": f"pynats {line}", **environ})
    assert (run.status, run.stderr) == (0, "")
    return run.lines


Offered = Callable[..., list[str]]


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch, runner: Runner) -> Offered:
    """What is offered to a command line where Tab may take long, as it does on a machine that is busy with tests."""

    def offer(line: str, **environ: str) -> list[str]:
        monkeypatch.setattr(discovery, "PATIENCE", discovery._age() + 20)
        monkeypatch.setattr(discovery, "SILENCE", 1)
        variables = runner.environ | {"_PYNATS_COMPLETE": "fish", "COMP_LINE": f"pynats {line}", **environ}
        environment = Environment(io.BytesIO(), io.BytesIO(), io.BytesIO(), variables)
        return [line.removeprefix("plain,") for line in answer(cli, App(environment)).splitlines()]

    return offer


CALCULATOR = ["calculator.add\tadd of calculator", "calculator.divide\tdivide of calculator"]


def test_request_completes_the_subjects_of_endpoints(offered: Offered, server: Server) -> None:
    clock = ["clock.now\tnow of clock"]
    assert offered("request ", NATS_URL=server.url) == CALCULATOR + clock
    assert offered("request calculator.d", NATS_URL=server.url) == CALCULATOR[1:]
    assert offered(f"-s {server.url} req clo") == clock
    assert offered(f"request --server={server.url} clo") == clock


@pytest.mark.parametrize("command", ["info", "stats", "ping"])
def test_service_completes_names(offered: Offered, server: Server, command: str) -> None:
    names = ["calculator\tversion 1.0.0", "clock\tversion 2.1.0"]
    assert offered(f"service {command} ", NATS_URL=server.url) == names
    assert offered(f"svc {command} clo", NATS_URL=server.url) == names[1:]


def test_the_context_of_the_command_line_is_asked(
    offered: Offered, server: Server, config_home: Path
) -> None:
    folder = config_home / "nats" / "context"
    folder.mkdir(parents=True)
    (folder / "there.json").write_text(json.dumps({"url": server.url}))
    assert offered("request --context there clo") == ["clock.now\tnow of clock"]


def test_a_real_run_offers_them_in_time(pynats: Runner, server: Server) -> None:
    deadline = time.monotonic() + 60  # for a machine that is busy with other tests
    while ask(pynats, "request clo", NATS_URL=server.url) != ["plain,clock.now\tnow of clock"]:
        assert time.monotonic() < deadline


def test_credentials_that_need_a_program_or_a_question_are_not_used(
    pynats: Runner, server: Server, config_home: Path, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "op"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\n")
    program.chmod(0o700)
    path = f"{program.parent}:{pynats.environ['PATH']}"
    for flags in ("--creds op://a/b/c", "--token -", "--user u --password -", "--token op://a/b/c"):
        assert ask(pynats, f"-s {server.url} {flags} request clo", PATH=path) == []
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize("line", ["request ", "service info ", "service stats ca", "req --timeout 30s x"])
def test_nothing_is_offered_where_no_server_answers_and_it_is_not_waited_for(
    pynats: Runner, line: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"127.0.0.1:{silent.getsockname()[1]}"
        took = []
        for _ in range(10):
            start = time.monotonic()
            assert ask(pynats, line, NATS_URL=url) == []
            took.append(time.monotonic() - start)
            if took[-1] < 0.3:
                break
        assert min(took) < 0.3 or min(took) < PATIENCE + start_of_python(pynats), took


def start_of_python(pynats: Runner) -> float:
    """Seconds that a completion takes which asks no server, on this machine now."""
    start = time.monotonic()
    assert len(ask(pynats, "--tlsc")) == 2
    return time.monotonic() - start


@pytest.mark.parametrize("line", ["request ", "service info "])
@pytest.mark.parametrize("url", ["127.0.0.1:1", "nats://no.such.host.invalid", "bad url", "ws://127.0.0.1:1"])
def test_a_server_that_is_not_there_is_no_error(pynats: Runner, line: str, url: str) -> None:
    assert ask(pynats, line, NATS_URL=url) == []


def test_a_server_that_refuses_is_no_error(pynats: Runner, server_factory: Callable[..., Server]) -> None:
    closed = server_factory("authorization { token: right }")
    assert ask(pynats, "request ", NATS_URL=closed.url) == []
