"""Several replies to one request: passed on by --upstream, recorded, shown as JSON, mocked, whatever sends them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.asking import Asker
from tests.program import Program, Runner
from tests.servers import Server

Spawn = Callable[..., Program]

HANDLER = """
import time

def several(request):
    yield "one"
    time.sleep(0.05)
    yield b"\\xff two"
"""
PIPE = """
import json, sys
for line in sys.stdin:
    ask = json.loads(line)
    for answer in ({"data": "one", "more": True}, {"data_base64": "/yB0d28=", "more": True}, {"data": ""}):
        print(json.dumps({"id": ask["id"], **answer}), flush=True)
"""
MOCK = {"subject": "several.it", "replies": [{"data": "one"}, {"data_base64": "/yB0d28="}, {"data": ""}]}
PARTS = [b"one", b"\xff two", b""]


@pytest.fixture(params=["handler", "pipe", "mock"])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """The options of a responder that sends PARTS."""
    (tmp_path / "several.py").write_text(HANDLER)
    (tmp_path / "pipe.py").write_text(PIPE)
    (tmp_path / "mock.json").write_text(json.dumps(MOCK))
    return {
        "handler": ["--handler", f"{tmp_path / 'several.py'}:several"],
        "pipe": ["--pipe", f"python3 {tmp_path / 'pipe.py'}"],
        "mock": ["--mock", str(tmp_path / "mock.json")],
    }[request.param]


def payloads(asker: Asker, subject: str, count: int = 3) -> list[bytes]:
    asker.send(subject, b"x")
    return [answer.payload for answer in asker.receive(count)]


def objects(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.splitlines()]


def test_all_of_them_are_recorded_and_hold(
    runner: Runner, spawn: Spawn, server_factory: Callable[..., Server], way: list[str], tmp_path: Path
) -> None:
    server, file = server_factory(), tmp_path / "record.jsonl"
    responder = spawn("reply", "several.it", *way, "--record", str(file), server=server)
    with Asker(server) as asker:
        assert payloads(asker, "several.it") == PARTS
        assert payloads(asker, "several.it") == PARTS
    assert responder.stop() == 0
    first, second = objects(file.read_bytes())
    assert [set(reply) for reply in first["replies"]] == [
        {"rtt_ns", "data"}, {"rtt_ns", "data_base64"}, {"rtt_ns", "data"}
    ]  # fmt: skip
    times = [reply["rtt_ns"] for reply in first["replies"]]
    assert times == sorted(times)
    assert first["duration_ns"] == times[-1]
    assert len(second["replies"]) == 3
    spawn("reply", "--mock", str(file), server=server)
    run = runner("verify", str(file), "--timeout", "2s", server=server)
    assert (run.status, run.errors[0]) == (0, "Verified 2 exchanges: 2 held")


def test_json_has_all_of_them(spawn: Spawn, nats_server: Server, way: list[str]) -> None:
    responder = spawn("reply", "several.it", *way, "--json", "-q", "json", server=nats_server)
    with Asker(nats_server) as asker:
        assert payloads(asker, "several.it") == PARTS
    assert responder.stop() == 0
    [record] = objects(responder.stdout_bytes())
    assert record["outcome"] == "answered"
    assert [reply["data"] for reply in record["replies"]] == ["one", "/yB0d28=", ""]


@pytest.mark.parametrize(
    ("form", "request_", "expected"),
    [
        ("nestjs", b'{"pattern":"f.nestjs","data":1,"id":"i"}',
         [b'{"response":1,"id":"i"}', b'{"response":2,"id":"i"}', b'{"isDisposed":true,"id":"i"}']),
        ("json", b"1", [b"1", b"2", b""]),
        ("raw", b"1", [b"1", b"2", b""]),
        ("faststream", b"1", [b"1", b"2", b""]),
    ],
)  # fmt: skip
def test_formats_have_all_of_them(
    spawn: Spawn, nats_server: Server, tmp_path: Path, form: str, request_: bytes, expected: list[bytes]
) -> None:
    (tmp_path / "two.py").write_text("async def f(request):\n    yield b'1'\n    yield b'2'\n")
    handler = f"{tmp_path / 'two.py'}:f"
    spawn("reply", f"f.{form}", "--handler", handler, "--format", form, server=nats_server)
    with Asker(nats_server) as asker:
        asker.send(f"f.{form}", request_)
        answers = asker.receive(len(expected))
        assert [re.sub(rb"([:,]) ", rb"\1", answer.payload) for answer in answers] == expected
        assert answers[-1].header == b""
        assert asker.receive(1, 0.1) == []


@pytest.mark.parametrize(("replies", "expected"), [("0", PARTS), ("2", PARTS[:2]), ("1", PARTS[:1])])
def test_upstream_passes_on_what_was_asked_for(
    spawn: Spawn, nats_server: Server, tmp_path: Path, replies: str, expected: list[bytes]
) -> None:
    (tmp_path / "several.py").write_text(HANDLER)
    spawn("reply", "up.it", "--handler", f"{tmp_path / 'several.py'}:several", server=nats_server)
    proxy = spawn("reply", "via.it", "--upstream", "up.it", "--replies", replies, server=nats_server)
    with Asker(nats_server) as asker:
        assert payloads(asker, "via.it", len(expected)) == expected
        assert asker.receive(1, 0.2) == []
    if replies != "0":
        proxy.wait_for("not passed on" if replies == "2" else "--replies 0 passes several on")
    assert proxy.stop() == 0
    assert "Answered 1 request in" in proxy.stderr_text()


def test_upstream_takes_a_silence_for_the_end(spawn: Spawn, nats_server: Server, tmp_path: Path) -> None:
    file = tmp_path / "record.jsonl"
    spawn("reply", "single.it", "only", server=nats_server)
    proxy = spawn(
        "reply", "via.single", "--upstream", "single.it", "--replies", "0", "--reply-timeout", "100ms",
        "--record", str(file), "--json", server=nats_server,
    )  # fmt: skip
    with Asker(nats_server) as asker:
        assert payloads(asker, "via.single", 1) == [b"only"]
        proxy.wait_until(lambda: b"only" in proxy.stdout_bytes(), "the record")
        asker.send("via.single", b"y")
        assert [answer.payload for answer in asker.receive(1)] == [b"only"]
        assert proxy.stop() == 0  # what is open is waited for
    first, second = objects(file.read_bytes())
    assert first["reply"] == second["reply"] == {"data": "only"}
    assert first["duration_ns"] < 100e6  # the silence is not a part of it
    records = objects(proxy.stdout_bytes())
    assert [(record["outcome"], len(record["replies"])) for record in records] == [("answered", 1)] * 2
    assert '"answered": 2' in proxy.stderr_text()


def test_upstream_ends_several_with_an_error_and_knows_no_responders(
    spawn: Spawn, nats_server: Server, tmp_path: Path
) -> None:
    (tmp_path / "fails.py").write_text("def f(request):\n    yield 'one'\n    raise ValueError\n")
    spawn("reply", "fails.it.now", "--handler", f"{tmp_path / 'fails.py'}:f", server=nats_server)
    spawn("reply", "via.*", "--upstream", "{{1}}.it.now", "--replies", "0", server=nats_server)
    with Asker(nats_server) as asker:
        asker.send("via.fails", b"x")
        first, last = asker.receive(2)
        assert (first.payload, b"Nats-Service-Error-Code: 500" in last.header) == (b"one", True)
        asker.send("via.nobody", b"x")
        [none] = asker.receive(1)
        assert b"Nats-Service-Error-Code: 503" in none.header


def test_what_is_endless_is_not_recorded_and_said(spawn: Spawn, nats_server: Server, tmp_path: Path) -> None:
    (tmp_path / "big.py").write_text(
        "def f(request):\n    for _ in range(80):\n        yield b'x' * 500_000\n"
    )
    file = tmp_path / "record.jsonl"
    responder = spawn(
        "reply", "big.it", "--handler", f"{tmp_path / 'big.py'}:f", "--record", str(file), server=nats_server
    )
    with Asker(nats_server) as asker:
        assert len(payloads(asker, "big.it", 81)) == 81
    assert responder.stop() == 1
    assert "requests that could not be recorded: 1" in responder.stderr_text()
    assert file.read_bytes() == b""


NEEDS = "--reply-timeout needs --replies other than 1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--replies", "0"], "--replies needs --upstream"),
        (["--upstream", "y", "--reply-timeout", "1s"], NEEDS),
        (["--upstream", "y", "--reply-timeout", "1s", "--replies", "1"], NEEDS),
        (
            ["--upstream", "y", "--candidate", "z", "--replies", "2"],
            "--candidate and --replies exclude each other",
        ),
        (["--upstream", "y", "--replies", "0", "--reply-timeout", "0s"], "a timeout must be more than 0"),
        (["--stats", "--verbose"], "--stats and --verbose exclude each other"),
        (["--quiet", "-v"], "--quiet and --verbose exclude each other"),
    ],
)
def test_what_cannot_be_meant_is_refused(pynats: Runner, options: list[str], message: str) -> None:
    run = pynats("reply", "x", *options)
    assert (run.status, message in run.errors[0]) == (2, True), run.stderr


def test_each_reply_of_a_mock_waits_for_its_delay(spawn: Spawn, nats_server: Server, tmp_path: Path) -> None:
    replies = [
        {"data": "one"},
        {"data": "two", "delay": "100ms"},
        {"data": "three"},
        {"data": "", "delay": 0.1},
    ]
    (tmp_path / "slow.json").write_text(json.dumps({"subject": "slow.it", "replies": replies}))
    responder = spawn("reply", "--mock", str(tmp_path / "slow.json"), server=nats_server)
    with Asker(nats_server) as asker:
        asker.send("slow.it", b"x")
        answers = asker.receive(4)
        asker.send("slow.it", b"y")
        assert asker.receive(1)[0].payload == b"one"
        assert responder.stop() == 0  # and the others are waited for
        assert [answer.payload for answer in asker.receive(3)] == [b"two", b"three", b""]
    assert [answer.payload for answer in answers] == [b"one", b"two", b"three", b""]
    assert answers[1].seconds > 0.09
    assert answers[3].seconds > 0.18
    assert "Answered 2 requests" in responder.stderr_text()


def test_a_responder_that_may_not_look_after_its_requesters_says_what_that_means(
    server_factory: Callable[..., Server], spawn: Callable[..., Program], tmp_path: Path
) -> None:
    server = server_factory(
        'authorization { users: [{user: u, password: "s3cr3t-u", permissions: { subscribe: { allow: "a" } }}, '
        '{user: all, password: "s3cr3t-all"}] }'
    )
    handler = tmp_path / "several.py"
    handler.write_text("def handle(request):\n    yield 'one'\n    yield 'two'\n")
    login = ("--user", "u", "--password", "s3cr3t-u")
    reply = spawn("reply", "a", "--handler", f"{handler}:handle", *login, server=server)
    with Asker(server, user="all", **{"pass": "s3cr3t-all"}) as asker:
        asker.send("a", b"x")
        assert [answer.payload for answer in asker.receive(3)] == [b"one", b"two", b""]
    reply.wait_for("that a requester of several replies is gone is not noticed")
    assert reply.stop() == 0
