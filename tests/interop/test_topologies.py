"""Requests through leaf nodes, and to subjects that an account maps or imports under another name."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.program import Program, Runner
from tests.servers import Server, free_port

Spawn = Callable[..., Program]

HUB = """
leafnodes {{ listen: "127.0.0.1:{port}" }}
accounts {{
  A {{ users: [{{ user: a, password: p }}], mappings: {{ "old.*": "new.{{{{wildcard(1)}}}}" }},
       exports: [{{ service: "tok.*" }}] }}
  B {{ users: [{{ user: b, password: p }}],
       imports: [{{ service: {{ account: A, subject: "tok.*" }}, to: "ours.*.x" }}] }}
}}
"""
LEAF = """
leafnodes {{ remotes: [{{ url: "nats-leaf://a:p@127.0.0.1:{port}", account: L }}] }}
accounts {{ L {{ users: [{{ user: l, password: p }}] }} }}
"""


class Tree:
    """The URLs of a hub, in two of its accounts, and of its leaf node."""

    def __init__(self, server_factory: Callable[..., Server]) -> None:
        port = free_port()
        hub, leaf = server_factory(HUB.format(port=port)), server_factory(LEAF.format(port=port))
        self.hub, self.other, self.leaf = (
            server.url.replace("nats://", f"nats://{user}:p@")
            for server, user in ((hub, "a"), (hub, "b"), (leaf, "l"))
        )


@pytest.fixture
def tree(server_factory: Callable[..., Server], runner: Runner, spawn: Spawn) -> Tree:
    """With a service on `new.*` and `tok.*` at the hub, which the leaf node knows."""
    tree = Tree(server_factory)
    for subject in ("new.*", "tok.*"):
        spawn("reply", subject, "{{0}} {{1}}", "--service", subject[:3], "-s", tree.hub)
    done = runner("request", "new.first", "", "--wait-for-responders", "20s", "--quiet", "-s", tree.leaf)
    assert done.text == "new first\n"
    return tree


def test_a_leaf_node_is_as_its_hub(tree: Tree, runner: Runner, spawn: Spawn) -> None:
    watcher = spawn("watch", "new.*", "--json", "-s", tree.leaf, ready="Watching [")
    assert runner("request", "old.x", "", "--quiet", "-s", tree.leaf).text == "new x\n"
    assert runner("request", "nobody", "", "-s", tree.leaf).status == 3
    found = json.loads(runner("service", "ls", "--json", "--timeout", "1s", "-s", tree.leaf).text)
    assert sorted(one["name"] for one in found) == ["new", "tok"]
    assert runner("request", "new.seen", "", "--quiet", "-s", tree.leaf).text == "new seen\n"
    watcher.wait_until(lambda: watcher.stdout_bytes().count(b"\n") >= 1, "an exchange")
    assert json.loads(watcher.stdout_bytes().splitlines()[-1])["subject"] == "new.seen"


def test_a_mapped_or_imported_subject_is_named_as_it_is_asked(
    tree: Tree, runner: Runner, spawn: Spawn
) -> None:
    watcher = spawn("watch", "ours.>", "--json", "-s", tree.other, ready="Watching [")
    assert runner("request", "ours.7.x", "", "--quiet", "-s", tree.other).text == "tok 7\n"
    watcher.wait_until(lambda: watcher.stdout_bytes().count(b"\n") >= 1, "an exchange")
    record = json.loads(watcher.stdout_bytes())
    assert (record["subject"], record["outcome"], record["replies"][0]["data"]) == (
        "ours.7.x",
        "answered",
        "tok 7",
    )
    mapped = spawn("watch", "old.*", "new.*", "--json", "-s", tree.hub, ready="Watching [")
    assert runner("request", "old.y", "", "--quiet", "-s", tree.hub).text == "new y\n"
    mapped.wait_until(lambda: mapped.stdout_bytes().count(b"\n") >= 1, "an exchange")
    assert json.loads(mapped.stdout_bytes())["subject"] == "new.y"
