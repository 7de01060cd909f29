"""Handlers that yield: each value is a reply as it comes."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.asking import Asker
from tests.program import Program
from tests.servers import Server

GENERATORS = """
    import asyncio, time
    from natscli import endpoint
    ended = []
    @endpoint("plain.*")
    def plain(request):
        try:
            for number in range(int(request.tokens[-1])):
                if request.data: time.sleep(float(request.text))
                yield str(number)
            if request.text == "0": 1 / 0
        finally:
            ended.append("plain")
            print("plain ended")
    @endpoint("async.*")
    async def slow(request):
        try:
            for number in range(int(request.tokens[-1])):
                if request.data: await asyncio.sleep(float(request.text))
                yield str(number)
            if request.text == "0": 1 / 0
        finally:
            print("async ended")
    """
KIND = pytest.mark.parametrize("kind", ["plain", "async"])


@KIND
def test_each_value_is_a_reply_and_an_empty_one_ends_them(
    app: Callable[..., Program], asker: Asker, kind: str
) -> None:
    program = app(GENERATORS)
    asker.send(f"{kind}.10000", b"")
    answers = asker.receive(10_001)
    assert [answer.payload for answer in answers] == [*(b"%d" % number for number in range(10_000)), b""]
    asker.send(f"{kind}.2", b"0")
    *values, last = asker.receive(3)
    assert [value.payload for value in values] == [b"0", b"1"]
    assert b"Nats-Service-Error-Code: 500" in last.lines
    assert program.stop() == 0
    assert "Answered 2 requests" in program.stderr_text()
    assert "ZeroDivisionError: division by zero (app.py:" in program.stderr_text()


@pytest.mark.parametrize("how", [(), ("--json",), ("--service", "sizes")], ids=str)
def test_a_value_that_is_too_large_is_an_error_of_its_request(
    app: Callable[..., Program], asker: Asker, how: tuple[str, ...]
) -> None:
    code = """
        from natscli import endpoint
        @endpoint("sized")
        def sized(request):
            yield from ("1", "x" * 3_000_000, "3")
        """
    program = app(code, *how)
    for _ in range(2):
        asker.send("sized", b"")
        one, two, three, end = asker.receive(4)
        assert (one.payload, two.payload, three.payload, end.payload) == (b"1", b"", b"3", b"")
        assert b"Nats-Service-Error-Code: 500" in two.lines
    assert program.stop() == 0
    assert re.search(r"2 errors|\"errors\": 2\b", program.stderr_text()), program.stderr_text()
    if "--json" in how:
        records = [json.loads(line) for line in program.stdout_bytes().splitlines()]
        assert [(record["outcome"], record["code"]) for record in records] == [("error", 500)] * 2


@KIND
def test_a_value_is_sent_when_it_comes(app: Callable[..., Program], asker: Asker, kind: str) -> None:
    app(GENERATORS)
    asker.send(f"{kind}.3", b"0.4")
    seconds = [answer.seconds for answer in asker.receive(4)]
    assert seconds[1] - seconds[0] > 0.3
    assert seconds[2] - seconds[1] > 0.3


@KIND
@pytest.mark.parametrize("pause", [b"", b"0.1"])
def test_a_requester_that_is_gone_ends_it_within_a_second(
    app: Callable[..., Program], server: Server, kind: str, pause: bytes
) -> None:
    program = app(GENERATORS)
    with Asker(server) as asker:
        asker.send(f"{kind}.1000000000", pause)
        asker.receive(5)
    gone = time.monotonic()
    program.wait_for(f"{kind} ended")
    assert time.monotonic() - gone < 2  # 1, and what a busy machine takes
    assert program.stop() == 0
    assert "1 error" in program.stderr_text()


@KIND
def test_an_endless_one_takes_no_more_memory_and_ends_with_the_drain(
    app: Callable[..., Program], server: Server, asker: Asker, kind: str
) -> None:
    program = app(GENERATORS)
    asker.send(f"{kind}.1000000000", b"")
    asker.receive(20_000)
    before = _memory(program)
    asker.receive(100_000)
    assert _memory(program) - before < 8_000_000
    program.send_signal(15)
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            asker.receive(1000, timeout=0.2)

    reader = threading.Thread(target=read)
    reader.start()
    assert program.wait() == 0
    stop.set()
    reader.join()
    assert f"{kind} ended" in program.stderr_text()


def _memory(program: Program) -> int:
    """The bytes that a program has in memory."""
    status = Path(f"/proc/{program.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.parametrize("form", ["json", "faststream", "nestjs", "raw"])
def test_replies_in_a_format_are_sent_as_they_come_and_end_with_their_requester(
    app: Callable[..., Program], server: Server, asker: Asker, form: str
) -> None:
    program = app(GENERATORS, "--format", form)
    asker.send("async.3", b'{"pattern":"x","data":0.3,"id":"7"}' if form == "nestjs" else b"0.3")
    answers = asker.receive(4)
    assert answers[1].seconds - answers[0].seconds > 0.2
    if form == "nestjs":
        packets: list[dict[str, Any]] = [*({"response": number} for number in range(3)), {"isDisposed": True}]
        assert [json.loads(answer.payload) for answer in answers] == [p | {"id": "7"} for p in packets]
    else:
        assert [answer.payload for answer in answers] == [b"0", b"1", b"2", b""]
    with Asker(server) as other:
        other.send("async.1000000000", b"0.1")
        other.receive(3)
    program.wait_until(lambda: program.stderr_text().count("async ended") == 2, "the end of the second")
    assert program.stop() == 0
