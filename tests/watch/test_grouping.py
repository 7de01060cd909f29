"""`watch --stats --by`: rows by who has answered, or by a header."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from natscli.message import headers
from natscli.message.exchange import Answer, Exchange, Outcome
from natscli.watch.grouping import grouping
from natscli.watch.statistics import ExchangeStatistics
from tests.peers import Peers, echo, never
from tests.program import Program, Runner
from tests.servers import Server

MS = 1_000_000
Spawn = Callable[..., Program]


def answer(rtt_ms: int, *pairs: tuple[str, str]) -> Answer:
    return Answer(rtt_ms * MS, headers.encode(pairs) or None, b"")


def exchange(*answers: Answer, header: bytes | None = None) -> Exchange:
    outcome = Outcome.ANSWERED if answers else Outcome.UNANSWERED
    return Exchange(1, 1.0, b"s", b"r", header, b"", answers, outcome)


def rows(by: str, *exchanges: Exchange) -> dict[str | None, tuple[int, int, int, int | None]]:
    statistics = ExchangeStatistics(grouping(by))
    statistics.add(exchanges)
    return {row.key: (row.exchanges, row.errors, row.unanswered, row.max) for row in statistics.rows(1.0)}


def test_replies_of_several_responders_are_an_exchange_of_each() -> None:
    failed = answer(9, ("Responder", "b"), ("Nats-Service-Error", "bad"), ("Nats-Service-Error-Code", "400"))
    one = exchange(answer(1, ("Responder", "a")), failed, answer(20, ("Responder", "a")))
    assert rows("responder", one._replace(outcome=Outcome.ERROR), exchange()) == {
        "a": (1, 0, 0, 1 * MS),
        "b": (1, 1, 0, 9 * MS),
        None: (1, 0, 1, None),
    }


def test_a_header_is_that_of_the_reply_or_else_of_the_request() -> None:
    tenant = headers.encode([("Tenant", "blue")])
    found = rows(
        "header:tenant",
        exchange(answer(1, ("TENANT", "red")), header=tenant),
        exchange(answer(2), header=tenant),
        exchange(header=tenant),
        exchange(answer(3)),
    )
    assert found == {"red": (1, 0, 0, 1 * MS), "blue": (2, 0, 1, 2 * MS), None: (1, 0, 0, 3 * MS)}


def test_keys_are_bounded_whatever_they_are() -> None:
    found = rows("responder", *(exchange(answer(1, ("Responder", f"r{n}"))) for n in range(1000)), exchange())
    assert len(found) == 201
    assert found["(other responders)"][0] == 801


@pytest.fixture
def three(spawn: Spawn, server_factory: Callable[..., Server]) -> Server:
    """A server with three instances of a service, of which `third` is slow."""
    server = server_factory()
    for name, how in (("first", ()), ("second", ()), ("third", ("--sleep", "150ms..160ms"))):
        spawn("reply", "g.work", "done", "-H", f"Responder: {name}", *how, server=server)
    return server


@pytest.mark.parametrize("by", ["responder", "header:Responder"])
def test_one_slow_instance_of_three_shows(
    spawn: Spawn, pynats: Runner, three: Server, peers: Peers, by: str
) -> None:
    peers.respond(peers.connect(three.url), "g.other", echo)
    peers.respond(peers.connect(three.url), "g.silent", never)
    how = ("--stats", "--by", by, "--json", "--timeout", "1s")
    program = spawn("watch", "g.>", *how, server=three, ready="Watching [")
    assert pynats("request", "g.work", "x", "--count", "30", "--quiet", server=three).status == 0
    client = peers.connect(three.url)
    peers.request(client, "g.other", b"x")
    peers.request(client, "g.silent", b"x", timeout=1.3)
    found: dict[str | None, Any] = {row[by.partition(":")[0]]: row for row in records(program)}
    assert found.keys() == {"first", "second", "third", None}
    assert sum(row["exchanges"] for row in found.values()) == 32
    assert (found[None]["exchanges"], found[None]["unanswered"]) == (2, 1)
    slow = found.pop("third")
    assert slow["p50_ns"] >= 150 * MS
    assert max(found[name]["p50_ns"] for name in ("first", "second")) < 100 * MS


def records(program: Program) -> list[Any]:
    import json

    assert program.stop() == 0
    return [json.loads(line) for line in program.stdout_bytes().splitlines()]


def test_lines_and_the_table_have_the_responder(spawn: Spawn, pynats: Runner, three: Server) -> None:
    lines = spawn("watch", "g.>", "--count", "9", server=three, ready="Watching [")
    table = spawn(
        "watch", "g.>", "--stats", "--by", "responder", "--count", "9", server=three, ready="Watching ["
    )
    assert pynats("request", "g.work", "x", "--count", "9", "--quiet", server=three).status == 0
    assert (lines.wait(), table.wait()) == (0, 0)
    shown = lines.stdout_bytes().decode().splitlines()
    assert len(shown) == 9
    assert all(
        any(f" from {name}  1 B -> 4 B" in line for name in ("first", "second", "third")) for line in shown
    )
    heading, *found = [
        line for line in table.stdout_bytes().decode().splitlines() if line and "Exchanges" not in line
    ]
    assert heading.split()[:2] == ["RESPONDER", "TOTAL"]
    assert {row.split()[0] for row in found} <= {"first", "second", "third"}
    assert sum(int(row.split()[1]) for row in found) == 9
