"""Messages of a JetStream consumer are replies, whose subject is that of the stream: verified, and from a candidate."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.asking import Asker
from tests.peers import Peers
from tests.program import Program, Runner
from tests.servers import Server

PULL = "$JS.API.CONSUMER.MSG.NEXT.ORDERS."
COUNT = 20


@pytest.fixture
def streams(
    server_factory: Callable[..., Server], tmp_path: Path
) -> Iterator[tuple[Server, Callable[[], int]]]:
    """A server with COUNT orders, their consumers C and D, and how many of them are left to C."""
    server, peers = server_factory("", "-js", "-sd", str(tmp_path / "js")), Peers()
    try:
        stream = peers.connect(server.url).jetstream()
        peers.run(stream.add_stream(name="ORDERS", subjects=["orders.>"]))
        for name in ("C", "D"):
            peers.run(stream.add_consumer("ORDERS", durable_name=name, ack_policy="none"))
        for number in range(COUNT):
            peers.run(stream.publish(f"orders.{number}", b"body %d" % number))

        def left() -> int:
            return int(peers.run(stream.consumer_info("ORDERS", "C")).num_pending)

        yield server, left
    finally:
        peers.close()


@pytest.mark.parametrize("concurrency", ["1", "7"])
def test_a_message_that_is_pulled_is_the_reply(
    runner: Runner, streams: tuple[Server, Callable[[], int]], tmp_path: Path, concurrency: str
) -> None:
    server, left = streams
    file = tmp_path / "pulls.jsonl"
    pulls = [{"subject": PULL + "C", "request": "", "reply": f"body {number}"} for number in range(COUNT)]
    file.write_text("".join(json.dumps(pull) + "\n" for pull in pulls))
    run = runner("verify", str(file), "--concurrency", concurrency, "--json", server=server)
    assert (run.status, {(r["outcome"], r["replies"]) for r in run.objects}) == (0, {("held", 1)}), run.stderr
    assert left() == 0


def test_a_candidate_is_asked_for_messages_too(
    spawn: Callable[..., Program], streams: tuple[Server, Callable[[], int]]
) -> None:
    server, left = streams
    proxy = spawn("reply", "next", "--upstream", f"{PULL}D", "--candidate", f"{PULL}C", server=server)
    with Asker(server) as asker:
        for number in range(3):
            (answer,) = asker.ask("next", b"")
            assert answer.payload == b"body %d" % number
    proxy.wait_until(lambda: left() == COUNT - 3, "all are asked")
    assert proxy.stop() == 0
    assert "Candidate: 3 the same\n" in proxy.stderr_text()


@pytest.fixture
def empty(streams: tuple[Server, Callable[[], int]], peers: Peers) -> Server:
    """The server, with a consumer E that has no messages yet."""
    stream = peers.connect(streams[0].url).jetstream()
    peers.run(stream.add_consumer("ORDERS", durable_name="E", ack_policy="none", deliver_policy="new"))
    return streams[0]


#: A pull that waits, and is told ten times a second that it does.
WAITING = '{"batch":1,"expires":20000000000,"idle_heartbeat":100000000}'


def test_a_heartbeat_is_no_reply_that_is_verified(
    pynats: Runner, spawn: Callable[..., Program], empty: Server, tmp_path: Path
) -> None:
    file = tmp_path / "pull.jsonl"
    file.write_text(json.dumps({"subject": f"{PULL}E", "request": WAITING, "reply": "the message"}))
    run = spawn("verify", str(file), "--timeout", "20s", "--json", server=empty)
    time.sleep(0.5)  # for some heartbeats
    assert run.status is None
    assert pynats("publish", "orders.beat", "the message", server=empty).status == 0
    assert run.wait() == 0
    (result,) = map(json.loads, run.stdout_bytes().splitlines())
    assert (result["outcome"], result["replies"]) == ("held", 1)


def test_a_heartbeat_is_no_reply_of_a_candidate(
    pynats: Runner, spawn: Callable[..., Program], empty: Server
) -> None:
    spawn("reply", "stable", "the message", server=empty)
    options = ("--upstream", "stable", "--candidate", f"{PULL}E", "--timeout", "20s")
    proxy = spawn("reply", "next", *options, server=empty)
    assert pynats("request", "next", WAITING, server=empty).status == 0
    time.sleep(0.5)  # for some heartbeats
    assert "differs" not in proxy.stderr_text()
    assert pynats("publish", "orders.beat", "the message", server=empty).status == 0
    time.sleep(0.2)
    assert proxy.stop() == 0
    assert "Candidate: 1 the same\n" in proxy.stderr_text()
