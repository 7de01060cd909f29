"""Where a message goes: what is shown is compared with what the receivers got."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nats.aio.msg import Msg

from tests.peers import Peers
from tests.program import Runner
from tests.servers import Server, free_port

ACCOUNTS = """
accounts {
  A: { users: [{user: a, password: a}],
       exports: [{service: "svc.open", allow_trace: true}, {service: "svc.closed"}] }
  B: { users: [{user: b, password: b},
               {user: c, password: c, permissions: {publish: {deny: ["denied.x"]}}},
               {user: d, password: d, permissions: {publish: ["only.this"]}}],
       imports: [{service: {account: A, subject: "svc.open"}, to: "calc"},
                 {service: {account: A, subject: "svc.closed"}}] }
}
"""


def listen(peers: Peers, url: str, subject: str, queue: str = "", **options: Any) -> list[Msg]:
    """The messages that a client gets; `name` and more are nats-py's options to connect."""
    messages: list[Msg] = []

    async def keep(message: Msg) -> None:
        messages.append(message)

    peers.respond(peers.connect(url, **options), subject, keep, queue)
    return messages


def traced(pynats: Runner, server: Server, *arguments: str, status: int = 0) -> dict[str, Any]:
    done = pynats("trace", *arguments, "--json", server=server)
    assert done.status == status, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def names(found: dict[str, Any]) -> list[str]:
    return sorted(receiver["name"] for receiver in found["receivers"])


def test_receivers_on_one_server_and_nobody_gets_it(
    pynats: Runner, server_factory: Callable[..., Server], peers: Peers
) -> None:
    server = server_factory()
    plain = listen(peers, server.url, "t.x", name="plain")
    grouped = listen(peers, server.url, "t.*", name="grouped", queue="q")
    found = traced(pynats, server, "t.x", "hi")
    assert names(found) == ["grouped", "plain"]
    assert found["complete"] is True
    assert found["delivered"] is False
    assert next(r["queue_group"] for r in found["receivers"] if r["name"] == "grouped") == "q"
    assert (plain, grouped) == ([], [])


def test_with_deliver_the_receivers_get_what_was_sent(
    pynats: Runner, server_factory: Callable[..., Server], peers: Peers
) -> None:
    server = server_factory()
    plain = listen(peers, server.url, "t.x", name="plain")
    found = traced(pynats, server, "t.x", "hi {{Count}}", "-H", "Trace:7", "--deliver")
    assert names(found) == ["plain"]
    deadline = time.monotonic() + 10
    while not plain and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [(m.data, (m.headers or {})["Trace"]) for m in plain] == [(b"hi 1", "7")]


def test_nobody_receives_it(pynats: Runner, server_factory: Callable[..., Server]) -> None:
    done = pynats("trace", "nobody.here", server=server_factory())
    assert done.status == 3
    assert done.stderr == "Nobody receives it\n"
    assert done.text.startswith("nobody.here\n└─ server ")


def test_a_mapping_and_a_stream(
    pynats: Runner, server_factory: Callable[..., Server], peers: Peers, tmp_path: Path
) -> None:
    server = server_factory('mappings { "old.x": "new.x" }', "-js", "-sd", str(tmp_path))
    listen(peers, server.url, "new.x", name="new")
    stream = peers.connect(server.url).jetstream()
    peers.run(stream.add_stream(name="ORDERS", subjects=["orders.>"]))
    found = traced(pynats, server, "old.x")
    assert names(found) == ["new"]
    assert [e["to"] for e in found["servers"][0]["events"] if e["type"] == "mapping"] == ["new.x"]
    found = traced(pynats, server, "orders.1")
    assert [(r["type"], r["name"], r["subject"]) for r in found["receivers"]] == [
        ("stream", "ORDERS", "orders.1")
    ]
    assert peers.run(stream.stream_info("ORDERS")).state.messages == 0


@pytest.mark.parametrize("subject", ["$JS.API.CONSUMER.MSG.NEXT.ORDERS.C", "$JS.API.DIRECT.GET.ORDERS"])
def test_what_the_server_itself_takes_is_not_said_to_have_no_receiver(
    pynats: Runner, server_factory: Callable[..., Server], subject: str
) -> None:
    done = pynats("trace", subject, server=server_factory())
    said = "No receiver is known: what the server itself takes is in no trace\n"
    assert (done.status, done.stderr) == (0, said)


def test_another_account_reports_what_it_allows(
    pynats: Runner, server_factory: Callable[..., Server], peers: Peers
) -> None:
    server = server_factory(ACCOUNTS)
    listen(peers, server.url, "svc.*", name="adder", user="a", password="a")
    who = ("--user", "b", "--password", "b")
    found = traced(pynats, server, "calc", *who)
    assert [(r["name"], r["account"], r["subject"]) for r in found["receivers"]] == [("adder", "A", "svc.*")]
    done = pynats("trace", "svc.closed", *who, server=server)
    assert (done.status, done.stderr) == (0, "No receiver is known\n")
    assert "allow_trace" in done.text
    assert "service import: to account A" in done.text


def test_what_the_server_refuses_is_shown_and_exits_6(
    pynats: Runner, server_factory: Callable[..., Server]
) -> None:
    server = server_factory(ACCOUNTS)
    done = pynats("trace", "denied.x", "--user", "c", "--password", "c", server=server)
    assert done.status == 6
    assert 'Permissions Violation for Publish to "denied.x"' in done.text
    assert done.stderr.startswith("pynats: error: ")
    assert done.stderr.count("\n") == 1
    # The reports are messages of the user's own, and need the permission too.
    done = pynats("trace", "only.this", "--user", "d", "--password", "d", server=server)
    assert done.status == 6
    assert "_INBOX" in done.stderr


def leaf_config(port: int) -> str:
    return f'server_name: leaf\nleafnodes {{ remotes: [{{url: "nats://127.0.0.1:{port}"}}] }}'


def test_a_cluster_with_a_leaf_node(
    pynats: Runner, server_factory: Callable[..., Server], peers: Peers
) -> None:
    routes, leafs = free_port(), free_port()
    config = (
        'server_name: {}\ncluster {{ name: c, listen: "127.0.0.1:{}", routes: ["nats://127.0.0.1:{}"] }}\n'
    )
    nodes = [
        server_factory(config.format("n0", routes, routes)),
        server_factory(config.format("n1", -1, routes) + f'leafnodes {{ listen: "127.0.0.1:{leafs}" }}'),
        server_factory(config.format("n2", -1, routes)),
    ]
    nodes.append(server_factory(leaf_config(leafs)))
    for number, node in enumerate(nodes):
        listen(peers, node.url, "far.x", name=f"on{number}")
    deadline = time.monotonic() + 20
    while names(found := traced(pynats, nodes[0], "far.x")) != ["on0", "on1", "on2", "on3"]:
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    where = {receiver["name"]: receiver["server"] for receiver in found["receivers"]}
    assert where == {"on0": "n0", "on1": "n1", "on2": "n2", "on3": "leaf"}
    assert found["complete"] is True
    drawn = pynats("trace", "far.x", server=nodes[0])
    assert drawn.status == 0
    assert drawn.stderr == "4 clients would receive it; --deliver sends it to them\n"
    lines = drawn.text.splitlines()
    leaf = next(i for i, line in enumerate(lines) if "server leaf" in line)
    assert "to leaf node leaf" in lines[leaf - 1]
    assert len(lines[leaf]) - len(lines[leaf].lstrip(" │└─├")) > 9


def test_headers_that_are_sent_on_are_told_apart(
    pynats: Runner, server_factory: Callable[..., Server], peers: Peers
) -> None:
    server = server_factory()
    client = peers.connect(server.url, name="forwarder")

    async def forward(message: Msg) -> None:
        await client.publish("t.y", message.data, headers=message.headers)

    peers.respond(client, "t.x", forward)
    listen(peers, server.url, "t.y", name="last")
    found = traced(pynats, server, "t.x", "--deliver")
    assert names(found) == ["forwarder"]
    assert [e["subject"] for r in found["further"] for e in r["events"] if e["type"] == "ingress"] == ["t.y"]


@pytest.mark.parametrize("arguments", [("a..b",), ("a.*",), ("a", "{{Nope}}"), ("a", "-H", "no colon")])
def test_bad_input_exits_2_before_connecting(pynats: Runner, arguments: tuple[str, ...]) -> None:
    done = pynats("trace", *arguments, "--server", "127.0.0.1:1")
    assert (done.status, done.stdout) == (2, b"")
    assert done.stderr.startswith("pynats: error: ")
