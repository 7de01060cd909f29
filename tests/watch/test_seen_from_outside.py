"""What watching sees in accounts that import and export, and where nobody answers; nobody can blind it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nats.aio.msg import Msg
from nats.errors import NoRespondersError

from tests.asking import Asker
from tests.peers import Peers, echo, never
from tests.program import Program
from tests.servers import Server

Spawn = Callable[..., Program]
Servers = Callable[..., Server]

ACCOUNTS = """
jetstream {{ store_dir: "{}" }}
accounts {{
  SVC {{ users: [
    {{ user: svc, password: p }},
    {{ user: few, password: p, permissions: {{ subscribe: ["calc.>", "_INBOX.>"] }} }}
  ], exports: [{{ service: "calc.>" }}] }}
  APP {{ jetstream: enabled, users: [
    {{ user: app, password: p }},
    {{ user: reader, password: p, permissions: {{ publish: ["_INBOX.>", "$SYS.REQ.ACCOUNT.PING.CONNZ"] }} }}
  ], imports: [{{ service: {{ account: SVC, subject: "calc.>" }} }}] }}
}}
"""


@pytest.fixture
def accounts(server_factory: Servers, tmp_path: Path) -> Server:
    """A server on which APP imports the service `calc.>` of SVC."""
    return server_factory(ACCOUNTS.format(tmp_path / "js"))


def watching(spawn: Spawn, server: Server, *arguments: str, user: str) -> Program:
    return spawn(
        "watch", *arguments, "--json", "--user", user, "--password", "p", server=server, ready="Watching ["
    )


def records(program: Program, count: int) -> list[dict[str, Any]]:
    program.wait_until(lambda: program.stdout_bytes().count(b"\n") >= count, f"{count} records")
    return [json.loads(line) for line in program.stdout_bytes().splitlines()]


def outcomes(program: Program, count: int) -> dict[str, str]:
    return {record["subject"]: record["outcome"] for record in records(program, count)}


async def late(message: Msg) -> None:
    await asyncio.sleep(1.2)
    await message.respond(b"at last")


def test_exchanges_with_importing_accounts_are_seen(spawn: Spawn, accounts: Server, peers: Peers) -> None:
    peers.respond(peers.connect(accounts.url, user="svc", password="p"), "calc.one", echo)
    program = watching(spawn, accounts, "calc.>", user="svc")
    matching = spawn(
        "subscribe", "calc.>", "--match-replies", "--json", "--user", "svc", "--password", "p",
        server=accounts, ready="Subscribed to",
    )  # fmt: skip
    client = peers.connect(accounts.url, user="app", password="p")
    for number in range(20):
        peers.request(client, "calc.one", b"%d" % number)
    shown = records(program, 20)
    assert [record["outcome"] for record in shown] == ["answered"] * 20
    assert all(record["reply_to"].startswith("_R_.") for record in shown)
    assert sum(record.get("matched", False) for record in records(matching, 40)) == 20


def test_who_may_not_see_the_inboxes_of_importers_watches_the_rest(
    spawn: Spawn, accounts: Server, peers: Peers
) -> None:
    peers.respond(peers.connect(accounts.url, user="svc", password="p"), "calc.one", echo)
    program = watching(spawn, accounts, "calc.>", user="few")
    subscriber = spawn(
        "subscribe", "calc.>", "--match-replies", "--json", "--user", "few", "--password", "p",
        server=accounts, ready="Subscribed to",
    )  # fmt: skip
    app = peers.connect(accounts.url, user="app", password="p")
    said = "replies to requests of other accounts are not seen: not permitted to subscribe to [_R_.>]"
    for payload in (b"outside", b"again"):
        peers.request(app, "calc.one", payload)
        for one in (program, subscriber):
            one.wait_for(said)
    peers.request(peers.connect(accounts.url, user="svc", password="p"), "calc.one", b"inside")
    assert [record["data"] for record in records(program, 1)] == ["inside"]
    assert [record["data"] for record in records(subscriber, 4)] == ["outside", "again", "inside", "inside"]
    for one in (program, subscriber):
        assert one.stop() == 0
        assert one.stderr_text().count("_R_.>") == one.stderr_text().count(said) == 1
        assert "iolation" not in one.stderr_text()
    assert "2 whose replies go elsewhere, such as [_R_." in program.stderr_text()
    assert re.search(
        r"requests whose replies go elsewhere, such as \[_R_\.\S+\]: 2\n", subscriber.stderr_text()
    )
    assert "without a reply" not in subscriber.stderr_text()


def test_what_the_servers_cannot_know_is_not_said(spawn: Spawn, accounts: Server, peers: Peers) -> None:
    service = peers.connect(accounts.url, user="svc", password="p")
    peers.respond(service, "calc.late", late)
    peers.respond(service, "calc.hangs", never)
    app = peers.connect(accounts.url, user="app", password="p")

    async def add_streams() -> None:
        await app.jetstream().add_stream(name="S", subjects=["kept.silently"], no_ack=True)

    peers.run(add_streams())
    program = watching(
        spawn, accounts, "calc.>", "kept.>", "nobody", "$JS.API.>", "--timeout", "2s", user="app"
    )
    for subject in ("calc.late", "calc.hangs", "kept.silently", "nobody"):
        peers.request(app, subject, timeout=0.02)
    peers.request(app, "$JS.API.INFO")
    assert outcomes(program, 5) == {
        "calc.late": "answered",
        "calc.hangs": "unanswered",
        "kept.silently": "unanswered",
        "nobody": "no_responders",
        "$JS.API.INFO": "answered",
    }
    assert program.stderr_text().count("Nobody answers [") == 1
    assert (
        "Nobody answers [nobody], and requesters are not told so while this watches" in program.stderr_text()
    )


STREAMS = """
accounts {
  SVC { users: [{ user: svc, password: p }], exports: [{ stream: "deliver.>" }] }
  APP { users: [{ user: app, password: p }], imports: [{ stream: { account: SVC, subject: "deliver.>" } }] }
}
"""


def test_who_answers_a_requester_in_another_account_is_not_known(
    spawn: Spawn, server_factory: Servers, peers: Peers
) -> None:
    """What comes through the import of a stream is answered where it is sent, which nothing here tells."""
    server = server_factory(STREAMS)
    service = peers.connect(server.url, user="svc", password="p")
    app = peers.connect(server.url, user="app", password="p")
    peers.respond(service, "deliver.q", echo)
    program = watching(spawn, server, "deliver.>", "--timeout", "2s", "--answer-no-responders", user="app")
    said = watching(spawn, server, "deliver.>", "--timeout", "2s", user="app")
    assert isinstance(peers.request(service, "deliver.q", b"x"), Msg)
    peers.request(service, "deliver.nobody", timeout=1.5)
    peers.request(app, "deliver.q", timeout=0.02)
    for watcher in (program, said):
        shown = [(record["subject"], record["outcome"]) for record in records(watcher, 3)]
        assert sorted(shown) == [
            ("deliver.nobody", "unanswered"), ("deliver.q", "no_responders"), ("deliver.q", "unanswered"),
        ]  # fmt: skip


@pytest.mark.parametrize("subjects", [("$JS.API.CONSUMER.>",), (">",)], ids=["pulls", "all"])
def test_messages_that_are_pulled_are_the_replies_of_pulls(
    spawn: Spawn, accounts: Server, peers: Peers, subjects: tuple[str, ...]
) -> None:
    app = peers.connect(accounts.url, user="app", password="p")
    stream = f"PULLED{len(subjects[0])}"

    async def prepare() -> Any:
        await app.jetstream().add_stream(name=stream, subjects=[f"{stream}.*"])
        return await app.jetstream().pull_subscribe(f"{stream}.*", "worker")

    async def pull() -> None:
        for number in range(3):
            await app.jetstream().publish(f"{stream}.new", b"%d" % number)
        for messages in (await consumer.fetch(1, timeout=5), await consumer.fetch(2, timeout=5)):
            for message in messages:
                await message.ack()

    consumer = peers.run(prepare())
    program = watching(spawn, accounts, *subjects, user="app")
    peers.run(pull())
    wanted = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.worker"
    program.wait_until(lambda: program.stdout_bytes().count(wanted.encode()) >= 2, "two pulls")
    pulls = [
        record
        for record in map(json.loads, program.stdout_bytes().splitlines())
        if record["subject"] == wanted
    ]
    assert [record["outcome"] for record in pulls] == ["answered"] * 2
    assert [[reply["data"] for reply in record["replies"]] for record in pulls] == [["0"], ["1", "2"]]


def test_who_pulls_and_waits_is_not_said_to_have_no_responders(
    spawn: Spawn, accounts: Server, peers: Peers
) -> None:
    app = peers.connect(accounts.url, user="app", password="p")

    async def pull() -> None:
        await app.jetstream().add_stream(name="EMPTY", subjects=["empty.*"])
        await app.jetstream().pull_subscribe("empty.*", "worker")
        await app.publish(
            "$JS.API.CONSUMER.MSG.NEXT.EMPTY.worker", b'{"expires":9000000000}', reply="_INBOX.x.y"
        )
        await app.flush()

    program = watching(spawn, accounts, "$JS.API.CONSUMER.MSG.>", "--timeout", "1500ms", user="app")
    peers.run(pull())
    assert [record["outcome"] for record in records(program, 1)] == ["unanswered"]
    assert "Nobody answers" not in program.stderr_text()


def test_who_may_not_trace_says_unanswered_and_why(spawn: Spawn, accounts: Server, peers: Peers) -> None:
    program = watching(spawn, accounts, "nobody", "--timeout", "1s", user="reader")
    client = peers.connect(accounts.url, user="app", password="p")
    for _ in range(2):
        peers.request(client, "nobody", timeout=0.02)
    assert [record["outcome"] for record in records(program, 2)] == ["unanswered"] * 2
    said = program.stderr_text()
    assert (
        said.count(
            "Requests without responders are shown as unanswered: it is not permitted to publish to [nobody]"
        )
        == 1
    )


def test_a_reply_wins_though_its_responder_has_left(spawn: Spawn, nats_server: Server, peers: Peers) -> None:
    spawn("reply", "once.only", "done", "--count", "1", "--sleep", "1500ms", server=nats_server)
    program = spawn("watch", "once.only", "--json", server=nats_server, ready="Watching [")
    client = peers.connect(nats_server.url)
    peers.request(client, "once.only")
    [record] = records(program, 1)
    assert (record["outcome"], record["replies"][0]["data"]) == ("answered", "done")


def test_no_responders_is_answered_for_the_server_when_asked_for(
    spawn: Spawn, accounts: Server, peers: Peers
) -> None:
    service = peers.connect(accounts.url, user="svc", password="p")
    peers.respond(service, "calc.late", late)
    app = peers.connect(accounts.url, user="app", password="p")
    program = watching(spawn, accounts, "nobody", "calc.>", "--answer-no-responders", user="app")
    began = time.monotonic()
    assert isinstance(peers.request(app, "nobody"), NoRespondersError)
    assert time.monotonic() - began < 2.5
    answered = peers.request(app, "calc.late")
    assert isinstance(answered, Msg)
    assert answered.data == b"at last"
    assert outcomes(program, 2) == {"nobody": "no_responders", "calc.late": "answered"}
    assert "Nobody answers" not in program.stderr_text()


def test_the_status_that_is_sent_is_that_of_the_server(spawn: Spawn, nats_server: Server) -> None:
    with Asker(nats_server) as asker:
        [before] = asker.ask("a.nobody", b"x")
        spawn("watch", "a.>", "--answer-no-responders", server=nats_server, ready="Watching [")
        [during] = asker.ask("a.nobody", b"x")
    assert during.header == before.header
    assert (during.payload, before.payload) == (b"", b"")


@pytest.mark.parametrize("trap", ["t.ok", "t.SaLfsByWHDnaJDCkMPrePq.x"])
def test_a_request_that_names_a_watched_subject_for_replies_hides_nothing(
    spawn: Spawn, server_factory: Servers, peers: Peers, trap: str
) -> None:
    server = server_factory()
    client = peers.connect(server.url)
    peers.respond(client, "t.ok", echo)
    program = spawn("watch", "t.>", "--json", server=server, ready="Watching [")

    async def set_trap() -> None:
        await client.publish("t.trap", b"", reply=trap)
        await client.flush()

    for _ in range(50):
        peers.run(set_trap())
        peers.request(client, "t.ok")
    program.wait_until(lambda: program.stdout_bytes().count(b'"subject": "t.ok"') >= 50, "all that is real")


def test_what_was_missed_when_the_server_cut_it_off_is_counted(
    spawn: Spawn, server_factory: Servers, peers: Peers
) -> None:
    # Of closed connections in the account that is there without accounts, servers tell nothing.
    one = "accounts { A { users: [{ user: a, password: p }] } }"
    server = server_factory(f"max_pending: 1MB\nwrite_deadline: 1s\n{one}")
    program = watching(spawn, server, "flood", user="a")
    client = peers.connect(server.url, user="a", password="p")
    os.kill(program.pid, signal.SIGSTOP)
    try:

        async def flood() -> None:
            for number in range(400):
                await client.publish("flood", bytes(100_000), reply=f"_INBOX.{number}")
            await client.flush()

        peers.run(flood())
        time.sleep(1.5)
    finally:
        os.kill(program.pid, signal.SIGCONT)
    program.wait_for("Reconnected")
    time.sleep(1.2)
    assert program.stop() == 0
    line = next(line for line in program.stderr_text().splitlines() if line.startswith("Not seen: "))
    assert "disconnections: 1 (Slow Consumer (" in line
    assert " messages that the server had for it" in line
