"""Servers that are killed, paused, that leave or change their mind, while requests are answered."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from tests.asking import Asker
from tests.faults.conftest import PAUSE, RECOVERY, SPACING, Load, Report, seconds_until_answered
from tests.program import Program, Runner
from tests.servers import Server

Spawn = Callable[..., Program]
Start = Callable[..., Load]


def test_a_server_that_is_killed_and_restarted_ten_times(
    spawn: Spawn, load: Start, server_factory: Callable[..., Server], report: Report
) -> None:
    server = server_factory()
    responder = spawn("reply", "help", "--echo", server=server)
    requests = load("help", server=server, seconds=10 * SPACING + 4)
    took = []
    for _ in range(10):
        time.sleep(SPACING)
        server.restart()
        took.append(seconds_until_answered(server, "help"))
    summary = requests.finish()
    assert summary["answered"] > 0
    assert responder.stop() == 0
    report(
        f"server killed and restarted under {summary['sent']:,} requests", tries=10,
        survived=sum(seconds < RECOVERY for seconds in took), lost=summary["failed"], seconds=max(took),
    )  # fmt: skip


def test_a_server_that_is_paused(
    spawn: Spawn, load: Start, server_factory: Callable[..., Server], report: Report
) -> None:
    server = server_factory()
    responder = spawn("reply", "help", "--echo", server=server)
    requests = load("help", server=server, seconds=PAUSE + 2)
    responder.wait_for("Received on")
    with server.paused():
        time.sleep(PAUSE)
    took = seconds_until_answered(server, "help")
    summary = requests.finish()
    assert summary["answered"] > 0
    report(
        f"server paused for {PAUSE:g} s under {summary['sent']:,} requests", survived=int(took < RECOVERY),
        lost=summary["failed"], seconds=took,
    )  # fmt: skip


def test_a_responder_that_is_paused_answers_what_waits(
    spawn: Spawn, load: Start, nats_server: Server, report: Report
) -> None:
    responder = spawn("reply", "f.paused", "--echo", server=nats_server)
    requests = load("f.paused", "--timeout", f"{PAUSE + 10}s", server=nats_server, seconds=2, retries=0)
    time.sleep(0.5)
    responder.send_signal(signal.SIGSTOP)
    time.sleep(PAUSE)
    responder.send_signal(signal.SIGCONT)
    took = seconds_until_answered(nats_server, "f.paused")
    summary = requests.finish()
    assert summary["failed"] == 0
    report(f"responder paused for {PAUSE:g} s under {summary['sent']:,} requests", lost=0, seconds=took)


def test_a_lame_duck_is_left_for_another_server(
    spawn: Spawn, load: Start, cluster: list[Server], report: Report
) -> None:
    responder = spawn("reply", "help", "--echo", server=cluster[0])
    requests = load("help", server=cluster[1], seconds=4)
    time.sleep(0.5)
    began = time.monotonic()
    cluster[0].lame_duck()
    responder.wait_for("Reconnected to")
    took = seconds_until_answered(cluster[2], "help")
    summary = requests.finish()
    assert responder.stop() == 0
    moved = time.monotonic() - began
    report(
        f"server in lame duck mode, under {summary['sent']:,} requests", lost=summary["failed"], seconds=took,
        survived=int(moved < 60),
    )  # fmt: skip


def test_three_nodes_are_killed_in_turn(
    spawn: Spawn, load: Start, cluster: list[Server], report: Report
) -> None:
    urls = ",".join(node.url for node in cluster)
    responder = spawn("reply", "help", "--echo", server=urls)
    requests = load("help", server=urls, seconds=7)
    took = []
    for node in cluster:
        time.sleep(0.5)
        node.stop(signal.SIGKILL)
        survivor = next(other for other in cluster if other is not node)
        took.append(seconds_until_answered(survivor, "help"))
        node.start()
    summary = requests.finish()
    assert responder.stop() == 0
    report(
        f"nodes of a cluster of three killed in turn, under {summary['sent']:,} requests", tries=3,
        survived=sum(seconds < RECOVERY for seconds in took), lost=summary["failed"], seconds=max(took),
    )  # fmt: skip


#: Every command that stays connected, what it says when it is ready, and its status after SIGTERM.
LISTENERS = {
    "reply": (("reply", "help", "--echo"), "Listening on", 0),
    "reply --processes": (("reply", "help", "--echo", "--processes", "2"), "processes answer", 0),
    "subscribe": (("subscribe", "help"), "Subscribed", 0),
    "watch": (("watch", "help"), "Watching", 0),
}


@pytest.mark.parametrize("name", LISTENERS)
def test_a_node_is_killed_under_every_listener(
    spawn: Spawn, cluster: list[Server], report: Report, name: str
) -> None:
    arguments, ready, status = LISTENERS[name]
    urls = ",".join(node.url for node in cluster)
    program = spawn(*arguments, server=urls, ready=ready)
    with Asker(cluster[2]) as asker:
        began = time.monotonic()
        cluster[0].stop(signal.SIGKILL)
        program.wait_for("Reconnected to")
        took = time.monotonic() - began
        deadline = time.monotonic() + 20
        shown = len(program.stdout_bytes())
        while len(program.stdout_bytes()) == shown:  # interest takes a moment to reach the other node
            assert time.monotonic() < deadline, program.stderr_text()
            asker.send("help", b"after the end of a node")
            time.sleep(0.05)
    assert program.stop() == status
    report(f"node of a cluster killed under `pynats {name}`", survived=int(took < RECOVERY), seconds=took)


ENDING = {
    "request --count": ("request", "help", "x", "--count", "1000000", "--raw"),
    "publish --rate": ("publish", "x", "y", "--count", "1000000", "--rate", "100"),
    "rtt": ("rtt", "--count", "1000000"),
}


@pytest.mark.parametrize("name", ENDING)
def test_a_node_is_killed_under_every_sender(
    spawn: Spawn, cluster: list[Server], report: Report, name: str
) -> None:
    """What sends without --retries must not send twice: it ends, in time, and says that the connection was lost."""
    spawn("reply", "help", "OK", "--quiet", server=cluster[2], ready="")
    with Asker(cluster[0]) as asker:
        asker.wait_for_responder("help")
    program = spawn(*ENDING[name], "--trace", server=cluster[0], ready="connected to")
    time.sleep(0.3)
    began = time.monotonic()
    cluster[0].stop(signal.SIGKILL)
    status = program.wait(20)
    took = time.monotonic() - began
    errors = program.stderr_text()[-2000:]
    assert status == 5, errors
    assert errors.count("error: ") == 1, errors
    limit = 15 if name == "rtt" else RECOVERY  # it waits for its PONG, as long as --timeout says
    report(
        f"node of a cluster killed under `pynats {name}`: exit 5", survived=int(took < limit), seconds=took
    )


USERS = 'authorization { users: [{ user: u, password: "s3cr3t-%s", permissions: { publish: ">", subscribe: %s } }] }'


@pytest.mark.parametrize(
    ("what", "changed"),
    [
        ("credentials are", USERS % ("two", '">"')),
        ("permission to subscribe is", USERS % ("one", '["_INBOX.>"]')),
    ],
    ids=["credentials", "permissions"],
)
def test_what_the_server_takes_away_while_it_answers(
    spawn: Spawn,
    pynats: Runner,
    server_factory: Callable[..., Server],
    report: Report,
    what: str,
    changed: str,
) -> None:
    server = server_factory(USERS % ("one", '">"'))
    login = ("--user", "u", "--password", "s3cr3t-one")
    responder = spawn("reply", "help", "OK", *login, server=server)
    assert pynats("request", "help", "x", *login, server=server).status == 0
    began = time.monotonic()
    server.reload(changed)
    status = responder.wait(20)
    took = time.monotonic() - began
    errors = [line for line in responder.stderr_text().splitlines() if "error: " in line]
    assert (status, len(errors)) == (6, 1), responder.stderr_text()
    report(f"the {what} taken away by a reload: exit 6", seconds=took)


def test_a_subscriber_that_is_too_slow_is_cut_off_and_comes_back(
    spawn: Spawn, server_factory: Callable[..., Server], report: Report
) -> None:
    server = server_factory("max_pending: 1MB\nwrite_deadline: 1s\n")
    program = spawn("subscribe", "help", "--raw", server=server, ready="Subscribed")
    program.send_signal(signal.SIGSTOP)
    with Asker(server) as asker:
        for _ in range(400):
            asker.send("help", b"x" * 100_000, reply=b"")
        deadline = time.monotonic() + 20
        while "Slow Consumer" not in server.log():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        began = time.monotonic()
        program.send_signal(signal.SIGCONT)
        program.wait_for("Reconnected to")
        took = time.monotonic() - began
        while b"here again" not in program.stdout_bytes():
            assert time.monotonic() < deadline
            asker.send("help", b"here again", reply=b"")
            time.sleep(0.05)
    assert program.stop() == 0
    assert "not seen: what came in" in program.stderr_text()
    report("slow consumer cut off by the server, which says that messages were missed", lost="said",
           survived=int(took < RECOVERY), seconds=took)  # fmt: skip
