"""NestJS 11 and 12: its applications are asked, its clients are answered, both are watched."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.projects import output_of, project, running
from tests.program import Program
from tests.servers import Server

Spawn = Callable[..., Program]


@pytest.fixture(params=["nest11", "nest12"], scope="module")
def nest(request: pytest.FixtureRequest) -> Path:
    """The folder of a version of NestJS."""
    return project(request.param)


@pytest.fixture
def application(nest: Path, nats_server: Server) -> Iterator[Path]:
    """The folder, while the application answers on the server."""
    with running(nest, "nestjs.mjs", "serve", nats_server.url):
        yield nest


def ask(nest: Path, server: Server, pattern: str, data: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(output_of(nest, "nestjs.mjs", "ask", server.url, pattern, data))
    return found


def test_exchanges_are_shown_as_data_and_response(
    application: Path, spawn: Spawn, nats_server: Server
) -> None:
    program = spawn("watch", "sum", "fail", "--format", "nestjs", server=nats_server, ready="Watching [")
    assert ask(application, nats_server, "sum", "[1,2]") == {"values": [3]}
    assert ask(application, nats_server, "fail", "1")["error"]["message"] == "no such thing"
    program.wait_until(lambda: program.stdout_bytes().count(b"\n") == 2, "both exchanges")
    first, second = program.stdout_bytes().decode().splitlines()
    assert first.endswith("  [1,2] -> 3")
    assert ", error: no such thing" in second


def test_a_client_is_answered(nest: Path, spawn: Spawn, nats_server: Server, tmp_path: Path) -> None:
    handler = tmp_path / "calc.py"
    handler.write_text(
        "import natscli\n\n"
        "def add(request):\n"
        "    if not request.json():\n"
        "        raise natscli.ServiceError(422, 'no numbers')\n"
        "    return sum(request.json())\n"
    )
    spawn(
        "reply",
        "py.add",
        "--handler",
        f"{handler}:add",
        "--format",
        "nestjs",
        server=nats_server,
        ready="Listening",
    )
    assert ask(nest, nats_server, "py.add", "[1,2,4]") == {"values": [7]}
    error = ask(nest, nats_server, "py.add", "[]")["error"]
    assert error == {"status": "error", "code": 422, "message": "no numbers"}


@pytest.mark.parametrize(
    "pattern",
    [
        '{"op": "x", "cmd": "hi"}',
        '{"cmd":"hi","v1":1,"v_a":2,"v-b":3,"V":4}',
        '{"path":["a","b"],"é":1.0,"e":1e21,"ea":null}',
    ],
)
def test_a_pattern_that_is_an_object_and_texts_work(
    nest: Path, spawn: Spawn, nats_server: Server, pattern: str
) -> None:
    spawn("reply", pattern, "good day", "--format", "nestjs", server=nats_server, ready="Listening")
    assert ask(nest, nats_server, pattern, '"me"') == {"values": ["good day"]}


def test_a_mock_matches_on_data_and_answers_several_times(
    nest: Path, spawn: Spawn, nats_server: Server, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.jsonl"
    rules.write_text(
        '{"subject": "m.sum", "request": {"data": "[1,2]"}, "reply": {"data": "3"}}\n'
        '{"subject": "m.sum", "request": {"data": "[1,2,3]"}, "replies": [{"data": "1"}, {"data": "5"}]}\n'
    )
    spawn("reply", "--mock", str(rules), "--format", "nestjs", server=nats_server, ready="Listening")
    assert ask(nest, nats_server, "m.sum", "[1,2]") == {"values": [3]}
    assert ask(nest, nats_server, "m.sum", "[1,2,3]") == {"values": [1, 5]}


def test_watching_a_subject_that_nobody_answers_can_leave_a_client_without_an_error(
    nest: Path, spawn: Spawn, nats_server: Server
) -> None:
    assert "error" in ask(nest, nats_server, "away.one", "1")
    spawn("watch", "away.>", "--answer-no-responders", server=nats_server, ready="Watching [")
    assert "error" in ask(nest, nats_server, "away.one", "1")
