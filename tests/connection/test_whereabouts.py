"""Which server it is that a command is connected to, said where nobody has named it on the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.program import Program, Runner
from tests.request.terminals import run_on_terminal
from tests.servers import Server
from tests.terminal import on_terminal


@pytest.fixture
def prod(config_home: Path, nats_server: Server) -> str:
    folder = config_home / "nats" / "context"
    folder.mkdir(parents=True)
    (folder / "prod.json").write_text(json.dumps({"url": nats_server.url}))
    return "prod"


def lines(text: str) -> list[str]:
    return re.findall(r"(?m)^(?:[\d-]{10} )?\d\d:\d\d:\d\d (.*)", text)


def test_a_context_is_said_first(
    pynats: Runner, spawn: Callable[..., Program], nats_server: Server, prod: str
) -> None:
    where = f"Connected to {nats_server.url}, context 'prod'"
    reply = spawn("reply", "where.am.i", "here", "--context", prod, ready="Listening")
    assert lines(reply.stderr_text())[0] == where
    pynats("context", "select", prod)
    run = pynats("request", "where.am.i", "x")
    assert (run.status, lines(run.stderr)[0]) == (0, where)
    for options in ("--raw", "--json", "--quiet"):
        assert where not in pynats("request", "where.am.i", "x", options).stderr


def test_a_server_without_a_context_is_said_if_asked_for(
    pynats: Runner, spawn: Callable[..., Program], nats_server: Server
) -> None:
    spawn("reply", "where.am.i", "here", server=nats_server)
    run = pynats("request", "where.am.i", "x", "--verbose", env={"NATS_URL": nats_server.url})
    assert lines(run.stderr)[0] == f"Connected to {nats_server.url}, NATS_URL"
    run = pynats("request", "where.am.i", "x", "-s", nats_server.url)
    assert lines(run.stderr)[0] == "Sending request on [where.am.i]"
    run = pynats("request", "where.am.i", "x", "-s", nats_server.url, "--verbose")
    assert lines(run.stderr)[0] == f"Connected to {nats_server.url}"


def test_the_current_context_is_json_for_scripts(pynats: Runner, prod: str) -> None:
    pynats("context", "select", prod)
    run = pynats("context", "current", "--json")
    assert (run.status, json.loads(run.stdout)["name"]) == (0, prod)
    pynats("context", "unselect")
    assert pynats("context", "current", "--json").status == 2


def test_on_a_terminal_the_server_of_a_variable_is_said(runner: Runner, nats_server: Server) -> None:
    where = f"Connected to {nats_server.url}, NATS_URL".encode()
    _, shown = run_on_terminal(runner, "request", "where.nobody", "x", server=nats_server)
    assert where in shown
    given = ["request", "where.nobody", "x", "-s", nats_server.url]  # typed just now
    _, shown = run_on_terminal(runner, *given, server=nats_server)
    assert b"Connected to" not in shown
    with on_terminal(runner, "reply", "where.nobody", "x", server=nats_server) as (_, terminal):
        terminal.wait_for(b"Listening on")
    assert where in terminal.shown
