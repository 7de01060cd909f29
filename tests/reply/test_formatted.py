"""`reply --format`: what comes is unwrapped, and every answer is wrapped, errors too."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.program import Program, Runner
from tests.servers import Server

Spawn = Callable[..., Program]
PATTERN, SORTED = '{"op": "sum", "cmd": "%s"}', '{"cmd":"%s","op":"sum"}'


@pytest.fixture(params=["body", "endpoint", "mock"])
def arguments(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, ...]:
    """A responder that answers 5 on an object whose keys are not sorted, in each way to say where it listens."""
    pattern = PATTERN % tmp_path.name
    if request.param == "body":
        return pattern, "5"
    if request.param == "endpoint":
        file = tmp_path / "calc.py"
        pattern = pattern.replace(" ", "")
        file.write_text(
            f"import natscli\n\n@natscli.endpoint('{pattern}')\ndef add(request):\n    return 5\n"
        )
        return "--handler", str(file)
    file = tmp_path / "rules.jsonl"
    file.write_text(json.dumps({"subject": pattern, "reply": {"data": "5"}}) + "\n")
    return "--mock", str(file)


def test_an_object_is_listened_on_as_it_is_asked(
    spawn: Spawn, pynats: Runner, nats_server: Server, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    place = f"[{SORTED % tmp_path.name}]"
    program = spawn("reply", *arguments, "--format", "nestjs", server=nats_server, ready=place)
    run = pynats("request", PATTERN % tmp_path.name, "{}", "--format", "nestjs", server=nats_server)
    assert (run.status, run.text) == (0, "5\n")
    assert "comma" not in program.stderr_text()


def test_an_object_is_watched_as_it_is_asked(
    spawn: Spawn, pynats: Runner, nats_server: Server, tmp_path: Path
) -> None:
    pattern, form = PATTERN % tmp_path.name, ("--format", "nestjs")
    spawn("reply", pattern, "5", *form, server=nats_server, ready="Listening")
    program = spawn("watch", pattern, *form, "--count", "1", server=nats_server, ready="Watching [")
    assert pynats("request", pattern, "[1]", *form, server=nats_server).status == 0
    assert program.wait() == 0
    assert program.stdout_bytes().decode().endswith("[1] -> 5\n")
    assert "comma" not in program.stderr_text()


@pytest.mark.parametrize("command", [("reply", "{cmd", "5"), ("watch", "{cmd")])
def test_a_pattern_that_is_not_json_is_refused(pynats: Runner, command: tuple[str, ...]) -> None:
    run = pynats(*command, "--format", "nestjs", "-s", "nats://127.0.0.1:1")
    assert (run.status, "the pattern is not JSON" in run.stderr) == (2, True)
