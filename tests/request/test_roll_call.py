"""`request --expect-service`: the instances of a service that have not answered are named; status 8."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest
from nats.micro.request import Request

from natscli.message.micro import Endpoint, Instance
from natscli.request.conditions.roll_call import absent, on_subject
from tests.peers import Peers
from tests.program import Program, Runner
from tests.servers import Server

Spawn = Callable[..., Program]


async def answers(request: Request) -> None:
    await request.respond(b"here")


async def says_nothing(request: Request) -> None:
    return


async def hangs(request: Request) -> None:
    await asyncio.sleep(20)


@pytest.fixture
def server(server_factory: Callable[..., Server]) -> Server:
    return server_factory()


def start(peers: Peers, server: Server, name: str, *handlers: Callable[[Request], object]) -> list[str]:
    """An instance of the service with each handler, in a queue group of its own; their ids."""
    return [
        peers.service(
            peers.connect(server.url), name, {"roll": handler},  # type: ignore[dict-item]
            queue_group=f"own{number}", metadata={"host": f"web-{number}"},
        ).id
        for number, handler in enumerate(handlers)
    ]  # fmt: skip


def ask(pynats: Runner, server: Server, name: str, *options: str):  # type: ignore[no-untyped-def]
    given = ("--replies", "0", "--timeout", "700ms", "--expect-service", name)
    return pynats("request", f"{name}.roll", "x", *given, *options, server=server)


def test_all_that_answer_are_enough(pynats: Runner, spawn: Spawn, server: Server, peers: Peers) -> None:
    start(peers, server, "all", answers, answers)
    ours = ["reply", "all.roll", "here", "--service", "all", "--queue", ""]
    spawn(*ours, server=server)
    run = ask(pynats, server, "all")
    assert (run.status, run.stdout.count(b"here")) == (0, 3), run.stderr
    first = pynats("request", "all.roll", "x", "--replies", "3", "--expect-service", "all", server=server)
    assert (first.status, first.stdout.count(b"here"), first.seconds < 4) == (0, 3, True), first.stderr


def test_one_that_hangs_is_named(pynats: Runner, server: Server, peers: Peers) -> None:
    _, silent, _ = start(peers, server, "hang", answers, hangs, answers)
    run = ask(pynats, server, "hang")
    assert run.status == 8
    assert run.errors[-1] == (
        "pynats: error: an instance of service 'hang' did not answer: "
        f"{silent} (1.0.0, host=web-1) (hang.roll)"
    )
    record = ask(pynats, server, "hang", "--json").objects[-1]
    assert (record["status"], silent in record["message"]) == (8, True)


def test_one_that_handles_it_without_a_reply_is_counted(pynats: Runner, server: Server, peers: Peers) -> None:
    start(peers, server, "quiet", answers, says_nothing)
    run = ask(pynats, server, "quiet")
    assert run.status == 8
    assert "1 reply came, though 2 instances of service 'quiet' got a request" in run.errors[-1]
    failure = json.loads(ask(pynats, server, "quiet", "--json").stdout.splitlines()[-1])
    assert (failure["subject"], failure["request"], failure["error"]) == ("quiet.roll", 1, "unexpected")


def test_when_all_hang_it_is_8_and_each_is_named(pynats: Runner, server: Server, peers: Peers) -> None:
    ids = start(peers, server, "none", hangs, hangs)
    run = ask(pynats, server, "none")
    assert run.status == 8
    assert all(any(id in line for line in run.errors) for id in ids)


def test_of_a_queue_group_one_is_to_answer(pynats: Runner, spawn: Spawn, server: Server) -> None:
    for _ in range(3):
        spawn("reply", "group.roll", "here", "--service", "group", server=server)
    run = ask(pynats, server, "group")
    assert (run.status, run.stdout) == (0, b"here\n"), run.stderr


def test_nobody_there_is_8_before_anything_is_sent(pynats: Runner, server: Server, peers: Peers) -> None:
    absent_ = ask(pynats, server, "nobody")
    assert (absent_.status, absent_.seconds < 5) == (8, True)
    assert "no instance of service 'nobody' answers" in absent_.stderr
    start(peers, server, "other", answers)
    run = pynats("request", "else.where", "x", "--replies", "0", "--expect-service", "other", server=server)
    assert (run.status, "has an endpoint on [else.where]" in run.stderr) == (8, True)
    assert "Sending" not in run.stderr


NEEDS = "--expect-service needs --first or --wait-for-empty or --replies other than 1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--expect-service", "x"], NEEDS),
        (["--expect-service", "x", "--replies", "1"], NEEDS),
        (["--expect-service", "a b", "--replies", "0"], "a name has letters"),
        (["--expect-service", "x", "--replies", "0", "--count", "2"], "exclude each other"),
    ],
)
def test_what_cannot_be_meant_is_refused(pynats: Runner, options: list[str], message: str) -> None:
    run = pynats("request", "x", "y", *options)
    assert (run.status, message in run.errors[0]) == (2, True), run.stderr
    template = pynats("request", "x.{{ID}}", "y", "--expect-service", "x", "--replies", "0")
    assert (template.status, "not a template" in template.errors[0]) == (2, True)


def test_an_instance_that_does_not_say_what_it_counted_is_not_called_silent() -> None:
    def counted(requests: int | None) -> Instance:
        endpoint = Endpoint("e", "a.*", "q", num_requests=requests)
        return Instance("s", "id1", "1.0.0", {}, endpoints=(endpoint,))

    before, after = on_subject([counted(None)], "a.b"), on_subject([counted(None)], "a.b")
    assert list(absent("s", list(before.values()), after, 1)) == []
    (said,) = absent("s", list(before.values()), {}, 0)
    assert said == "an instance of service 's' did not answer, and is gone: id1 (1.0.0)"
    assert on_subject([counted(1)], "a.b.c") == {}


def test_one_of_ours_that_takes_the_request_and_gives_no_reply_is_named(
    pynats: Runner, spawn: Spawn, server: Server
) -> None:
    ours = ["reply", "drop.roll", "here", "--service", "drop", "--queue", ""]
    spawn(*ours, server=server)
    dropping = spawn(*ours, "--drop", "1", server=server)
    id = dropping.stderr_text().partition("instance ")[2].split()[0]
    run = ask(pynats, server, "drop")
    assert (run.status, run.stdout) == (8, b"here\n")
    assert f"an instance of service 'drop' did not answer: {id}" in run.errors[-1]
