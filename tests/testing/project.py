"""The tests of a project that uses the plugin; the test of the plugin runs them elsewhere, from the wheel."""

from __future__ import annotations

TESTS = r"""
import asyncio
import json
import time

import nats
import pytest

from natscli import Reply, Request, ServiceError


def test_a_body(nats_client, nats_reply):
    replier = nats_reply("users.get", {"id": 1})
    assert json.loads(nats_client.request("users.get", b"one").data) == {"id": 1}
    assert [request.text for request in replier.requests] == ["one"]


@pytest.mark.parametrize("n", range(6))
def test_each_has_its_own_responders(nats_client, nats_reply, n):
    nats_reply("same.subject", f"answer {n}")
    assert nats_client.request("same.subject", b"").data == f"answer {n}".encode()


def test_a_handler(nats_client, nats_reply):
    def double(request: Request):
        if request.text == "x":
            raise ServiceError(400, "no number")
        return Reply(str(2 * int(request.text)), headers={"Kind": "int"})

    nats_reply("double.*", handler=double)
    message = nats_client.request("double.it", b"21")
    assert (message.data, message.headers) == (b"42", {"Kind": "int"})
    assert nats_client.request("double.it", b"x").headers["Nats-Service-Error-Code"] == "400"


def test_an_async_handler(nats_client, nats_reply):
    async def slow(request):
        await asyncio.sleep(0.05)
        return request.data[::-1]

    nats_reply("reverse", handler=slow)
    assert nats_client.request("reverse", b"abc").data == b"cba"

    async def several(request):
        for number in range(3):
            yield number

    replier, inbox = nats_reply("count", handler=several), nats_client.new_inbox()
    replies = nats_client.subscribe(inbox)
    nats_client.publish("count", b"", reply=inbox)
    assert [replies.next_msg(timeout=5).data for _ in range(4)] == [b"0", b"1", b"2", b""]
    assert (replier.answered[0].before, replier.answered[0].payload) == ((b"0", b"1", b"2"), b"")


def test_a_mock(nats_client, nats_reply, tmp_path):
    rules = tmp_path / "rules.jsonl"
    rules.write_text(json.dumps({"subject": "stock.*", "reply": "{{1}}: 3"}))
    replier = nats_reply(mock=rules)
    assert nats_client.request("stock.apples", b"").data == b"apples: 3"
    assert replier.requests[0].tokens == ("stock", "apples")


def test_a_recording(nats_client, nats_recorded, tmp_path):
    session = tmp_path / "session.jsonl"
    exchange = {"subject": "orders.7", "request": {"data": "?"}, "reply": {"data": "shipped"}}
    session.write_text(json.dumps(exchange))
    nats_recorded(session)
    assert nats_client.request("orders.7", b"?").data == b"shipped"
    assert nats_client.request("orders.7", b"other").headers["Nats-Service-Error-Code"] == "404"


@pytest.mark.parametrize(
    ("arguments", "how", "kind", "why"),
    [
        ((), {}, TypeError, "takes the subject to answer on first, not None"),
        ((), {"handler": lambda request: 1}, TypeError, "takes the subject to answer on first"),
        ((b"a", b"b"), {}, TypeError, "takes the subject to answer on first, not b'a'"),
        (("a..b", b""), {}, ValueError, "a subject has no empty token"),
        (("",), {}, ValueError, "subject"),
        (("a", b"b"), {"handler": lambda request: 1}, TypeError, "not with a body and handler"),
        (("a", None), {"mock": "rules.jsonl"}, TypeError, "not with a body and mock"),
        (("a",), {"handler": lambda request: 1, "mock": "rules.jsonl"}, TypeError, "not with handler and mock"),
        (("a",), {"handler": lambda: 1}, TypeError, r"handler\(\) cannot .* request \(.*test_it.py:"),
        (("a",), {"handler": b"b"}, TypeError, "handler is a function, not bytes"),
    ],
)
def test_a_mistake_in_a_call(nats_reply, arguments, how, kind, why):
    with pytest.raises(kind, match=why):
        nats_reply(*arguments, **how)


def test_what_is_published_is_waited_for(nats_client, nats_reply):
    replier = nats_reply("events.>")
    for number in range(3):
        nats_client.publish(f"events.{number}", b"%d" % number)
    assert [request.data for request in replier.wait_for(3)] == [b"0", b"1", b"2"]


def test_subscriptions(nats_client):
    subscription = nats_client.subscribe("news")
    nats_client.publish("news", b"hello")
    assert subscription.next_msg(timeout=5).data == b"hello"
    subscription.unsubscribe()


@pytest.mark.asyncio
async def test_an_async_test(nats_client, nats_reply):
    nats_reply("a", b"b")
    replies = await asyncio.gather(*[nats_client.request("a", b"") for _ in range(10)])
    assert [reply.data for reply in replies] == [b"b"] * 10


@pytest.mark.asyncio
async def test_a_client_of_its_own(nats_url, nats_reply):
    nats_reply("a", b"own")
    client = await nats.connect(nats_url)
    assert (await client.request("a", b"")).data == b"own"
    await client.close()


@pytest.mark.nats(jetstream=True)
def test_jetstream(nats_client):
    stream = nats_client.jetstream()
    stream.add_stream(name="S", subjects=["s.>"])
    assert stream.publish("s.1", b"x").seq == 1


@pytest.mark.nats(config="authorization { user: u, password: p }")
def test_a_configuration(nats_server):
    with pytest.raises(Exception, match="(?i)authorization|no servers"):
        asyncio.run(nats.connect(nats_server.url, allow_reconnect=False, max_reconnect_attempts=0))


@pytest.mark.parametrize("n", range(5))
def test_a_restart(nats_server, nats_client, nats_reply, n):
    nats_reply("a", b"still here")
    nats_server.restart()
    assert nats_client.request("a", b"").data == b"still here"


def test_a_restart_after_some_are_closed(nats_server, nats_client, nats_reply):
    nats_reply("a", b"still here").close()
    nats_client.close()
    nats_server.restart()
    assert nats_client.is_closed


def test_a_restart_by_a_handler(nats_server, nats_client, nats_reply):
    async def restart(request):
        nats_server.restart()

    nats_reply("a", handler=restart)
    nats_client.publish("a", b"", reply="nobody")
    deadline = time.monotonic() + 20
    while nats_client.stats["reconnects"] == 0:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_restart_where_nobody_may_connect(nats_server, nats_client, monkeypatch):
    before, nats_server.config = nats_server.config, "authorization { user: u, password: p }"
    monkeypatch.setattr("natscli.testing.background._AGAIN", 0.5)
    with pytest.raises(Exception, match="nats_client did not connect again within 0.5s: .*Authorization Violation"):
        nats_server.restart()
    monkeypatch.undo()
    nats_server.config = before
    nats_server.restart()
    assert nats_client.is_connected


def test_a_stop(nats_server, nats_client):
    nats_server.stop()
    assert not nats_server.running


def test_a_pause(nats_server, nats_client, nats_reply):
    nats_reply("a", b"x")
    with nats_server.pause(), pytest.raises(nats.errors.TimeoutError):
        nats_client.request("a", b"", timeout=0.2)
    assert nats_client.request("a", b"").data == b"x"


@pytest.mark.nats(config="max_payload: 1000")
def test_a_reply_that_is_too_large(nats_client, nats_reply):
    replier = nats_reply("large", "x" * 2000)
    why = "the reply has 2000 bytes, the server takes 1000"
    for _ in range(2):
        assert nats_client.request("large", b"").headers["Nats-Service-Error"] == why
    assert [answered.failure for answered in replier.answered] == [f"500: {why}"] * 2
    assert nats_client.is_connected
"""

FAILING = """
def test_it_fails(nats_client, nats_reply):
    nats_reply("price.*", {"price": 3})
    nats_client.request("price.apple", b"how much\\x1b?")
    assert False


def test_the_handler_is_wrong(nats_client, nats_reply):
    nats_reply("broken", handler=lambda request: 1 / 0)
    assert nats_client.request("broken", b"").headers is None
"""

MISTYPED = """
import pytest

@pytest.mark.nats(jetstraem=True)
def test_it(nats_client):
    pass
"""
