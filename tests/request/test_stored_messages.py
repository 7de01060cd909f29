"""Messages that a stream has stored, as replies: they may be empty, and a status of the server ends them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.peers import Peers
from tests.program import Program, Run, Runner
from tests.request.responders import Answer, Responders
from tests.servers import Server

PULL = "$JS.API.CONSUMER.MSG.NEXT.ORDERS.C"
KEYS, ALL_KEYS = "$JS.API.DIRECT.GET.KV_b", '{"multi_last":["$KV.b.>"]}'


@pytest.fixture
def bucket(streams: Server, peers: Peers) -> Server:
    """A server with the bucket `b` of the keys a, b, c; b is deleted, which is stored as an empty message."""
    stream = peers.connect(streams.url).jetstream()

    async def fill() -> None:
        bucket = await stream.create_key_value(bucket="b", direct=True)
        for key in ("a", "b"):
            await bucket.put(key, key.encode())
        await bucket.delete("b")
        await bucket.put("c", b"c")

    peers.run(fill())
    return streams


@pytest.mark.parametrize(
    "options", [("--replies", "0"), ("--replies", "3"), ("--first", "9"), ("--wait-for-empty",)]
)
def test_messages_that_are_stored_end_when_the_server_says_that_no_more_come(
    pynats: Runner, bucket: Server, options: tuple[str, ...], tmp_path: Path
) -> None:
    """That is status 204, which is no message; an empty one is."""
    file = tmp_path / "keys.jsonl"
    ask = ("request", KEYS, ALL_KEYS, *options, "--timeout", "20s", "--json", "--record", str(file))
    run = pynats(*ask, server=bucket, timeout=15)  # before that time is over
    assert (run.status, [reply["data"] for reply in run.objects], run.errors) == (0, ["a", "", "c"], [])
    if options != ("--replies", "3"):  # the others have recorded how it ends
        assert pynats("verify", str(file), server=bucket).status == 0


def test_fewer_stored_messages_than_asked_for_are_too_few_at_once(pynats: Runner, bucket: Server) -> None:
    for wanted in ("4", "10"):
        run = pynats("request", KEYS, ALL_KEYS, "--replies", wanted, "--raw", "--timeout", "20s", server=bucket,
                     timeout=15)  # fmt: skip
        assert (run.status, run.stdout) == (4, b"a\n\nc\n")
        assert run.errors == [
            f"pynats: error: 3 of {wanted} replies, and the server says that no more come ({KEYS})",
            "  hint: --replies 0 takes all that there are",
        ]
    run = pynats("request", KEYS, ALL_KEYS, server=bucket)
    assert (run.status, run.errors[-1]) == (0, "2 more replies came")


def test_an_empty_message_that_is_pulled_is_not_the_last(pynats: Runner, streams: Server) -> None:
    for body in ("a", "", "c"):
        assert pynats("publish", "orders.x", body, server=streams).status == 0
    pull = '{"batch":4,"expires":500000000}'
    run = pynats(
        "request", PULL, pull, "--wait-for-empty", "--json", "--reply-timeout", "20s", server=streams
    )
    assert [reply["data"] for reply in run.objects[:3]] == ["a", "", "c"]
    assert (run.status, run.objects[3]["status"]) == (7, 408)


def test_stored_messages_come_through_an_upstream_to_the_last(
    pynats: Runner, spawn: Callable[..., Program], bucket: Server
) -> None:
    spawn("reply", "all.keys", "--upstream", KEYS, "--replies", "0", "--reply-timeout", "20s", server=bucket)
    run = pynats("request", "all.keys", ALL_KEYS, "--replies", "0", "--json", "--timeout", "20s", server=bucket,
                 timeout=15)  # fmt: skip
    assert (run.status, [reply["data"] for reply in run.objects]) == (0, ["a", "", "c"])


def test_a_single_status_that_no_more_comes_is_the_reply(
    ask: Callable[..., Run], responders: Responders
) -> None:
    subject = responders(lambda request: [Answer(b"", b"NATS/1.0 204 No Content\r\n\r\n")])
    run = ask(subject, "x")
    assert (run.status, "Status: 204 No Content" in run.errors) == (0, True)
    run = ask(subject, "x", "--replies", "0", "--timeout", "20s", "--json")
    assert (run.status, run.objects) == (0, [])
