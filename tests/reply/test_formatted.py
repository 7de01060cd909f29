"""`reply --format`: what comes is unwrapped, and every answer is wrapped, errors too."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from natscli.message.headers import decode, encode
from tests.asking import Answer, Asker
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


LARGE = """
def one(request):
    return "x" * 2_000_000

def several(request):
    yield 1
    yield "x" * 2_000_000
"""


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file with functions whose answers are larger than a server takes."""
    file = tmp_path / "large.py"
    file.write_text(LARGE)
    return file


def packet(answer: Answer) -> dict[str, object]:
    """What came, which has no error in its headers."""
    found: dict[str, object] = json.loads(answer.payload)
    assert b"Error" not in answer.header
    return found


@pytest.mark.parametrize("function", ["one", "several"])
def test_an_error_in_place_of_a_reply_that_is_too_large_is_a_packet(
    spawn: Spawn, nats_server: Server, subject: str, large: Path, function: str
) -> None:
    how = ("--handler", f"{large}:{function}", "--format", "nestjs")
    program = spawn("reply", subject, *how, server=nats_server, ready="Listening")
    with Asker(nats_server) as asker:
        answers = asker.ask(subject, b'{"pattern":"x","data":1,"id":"a"}')
        if function == "several":
            assert packet(answers[0]) == {"response": 1, "id": "a"}
            answers = asker.receive(1)
    found = packet(answers[0])
    assert (found["id"], found["isDisposed"]) == ("a", True)
    assert str(found["err"]).startswith("{'status': 'error', 'code': 500, 'message': 'the reply has 2")
    program.wait_for("the server takes 1048576")


def test_an_error_in_place_of_a_reply_that_is_too_large_keeps_the_correlation_id(
    spawn: Spawn, nats_server: Server, subject: str, large: Path
) -> None:
    how = ("--handler", f"{large}:one", "--format", "faststream")
    spawn("reply", subject, *how, server=nats_server, ready="Listening")
    with Asker(nats_server) as asker:
        [answer] = asker.ask(subject, b"1", header=encode([("correlation_id", "c")]))
    pairs = dict(decode(answer.header))
    assert (pairs["correlation_id"], pairs["Nats-Service-Error-Code"]) == ("c", "500")


def test_a_request_that_there_is_no_room_for_gets_a_packet(
    spawn: Spawn, nats_server: Server, subject: str
) -> None:
    how = ("--sleep", "1h..2h", "--format", "nestjs")
    spawn("reply", subject, "3", *how, server=nats_server, ready="Listening")
    with Asker(nats_server) as asker:
        asker.send(subject, *(b'{"data":1,"id":"%d"}' % number for number in range(16_385)))
        [answer] = asker.receive(1)
    error = {"status": "error", "code": 503, "message": "too many requests are waiting"}
    assert packet(answer) == {"err": error, "isDisposed": True, "id": str(answer.number)}
