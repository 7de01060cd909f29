"""`--upstream` of a JetStream API: stored messages may look like anything, and none is taken that nobody gets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nats.js import JetStreamContext

from tests.asking import Asker
from tests.peers import Peers
from tests.program import Program, Runner, until
from tests.reply.test_undelivered import records_of, totals_of
from tests.servers import Server

PULL = "$JS.API.CONSUMER.MSG.NEXT.ORDERS.C"
#: What a stream may hold: headers, payload.
STORED = [
    ({}, b"one"),
    ({"Nats-Service-Error": "out of paper", "Nats-Service-Error-Code": "500"}, b"failed order"),
    ({}, b""),
    ({}, b'{"error":{"code":404,"description":"gone"},"stream":"OTHER","seq":7}'),
    ({}, b"five"),
]
#: For requests that wait for all that comes.
ALL = ("--replies", "0", "--timeout", "3s", "--json")


@pytest.fixture
def peers() -> Iterator[Peers]:
    peers = Peers()
    yield peers
    peers.close()


@pytest.fixture
def server(server_factory: Callable[..., Server], tmp_path: Path) -> Server:
    return server_factory("", "-js", "-sd", str(tmp_path / "js"))


@pytest.fixture
def stream(server: Server, peers: Peers) -> JetStreamContext:
    """ORDERS, with a consumer C that takes what it delivers for acknowledged."""
    stream = peers.connect(server.url).jetstream()
    peers.run(stream.add_stream(name="ORDERS", subjects=["orders.>"], allow_direct=True))
    peers.run(stream.add_consumer("ORDERS", durable_name="C", ack_policy="none"))
    return stream


@pytest.mark.parametrize(
    ("subject", "pull"),
    [(PULL, b'{"batch":5,"expires":3000000000}'), ("$JS.API.DIRECT.GET.ORDERS", b'{"seq":1,"batch":5}')],
)
def test_what_a_stream_holds_is_passed_on_whatever_it_says(
    spawn: Callable[..., Program], runner: Runner, server: Server, peers: Peers, stream: JetStreamContext,
    subject: str, pull: bytes,
) -> None:  # fmt: skip
    for headers, payload in STORED:
        peers.run(stream.publish("orders.x", payload, headers=headers))
    proxy = spawn("reply", "get", "--upstream", subject, "--replies", "0", "--json", server=server)
    run = runner("request", "get", pull.decode(), *ALL, server=server)
    expected = [payload.decode() for _, payload in STORED]
    assert [reply["data"] for reply in run.objects if "data" in reply][:5] == expected, run
    assert proxy.stop() == 0
    assert [record["outcome"] for record in records_of(proxy)] == ["answered"]


def test_what_comes_after_the_end_of_a_pull_is_left_to_the_next(
    spawn: Callable[..., Program], server: Server, peers: Peers, stream: JetStreamContext
) -> None:
    proxy = spawn("reply", "pull", "--upstream", PULL, "--replies", "0", "--json", server=server)
    pull = b'{"batch":8,"expires":20000000000}'
    with Asker(server) as asker:
        for name in (b"m1", b"m2"):
            peers.run(stream.publish("orders.x", name))
            asker.send("pull", pull)
            assert [answer.payload for answer in asker.receive(1)] == [name]
            until(lambda: len(records_of(proxy)) == int(name[1:]))  # noqa: B023
    assert "not passed on" not in proxy.stderr_text()


def test_a_pull_goes_on_while_messages_come(
    spawn: Callable[..., Program], server: Server, peers: Peers, stream: JetStreamContext
) -> None:
    times = ("--timeout", "1s", "--reply-timeout", "950ms")
    spawn("reply", "pull", "--upstream", PULL, "--replies", "0", *times, server=server)
    with Asker(server) as asker:
        asker.send("pull", b'{"batch":6,"expires":20000000000}')
        for number in range(6):
            peers.run(stream.publish("orders.x", b"%d" % number))
            time.sleep(0.25)
        assert [answer.payload for answer in asker.receive(6, timeout=5)] == [b"%d" % n for n in range(6)]


@pytest.mark.parametrize(
    ("header", "payload", "code"),
    [
        (b"NATS/1.0 404 No Messages\r\n\r\n", b"", 404),
        (b"NATS/1.0 423 Locked\r\n\r\n", b"", 423),
        (b"NATS/1.0\r\nNats-Service-Error-Code: 404\r\n\r\n", b"x", 404),
        (b"", b'{"error":{"code":503,"description":"no space"},"stream":"S","seq":0}', 503),
        (b"", b'{"type":"io.nats.jetstream.api.v1.stream_info_response","error":{"code":404}}', 404),
        (b"", b'{"err":"no","isDisposed":true,"id":"1"}', 500),
    ],
)
def test_what_request_and_watch_call_an_error_is_one_in_a_proxy(
    spawn: Callable[..., Program], runner: Runner, nats_server: Server, subject: str,
    header: bytes, payload: bytes, code: int,
) -> None:  # fmt: skip
    proxy = spawn("reply", subject, "--upstream", f"{subject}.real", "--json", server=nats_server)
    with Asker(nats_server) as service:
        service.listen(f"{subject}.real")
        asking = spawn("request", subject, "x", server=nats_server)
        service.write(service.request().answer(header, payload))
        assert asking.wait() == 7
    assert proxy.stop() == 0
    [record] = records_of(proxy)
    assert (record["outcome"], record["code"]) == ("error", code), record
    assert totals_of(proxy)["errors"] == 1
