"""Watchers at either side of a leaf node know when nobody else is there, and claim it only then."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.program import Program, Runner, until
from tests.servers import Server, free_port

Spawn = Callable[..., Program]
HUB = 'server_name: hub\nleafnodes {{ listen: "127.0.0.1:{port}" }}'
LEAF = 'server_name: leaf\nleafnodes {{ remotes: [{{ url: "nats-leaf://127.0.0.1:{port}" }}] }}'
#: A leaf node that says nothing of its connections, or of traces either.
SILENT = """
server_name: silent
leafnodes {{ remotes: [{{ url: "nats-leaf://127.0.0.1:{port}", account: L, deny_imports: ["$SYS.>"]{more} }}] }}
accounts {{ L {{ users: [{{ user: l, password: p }}] }} }}
"""


@pytest.fixture
def sides(server_factory: Callable[..., Server], runner: Runner, spawn: Spawn) -> dict[str, str]:
    """The URLs of a hub and two leaf nodes of it."""
    port = free_port()
    sides = {"hub": server_factory(HUB.format(port=port)).url}
    for name in ("leaf", "other"):
        sides[name] = server_factory(
            LEAF.format(port=port).replace("server_name: leaf", f"server_name: {name}")
        ).url
        echo = spawn("reply", f"up.{name}", "--echo", "-s", sides["hub"])
        done = runner("request", f"up.{name}", "", "--wait-for-responders", "20s", "-s", sides[name])
        assert (done.status, echo.stop()) == (0, 0)
    return sides


def known(runner: Runner, subject: str, url: str) -> None:
    """Wait until the server knows that somebody subscribes."""
    until(lambda: runner("request", subject, "", "--timeout", "50ms", "-s", url).status != 3, subject)


@pytest.mark.parametrize("watcher", ["hub", "leaf"])
def test_nobody_is_known_at_both_sides(
    sides: dict[str, str], runner: Runner, spawn: Spawn, watcher: str
) -> None:
    options = ("--answer-no-responders", "--timeout", "20s", "--json")
    program = spawn("watch", "nob.>", *options, "-s", sides[watcher], ready="Watching [")
    for number, url in enumerate(sides.values()):
        known(runner, f"nob.known.{number}", url)
        assert runner("request", f"nob.{number}", "hi", "--timeout", "20s", "-s", url).status == 3
    assert program.stop() == 0


@pytest.mark.parametrize(
    ("watcher", "service"), [("hub", "leaf"), ("leaf", "hub"), ("leaf", "leaf"), ("leaf", "other")]
)
def test_somebody_at_any_side_is_not_overlooked(
    sides: dict[str, str], runner: Runner, spawn: Spawn, watcher: str, service: str
) -> None:
    spawn("subscribe", "svc.>", "-s", sides[service], ready="Subscribed")
    known(runner, "svc.known", sides[watcher])
    assert_nothing_claimed(spawn, sides[watcher], list(sides.values()))


def assert_nothing_claimed(spawn: Spawn, watcher: str, requesters: list[str]) -> None:
    """Requests on `svc.x` from all of them time out, and are shown as unanswered."""
    program = spawn("watch", "svc.>", "--answer-no-responders", "--timeout", "1500ms", "--json", "-s", watcher,
                    ready="Watching [")  # fmt: skip
    asking = [spawn("request", "svc.x", "hi", "--timeout", "1s", "-s", url) for url in requesters]
    assert {one.wait() for one in asking} == {4}
    program.wait_until(lambda: program.stdout_bytes().count(b"\n") >= len(asking), "exchanges")
    assert {json.loads(line)["outcome"] for line in program.stdout_bytes().splitlines()} == {"unanswered"}


@pytest.mark.parametrize("more", ["", ', deny_exports: ["_INBOX.>"]'])
def test_a_leaf_node_that_says_nothing_may_hide_somebody(
    server_factory: Callable[..., Server], runner: Runner, spawn: Spawn, more: str
) -> None:
    port = free_port()
    hub = server_factory(HUB.format(port=port)).url
    silent = server_factory(SILENT.format(port=port, more=more)).url.replace("nats://", "nats://l:p@")
    spawn("subscribe", "svc.>", "-s", silent, ready="Subscribed")
    runner("request", "svc.known", "", "--wait-for-responders", "20s", "--timeout", "50ms", "-s", hub)
    assert_nothing_claimed(spawn, hub, [hub])
