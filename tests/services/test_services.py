"""`pynats service`: every instance of every service is found, whatever some of them do."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from nats.aio.msg import Msg
from nats.micro.request import Request, ServiceError

from natscli.message.micro import Verb
from tests.peers import Peers, never
from tests.program import Program, Runner
from tests.servers import Server, start_server
from tests.terminal import on_terminal, screen


async def add(request: Request) -> None:
    await request.respond(b"42")


async def fail(request: Request) -> None:
    raise ServiceError("400", "not a number")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with two services of two instances each."""
    with start_server() as server:
        peers = Peers()
        for number in (1, 2):
            calculator = {"add": add, "divide": fail}
            meta = {"region": f"eu-{number}"}
            peers.service(
                peers.connect(server.url), "calculator", calculator, description="Adds", metadata=meta
            )
            peers.service(peers.connect(server.url), "weather", {"today": add}, version="2.1.0")
        client = peers.connect(server.url)
        for _ in range(6):
            peers.request(client, "calculator.add", b"1")
        peers.request(client, "calculator.divide", b"x")
        yield server
        peers.close()


def objects(pynats: Runner, server: Server, *arguments: str) -> list[dict[str, object]]:
    run = pynats("service", *arguments, "--json", server=server)
    assert run.status == 0, run.stderr
    found = json.loads(run.text)
    assert isinstance(found, list)
    return found


def test_ls_shows_every_instance_sorted(pynats: Runner, server: Server) -> None:
    found = objects(pynats, server, "ls", "--timeout", "1s")
    assert [(f["name"], f["version"]) for f in found] == [("calculator", "1.0.0")] * 2 + [
        ("weather", "2.1.0")
    ] * 2
    keys = [(f["name"], f["id"]) for f in found]
    assert keys == sorted(keys)
    assert len(set(keys)) == 4
    run = pynats("service", "list", "--timeout", "1s", server=server)
    header, *rows = run.lines
    assert header.split() == ["NAME", "VERSION", "ID", "ENDPOINTS", "DESCRIPTION"]
    assert [row.split()[:4] for row in rows] == [
        [f["name"], f["version"], f["id"], "2" if f["name"] == "calculator" else "1"] for f in found
    ]


def test_info_shows_endpoints_queue_groups_and_metadata(pynats: Runner, server: Server) -> None:
    found = objects(pynats, server, "info", "calculator", "--timeout", "1s")
    assert {f["metadata"]["region"] for f in found} == {"eu-1", "eu-2"}  # type: ignore[index]
    endpoints = found[0]["endpoints"]
    assert endpoints == [
        {"name": "add", "subject": "calculator.add", "queue_group": "q", "metadata": {}},
        {"name": "divide", "subject": "calculator.divide", "queue_group": "q", "metadata": {}},
    ]
    run = pynats("svc", "info", "calculator", "--timeout", "1s", server=server)
    assert run.text.count("calculator.divide") == 2
    for shown in ("Description  Adds", "region=eu-1", "region=eu-2", "Service calculator"):
        assert shown in run.text


def test_info_of_one_instance_does_not_wait_for_others(pynats: Runner, server: Server) -> None:
    one = str(objects(pynats, server, "ping", "calculator", "--timeout", "1s")[1]["id"])
    found = json.loads(
        pynats("svc", "info", "calculator", one, "--json", "--timeout", "20s", server=server, within=10).text
    )
    assert [f["id"] for f in found] == [one]


def test_stats_count_requests_errors_and_times(pynats: Runner, server: Server) -> None:
    found = objects(pynats, server, "stats", "--timeout", "1s")
    assert len(found) == 4
    endpoints = [e for f in found for e in f["endpoints"]]  # type: ignore[attr-defined]
    by_name = {name: [e for e in endpoints if e["name"] == name] for name in ("add", "divide", "today")}
    assert sum(e["num_requests"] for e in by_name["add"]) == 6
    assert sum(e["num_errors"] for e in by_name["divide"]) == 1
    assert sum(e["processing_time"] for e in by_name["add"]) > 0
    assert any("not a number" in e["last_error"] for e in by_name["divide"])
    run = pynats("service", "stats", "calculator", "--timeout", "1s", server=server)
    header, *rows = run.lines
    assert header.split()[:5] == ["NAME", "ID", "ENDPOINT", "REQUESTS", "ERRORS"]
    assert len(rows) == 4
    assert any(re.search(r"\d(ns|µs|ms) ", row) for row in rows)


def test_ping_shows_how_long_each_instance_took(pynats: Runner, server: Server) -> None:
    found = objects(pynats, server, "ping", "--timeout", "1s")
    assert len(found) == 4
    assert all(0 < f["rtt_ns"] < 30e9 for f in found)  # type: ignore[operator]
    assert pynats("service", "ping", "--timeout", "1s", server=server).lines[0].split() == [
        "NAME",
        "VERSION",
        "ID",
        "RTT",
    ]


def test_no_service_exits_3(pynats: Runner, server: Server, nats_server: Server) -> None:
    run = pynats("service", "info", "nobody", server=server)
    assert run.status == 3
    assert run.errors == ["pynats: error: no service 'nobody' found ($SRV.INFO.nobody)"]
    assert run.stdout == b""


def test_a_service_that_does_not_answer_exits_4(
    pynats: Runner, server_factory: Callable[..., Server], peers: Peers
) -> None:
    server = server_factory()
    peers.respond(peers.connect(server.url), "$SRV.PING.hung", never)
    run = pynats("service", "ping", "hung", "--timeout", "300ms", server=server)
    assert run.status == 4
    assert "answered within 300ms" in run.stderr


@pytest.mark.parametrize(
    "arguments", [("info", "a.b"), ("info", "a b"), ("ping", ""), ("info", "calc", "x.y"), ("stats", ">")]
)
def test_what_cannot_be_a_name_or_an_id_exits_2_before_connecting(
    pynats: Runner, arguments: tuple[str, ...]
) -> None:
    run = pynats("service", *arguments, server="nats://127.0.0.1:1")
    assert run.status == 2
    assert len(run.errors) == 1


def test_a_late_instance_is_waited_for_and_a_hung_one_is_not(
    pynats: Runner, server_factory: Callable[..., Server], peers: Peers
) -> None:
    server = server_factory()
    peers.service(peers.connect(server.url), "calculator", {"add": add})
    late = json.dumps(
        {"type": Verb.PING.response_type, "name": "calculator", "id": "late", "version": "1.0.0"}
    )

    async def answer_late(message: Msg) -> None:
        await asyncio.sleep(0.7)
        await message.respond(late.encode())

    client = peers.connect(server.url)
    peers.respond(client, "$SRV.PING", answer_late)
    peers.respond(client, "$SRV.PING", never)
    run = pynats("service", "ping", "--json", "--timeout", "1500ms", server=server, within=8)
    found = json.loads(run.text)
    assert [f["name"] for f in found] == ["calculator", "calculator"]
    assert "late" in [f["id"] for f in found]
    assert run.seconds > 1.4


def test_duplicates_are_merged_and_strange_answers_counted(
    pynats: Runner, server_factory: Callable[..., Server], peers: Peers
) -> None:
    server = server_factory()
    endpoint = {
        "name": "e\x07",
        "num_requests": "many",
        "processing_time": float("nan"),
        "last_error": "\u202e",
    }
    one = {"type": Verb.STATS.response_type, "name": "x\x1b[2J", "id": "1\n2", "version": 7, "metadata": [],
           "endpoints": [endpoint, 5]}  # fmt: skip
    strange = (b"{", b"[]", json.dumps({**one, "type": "other"}).encode(), b"\xff")

    async def answer(message: Msg) -> None:
        for payload in (json.dumps(one).encode(), json.dumps(one).encode(), *strange):
            await message.respond(payload)

    peers.respond(peers.connect(server.url), "$SRV.STATS", answer)
    run = pynats("service", "stats", "--timeout", "500ms", server=server)
    assert run.status == 0
    assert len(run.lines) == 2
    assert r"x\x1b[2J" in run.text
    assert not set(run.text) & {"\x1b", "\x07", "\u202e"}
    assert "invalid answers ignored: 4" in run.stderr
    [found] = objects(pynats, server, "stats", "--timeout", "500ms")
    assert found["name"] == "x\x1b[2J"
    assert found["endpoints"][0]["num_requests"] is None  # type: ignore[index]


@pytest.mark.parametrize(
    ("odd", "shown"),
    [
        (
            '{"name":"e","data":' + '{"a":' * 500 + "1" + "}" * 500 + "}",
            json.loads('{"a":' * 64 + "null" + "}" * 64),
        ),
        ('{"name":"e","data":{"a":[NaN,1e999,-Infinity,2]}}', {"a": [None, None, None, 2]}),
        ('{"name":"e","data":{"a":' + "[" * 50 + "]" * 50 + "}}", {"a": json.loads("[" * 50 + "]" * 50)}),
        ("{}", None),
        ('{"num_requests":1e400,"processing_time":NaN,"num_errors":true}', None),
    ],
)
def test_no_service_hides_the_others(
    pynats: Runner, server_factory: Callable[..., Server], peers: Peers, odd: str, shown: object
) -> None:
    server = server_factory()

    async def answer(message: Msg) -> None:
        verb = message.subject.split(".")[1].lower()
        kind = f'"type":"io.nats.micro.v1.{verb}_response"'
        for name, endpoint in (("odd", odd), ("sound", '{"name":"e","num_requests":3}')):
            text = f'{{{kind},"name":"{name}","id":"1","version":"1.0.0","endpoints":[{endpoint}]}}'
            await message.respond(text.encode())

    client = peers.connect(server.url)
    for verb in ("STATS", "INFO"):
        peers.respond(client, f"$SRV.{verb}", answer)
        peers.respond(client, f"$SRV.{verb}.odd", answer)
    for command, *name in (("ls",), ("info", "odd"), ("stats",)):
        for how in ((), ("--json",)):
            run = pynats("service", command, *name, "--timeout", "300ms", *how, server=server)
            assert run.status == 0
            assert "sound" in run.text or name
            assert "odd" in run.text
        with on_terminal(pynats, "service", command, *name, "--timeout", "300ms", server=server) as (
            drawn,
            terminal,
        ):
            assert drawn.wait(20) == 0
            terminal.read()
        assert b"odd" in terminal.shown
    found = json.loads(
        pynats("service", "stats", "--timeout", "300ms", "--json", server=server).text,
        parse_constant=pytest.fail,
    )
    assert found[0]["endpoints"][0]["data"] == shown
    assert (found[1]["endpoints"][0]["num_requests"], found[1]["endpoints"][0]["num_errors"]) == (3, None)


def test_what_another_service_answers_is_not_shown_as_the_one_that_was_asked_for(
    pynats: Runner, server_factory: Callable[..., Server], peers: Peers
) -> None:
    server = server_factory()
    other = json.dumps({"type": Verb.INFO.response_type, "name": "other", "id": "1", "version": "1.0.0"})

    async def answer(message: Msg) -> None:
        await message.respond(other.encode())

    peers.respond(peers.connect(server.url), "$SRV.INFO.calculator", answer)
    run = pynats("service", "info", "calculator", "--timeout", "500ms", server=server)
    assert run.status == 4
    assert run.text == ""
    assert "no service 'calculator' answered within 500ms, invalid answers ignored: 1" in run.stderr


def test_a_table_on_a_terminal_is_drawn(pynats: Runner, server: Server) -> None:
    reader, writer = pty.openpty()
    command = [sys.executable, "-m", "natscli", "service", "ls", "--timeout", "1s", "-s", server.url]
    with subprocess.Popen(command, stdin=writer, stdout=writer, stderr=writer, env=pynats.environ) as run:
        os.close(writer)
        shown = b""
        while b"\xe2\x95\xaf" not in shown:  # the last corner
            shown += os.read(reader, 65536)
    os.close(reader)
    assert run.returncode == 0
    assert shown.decode().count("calculator") == 2


def test_watch_shows_instances_that_come_and_go_until_ctrl_c(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], peers: Peers
) -> None:
    server = server_factory()
    program = spawn("service", "stats", "--watch", "--json", "--timeout", "500ms", server=server, ready="[]")
    service = peers.service(peers.connect(server.url), "calculator", {"add": add})

    def last() -> str:
        return program.stdout_bytes().decode().splitlines()[-1]

    program.wait_until(lambda: '"calculator"' in last(), "the new instance")
    peers.run(service.stop())
    program.wait_until(lambda: last() == "[]", "no instance")
    assert program.stop(2) == 0


@pytest.mark.parametrize("permissions", ['publish: {deny: "$SRV.>"}', 'subscribe: {deny: "_INBOX.>"}'])
@pytest.mark.parametrize("how", [(), ("--watch",), ("--watch", "--json")])
def test_without_the_permission_to_ask_it_exits_6(
    pynats: Runner, server_factory: Callable[..., Server], permissions: str, how: tuple[str, ...]
) -> None:
    user = f"{{user: u, password: p, permissions: {{{permissions}}}}}"
    server = server_factory(f"authorization {{ users: [{user}] }}")
    run = pynats("service", "stats", *how, "-s", f"nats://u:p@127.0.0.1:{server.port}")
    assert run.status == 6
    assert "Permissions Violation" in run.errors[-1] or "does not permit" in run.errors[-1]
    assert run.text == ""


def test_watch_on_a_terminal_is_drawn_in_place_and_the_log_stays_above(
    pynats: Runner, server_factory: Callable[..., Server], peers: Peers
) -> None:
    server = server_factory()
    peers.service(peers.connect(server.url), "calculator", {"add": add})
    asked = "service", "stats", "--watch", "--timeout", "500ms"
    with on_terminal(pynats, *asked, server=server) as (run, terminal):
        terminal.wait_for(b"calculator")
        server.restart()
        terminal.wait_for(b"Reconnected to")
        terminal.shown, before = b"", terminal.shown
        terminal.wait_for(b"calculator")
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == 0
        terminal.read()
        terminal.shown = before + terminal.shown
    shown = screen(terminal.shown.decode(), 80)
    assert any("Disconnected" in line for line in shown)
    assert any("Reconnected" in line for line in shown)
    assert sum("Statistics" in line for line in shown) == 1
    assert sum("╰" in line for line in shown) == 1


def test_sigterm_ends_watch_while_the_terminal_takes_nothing(pynats: Runner, server: Server) -> None:
    with on_terminal(pynats, "service", "stats", "--watch", server=server) as (run, terminal):
        terminal.wait_for(b"calculator")
        terminal.stop()
        time.sleep(1.5)  # the next table is on its way
        run.send_signal(signal.SIGTERM)
        assert run.wait(20) == 0


def test_a_reader_that_goes_away_ends_watch(pynats: Runner, server: Server) -> None:
    command = [sys.executable, "-m", "natscli", "service", "stats", "--watch", "--json", "-s", server.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=pynats.environ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert b"calculator" in run.stdout.readline()
        run.stdout.close()
        assert run.wait(20) == 1
        assert run.stderr.read() == b"pynats: error: the output was closed by its reader\n"


def test_services_on_the_nodes_of_a_cluster_are_all_found(
    pynats: Runner, peers: Peers, cluster: list[Server]
) -> None:
    for node in cluster:
        peers.service(peers.connect(node.url, allow_reconnect=False), "calculator", {"add": add})
    deadline = time.monotonic() + 20
    while len(objects(pynats, cluster[0], "ls", "--timeout", "500ms")) < 3:
        assert time.monotonic() < deadline
    cluster[2].stop()
    while len(objects(pynats, cluster[0], "ls", "--timeout", "500ms")) != 2:
        assert time.monotonic() < deadline


def test_services_of_pynats_and_of_nats_py_are_found_together(
    pynats: Runner, spawn: Callable[..., Program], server_factory: Callable[..., Server], peers: Peers
) -> None:
    server = server_factory()
    for _ in range(2):
        spawn(
            "reply", "calc.add", "42", "--service", "pynats-calc", "--service-version", "1.2.3", server=server
        )
        peers.service(peers.connect(server.url), "micro-calc", {"add": add})
    assert pynats("request", "calc.add", "1", server=server).status == 0
    for command in ("ls", "info pynats-calc", "stats", "ping"):
        found = objects(pynats, server, *command.split(), "--timeout", "1s")
        names = [f["name"] for f in found]
        assert names == (
            ["pynats-calc"] * 2 if "info" in command else ["micro-calc"] * 2 + ["pynats-calc"] * 2
        )
        assert len({f["id"] for f in found}) == len(found)
        text = pynats("service", *command.split(), "--timeout", "1s", server=server).text
        assert all(str(f["id"]) in text for f in found)
    stats = objects(pynats, server, "stats", "pynats-calc", "--timeout", "1s")
    assert sum(e["num_requests"] for f in stats for e in f["endpoints"]) == 1  # type: ignore[attr-defined]
