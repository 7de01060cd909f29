"""Lines that are cut, reset, stalled, slow or corrupt, between a responder and its server."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.asking import Asker
from tests.faults.conftest import PAUSE, Load, Report, seconds_until_answered
from tests.program import Program
from tests.proxies import Fault, corrupt, cut, proxy, reset
from tests.servers import Server

Spawn = Callable[..., Program]
Start = Callable[..., Load]


@pytest.mark.parametrize(("name", "fault"), [("cut", cut), ("reset", reset)], ids=["cut", "reset"])
def test_a_line_that_ends_in_the_middle_of_a_message(
    spawn: Spawn, nats_server: Server, report: Report, name: str, fault: Fault
) -> None:
    """At places of a message of 300 kB and of one of 20 bytes, one after the other: so the pauses grow up to 5 s."""
    subject, took = f"f.{name}", []
    with proxy(nats_server.port) as line, Asker(nats_server) as asker:
        responder = spawn("reply", subject, "--echo", "--quiet", server=line.url, ready="")
        asker.wait_for_responder(subject)
        for size, places in ((20, (1, 10, 40, 50)), (300_000, (3, 100, 70_000, 299_000))):
            for place in places:
                line.after(place, fault)
                asker.send(subject, b"x" * size)
                began = time.monotonic()
                while not line.is_done:
                    assert time.monotonic() - began < 10
                    time.sleep(0.005)
                seconds_until_answered(nats_server, subject)
                took.append(time.monotonic() - began)
        with Asker(nats_server) as other:
            assert other.ask(subject, b"y" * 300_000)[0].payload == b"y" * 300_000
    assert responder.stop() == 0
    report(f"line {name} in the middle of a message", tries=len(took), lost="the message",
           survived=sum(seconds < 10 for seconds in took), seconds=max(took))  # fmt: skip


def test_a_stream_that_is_corrupted(spawn: Spawn, nats_server: Server, report: Report) -> None:
    took = []
    with proxy(nats_server.port) as line, Asker(nats_server) as asker:
        responder = spawn("reply", "f.corrupt", "--echo", "--quiet", server=line.url, ready="")
        asker.wait_for_responder("f.corrupt")
        for place in (0, 1, 4, 9, 20, 40, 60, 80, 200):
            line.after(place, corrupt)
            began = time.monotonic()
            while not line.is_done:
                asker.send("f.corrupt", b"x" * 50)
                time.sleep(0.01)
            seconds_until_answered(nats_server, "f.corrupt")
            took.append(time.monotonic() - began)
    assert responder.stop() == 0
    assert "Traceback" not in responder.stderr_text()
    report("64 bytes of a stream corrupted", tries=len(took), survived=sum(seconds < 10 for seconds in took),
           lost="those messages", seconds=max(took))  # fmt: skip


def test_a_line_that_stalls(spawn: Spawn, load: Start, nats_server: Server, report: Report) -> None:
    with proxy(nats_server.port) as line:
        responder = spawn("reply", "f.stall", "--echo", server=line.url)
        requests = load("f.stall", "--timeout", f"{PAUSE + 10}s", server=nats_server, seconds=2, retries=0)
        time.sleep(0.5)
        line.stall()
        time.sleep(PAUSE)
        line.go_on()
        took = seconds_until_answered(nats_server, "f.stall")
        summary = requests.finish()
        assert responder.stop() == 0
    assert summary["failed"] == 0
    report(f"line that stalls for {PAUSE:g} s, under {summary['sent']:,} requests", seconds=took)


@pytest.mark.parametrize(
    ("name", "delay", "throttle"), [("delays by 100 ms", 0.1, 1e12), ("takes 100 kB/s", 0, 1e5)]
)
def test_a_line_that_is_slow(
    spawn: Spawn, load: Start, nats_server: Server, report: Report, name: str, delay: float, throttle: float
) -> None:
    with proxy(nats_server.port, delay) as line:
        line.throttle = throttle
        responder = spawn("reply", "f.slow", "--echo", server=line.url)
        requests = load("f.slow", "--timeout", "10s", server=line.url, seconds=2, retries=0)
        summary = requests.finish()
        assert responder.stop() == 0
    assert summary["failed"] == 0
    report(f"line that {name}, under {summary['sent']:,} requests")
