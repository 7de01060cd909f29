"""`pynats watch`: exchanges of others are shown as what they are, and nobody is disturbed."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from nats.aio.msg import Msg
from nats.errors import NoRespondersError, TimeoutError

from tests.asking import Asker
from tests.peers import Peers, echo, never
from tests.program import Program, Runner
from tests.proxies import Proxy
from tests.servers import Server
from tests.terminal import on_terminal, screen

Spawn = Callable[..., Program]
Servers = Callable[..., Server]


async def fail(message: Msg) -> None:
    client = message._client
    await client.publish(
        message.reply,
        b"",
        headers={"Nats-Service-Error": "bad \x1b[31minput", "Nats-Service-Error-Code": "400"},
    )


async def thrice(message: Msg) -> None:
    for number in range(3):
        await message.respond(b"part %d" % number)


def watching(spawn: Spawn, server: Server, *arguments: str, **how: Any) -> Program:
    return spawn("watch", *arguments, server=server, ready="Watching [", **how)


def records(program: Program) -> list[dict[str, Any]]:
    return [json.loads(line) for line in program.stdout_bytes().splitlines()]


def wait_for(program: Program, count: int) -> list[dict[str, Any]]:
    """The records, when there are so many."""
    program.wait_until(lambda: program.stdout_bytes().count(b"\n") >= count, f"{count} records")
    return records(program)


def requests(peers: Peers, server: Server, *subjects: str, **options: Any) -> list[Msg | Exception]:
    client = peers.connect(server.url)
    return [peers.request(client, subject, subject.encode(), **options) for subject in subjects]


@pytest.fixture
def kinds(server_factory: Servers, peers: Peers) -> Server:
    """A server with responders of every kind on `t.*`."""
    server = server_factory()
    client = peers.connect(server.url)
    for subject, answer in (("t.ok", echo), ("t.error", fail), ("t.three", thrice), ("t.silent", never)):
        peers.respond(client, subject, answer)
    return server


def test_twenty_exchanges_are_shown_as_what_they_are(spawn: Spawn, kinds: Server, peers: Peers) -> None:
    program = watching(spawn, kinds, "t.>", "--json", "--timeout", "1500ms")
    requests(peers, kinds, *["t.ok"] * 9, *["t.error"] * 3, "t.three")
    requests(peers, kinds, *["t.silent"] * 5, *["t.nobody"] * 2, timeout=0.05)
    shown = wait_for(program, 20)
    assert len(shown) == 20
    assert Counter((r["subject"], r["outcome"], len(r["replies"])) for r in shown) == {
        ("t.ok", "answered", 1): 9,
        ("t.error", "error", 1): 3,
        ("t.three", "answered", 3): 1,
        ("t.silent", "unanswered", 0): 5,
        ("t.nobody", "no_responders", 0): 2,
    }
    by_subject = {r["subject"]: r for r in shown}
    assert by_subject["t.ok"]["data"] == by_subject["t.ok"]["replies"][0]["data"] == "t.ok"
    assert (by_subject["t.error"]["code"], by_subject["t.error"]["message"]) == (400, "bad \x1b[31minput")
    assert [r["data"] for r in by_subject["t.three"]["replies"]] == ["part 0", "part 1", "part 2"]
    assert by_subject["t.silent"]["rtt_ns"] is None
    assert program.stop(signal.SIGINT) == 0
    assert (
        "Seen 20 exchanges (10 answered, 3 with errors, 5 unanswered, 2 without responders)"
        in program.stderr_text()
    )


def test_a_line_has_subject_time_sizes_and_payloads_and_is_harmless(
    spawn: Spawn, kinds: Server, peers: Peers
) -> None:
    program = watching(spawn, kinds, "t.>")
    requests(peers, kinds, "t.ok", "t.error", "t.three")
    program.wait_until(lambda: program.stdout_bytes().count(b"\n") == 3, "three lines")
    ok, error, three = program.stdout_bytes().decode().splitlines()
    assert ok[19:].startswith(" [#1] t.ok  ")
    assert ok.endswith("4 B -> 4 B  t.ok -> t.ok")
    assert r"error 400: bad \x1b[31minput" in error
    assert "3 replies  7 B -> 18 B  t.three -> part 0" in three
    assert program.stop(signal.SIGTERM) == 0


def test_hostile_payloads_and_subjects_cannot_drive_the_terminal(
    spawn: Spawn, server_factory: Servers
) -> None:
    server = server_factory()
    hostile = "\x1b]0;x\x07\x9b2J\u202e\r\nPUB x 0\r\n".encode() + b"\xff\x00"
    header = b"NATS/1.0\r\nA\x1b: \x1b[8m\r\n\r\n"
    spawn("reply", "h.>", "--echo", server=server)
    programs = [watching(spawn, server, "h.>", *arguments) for arguments in ([], ["--verbose"], ["--json"])]
    with Asker(server) as asker:
        asker.ask("h.\x1b[2J\u202e", hostile, header=header)
    for program in programs:
        program.wait_until(lambda p=program: b"h." in p.stdout_bytes(), "the exchange")  # type: ignore[misc]
        program.stop()
        assert not set(program.stdout_bytes()) & {0x1B, 0x07, 0x00, 0xFF}
    assert all("\u202e" not in program.stdout_bytes().decode() for program in programs[:2])
    [record] = records(programs[2])
    assert record["encoding"] == "base64"
    assert record["headers"] == {"A\x1b": ["\x1b[8m"]}


def test_verbose_shows_headers_and_whole_payloads(spawn: Spawn, kinds: Server, peers: Peers) -> None:
    program = watching(spawn, kinds, "t.>", "--verbose")
    client = peers.connect(kinds.url)
    peers.request(client, "t.ok", b"x" * 200, headers={"Trace": "7"})
    peers.request(client, "t.three")
    program.wait_for("Reply 3 after ")
    shown = program.stdout_bytes().decode()
    assert "Request on [t.ok], replies on [_INBOX." in shown
    assert "Trace: 7\n" + "x" * 200 in shown
    assert shown.count("x" * 200) == 2


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["--errors"], {"t.error"}),
        (["--unanswered"], {"t.silent", "t.nobody"}),
        (["--slow", "100ms"], {"t.slow"}),
        (["--errors", "--slow", "100ms"], {"t.error", "t.slow"}),
        ([], {"t.ok", "t.error", "t.silent", "t.nobody", "t.slow"}),
    ],
)
def test_filters_show_what_any_of_them_holds_for(
    spawn: Spawn, kinds: Server, peers: Peers, filters: list[str], expected: set[str]
) -> None:
    async def slow(message: Msg) -> None:
        await asyncio.sleep(0.15)
        await message.respond(b"")

    peers.respond(peers.connect(kinds.url), "t.slow", slow)
    program = watching(spawn, kinds, "t.>", "--json", "--timeout", "1s", *filters)
    requests(peers, kinds, "t.silent", "t.nobody", timeout=0.02)
    requests(peers, kinds, "t.ok", "t.error", "t.slow")
    time.sleep(1.6)
    wait_for(program, len(expected))
    assert program.stop() == 0
    assert {r["subject"] for r in records(program)} == expected
    assert "Seen 5 exchanges" in program.stderr_text()


def test_count_ends_after_that_many(spawn: Spawn, kinds: Server, peers: Peers) -> None:
    program = watching(spawn, kinds, "t.ok", "--json", "--count", "3")
    requests(peers, kinds, *["t.ok"] * 5)
    assert program.wait() == 0
    assert [r["number"] for r in records(program)] == [1, 2, 3]


def test_count_bounds_statistics_too(spawn: Spawn, kinds: Server, peers: Peers) -> None:
    program = watching(spawn, kinds, "t.ok", "--stats", "--json", "--count", "3")
    with Asker(kinds) as asker:
        asker.ask("t.ok", *[b"x"] * 20)
    assert program.wait() == 0
    [row] = records(program)
    assert row["exchanges"] == 3


def test_no_reply_is_taken_for_a_request_when_everything_is_watched(
    spawn: Spawn, kinds: Server, peers: Peers
) -> None:
    program = watching(spawn, kinds, ">", "t.*", "--json")
    requests(peers, kinds, *["t.ok"] * 5)
    shown = wait_for(program, 5)
    time.sleep(0.5)
    assert len(records(program)) == 5
    assert {r["outcome"] for r in shown} == {"answered"}


def test_overlapping_subjects_show_an_exchange_once(spawn: Spawn, kinds: Server, peers: Peers) -> None:
    program = watching(spawn, kinds, "t.*", "*.ok", "t.ok", "--json")
    requests(peers, kinds, *["t.ok"] * 5)
    wait_for(program, 5)
    time.sleep(0.5)
    assert len(records(program)) == 5
    program.stop()
    assert "not matched" not in program.stderr_text()
    assert "not followed" not in program.stderr_text()


def test_other_inboxes_are_watched_once_somebody_uses_them(spawn: Spawn, kinds: Server, peers: Peers) -> None:
    program = watching(spawn, kinds, "t.ok", "--json")
    client = peers.connect(kinds.url, inbox_prefix="_INBOX_alice.private")
    peers.request(client, "t.ok", b"first")
    program.wait_for("Watching replies on [_INBOX_alice.private.>] too")
    peers.request(client, "t.ok", b"second")
    [record] = wait_for(program, 1)
    assert (record["data"], record["outcome"]) == ("second", "answered")
    program.stop()
    assert "1 whose replies go elsewhere, such as [_INBOX_alice.private." in program.stderr_text()


def test_the_inbox_prefix_says_where_replies_go(spawn: Spawn, kinds: Server, peers: Peers) -> None:
    program = watching(spawn, kinds, "t.ok", "--json", "--inbox-prefix", "corp.inbox")
    assert "replies on [corp.inbox.>]" in program.stderr_text()
    peers.request(peers.connect(kinds.url, inbox_prefix="corp.inbox"), "t.ok", b"first")
    [record] = wait_for(program, 1)
    assert record["outcome"] == "answered"


ONLY = """
accounts: {{ A: {{ users: [
  {{ user: free, password: p }},
  {{ user: watcher, password: p, permissions: {{ subscribe: {allow}, publish: {publish} }} }}
] }} }}
"""


def test_a_forbidden_inbox_is_explained_with_what_to_ask_for(pynats: Runner, server_factory: Servers) -> None:
    server = server_factory(ONLY.format(allow='["t.>", "_INBOX.mine.>"]', publish='">"'))
    run = pynats("watch", "t.>", "--user", "watcher", "--password", "p", server=server)
    assert run.status == 6
    assert run.errors == [
        f"pynats: error: not permitted to subscribe to [_INBOX.>], where the replies go ({server.url})",
        '  hint: ask the administrator for: permissions { subscribe: ["t.>", "_INBOX.>"] }',
    ]


def test_a_forbidden_subject_is_explained_too(pynats: Runner, server_factory: Servers) -> None:
    server = server_factory(ONLY.format(allow='["_INBOX.>"]', publish='">"'))
    run = pynats("watch", "t.>", "--user", "watcher", "--password", "p", server=server)
    assert run.status == 6
    assert "not permitted to subscribe to [t.>] (" in run.errors[0]


def test_without_leave_to_ask_the_servers_all_is_called_unanswered(
    spawn: Spawn, server_factory: Servers, peers: Peers
) -> None:
    server = server_factory(ONLY.format(allow='">"', publish='{ deny: "$SYS.>" }'))
    program = watching(
        spawn, server, "t.>", "--json", "--timeout", "1s", "--user", "watcher", "--password", "p"
    )
    client = peers.connect(server.url, user="free", password="p")
    for _ in range(2):
        peers.request(client, "t.nobody", timeout=0.02)
    assert [r["outcome"] for r in wait_for(program, 2)] == ["unanswered"] * 2
    why = "shown as unanswered: it is not permitted to publish to [$SYS.REQ.ACCOUNT.PING.CONNZ]"
    assert program.stderr_text().count(why) == 1
    assert program.stop() == 0


@pytest.mark.parametrize("publish", ['["$SYS.>", "t.>"]', '"$SYS.>"'])
@pytest.mark.parametrize("reload", [False, True], ids=["from the start", "after a reload"])
def test_where_a_trace_goes_needs_leave_too(
    spawn: Spawn, server_factory: Servers, peers: Peers, publish: str, reload: bool
) -> None:
    server = server_factory(ONLY.format(allow='">"', publish='">"' if reload else publish))
    program = watching(
        spawn, server, "t.>", "--json", "--timeout", "1s", "--answer-no-responders",
        "--user", "watcher", "--password", "p",
    )  # fmt: skip
    if reload:
        server.reload(ONLY.format(allow='">"', publish=publish))
    client = peers.connect(server.url, user="free", password="p")
    for _ in range(2):
        peers.request(client, "t.nobody", timeout=0.02)
    assert [r["outcome"] for r in wait_for(program, 2)] == ["unanswered"] * 2
    said = re.findall(
        "unanswered, and not answered: it is not permitted to publish to .*", program.stderr_text()
    )
    assert len(said) == 1
    assert "[_INBOX." in said[0]
    assert program.stop() == 0


def test_too_many_tokens_are_no_question_of_permissions(pynats: Runner, server_factory: Servers) -> None:
    run = pynats("watch", "a.b.c.d", server=server_factory("max_sub_tokens: 3"))
    assert run.status == 6
    assert "too many tokens" in run.errors[0]
    assert "hint" not in run.stderr


@pytest.mark.parametrize("way", ["live", "recorded"])
def test_a_packet_of_another_request_is_no_reply_in_its_format(
    spawn: Spawn, pynats: Runner, nats_server: Server, tmp_path: Path, way: str
) -> None:
    file = tmp_path / "seen.jsonl"
    options = ("--format", "nestjs") if way == "live" else ("--record", str(file))
    program = watching(spawn, nats_server, "nest.other", "--json", "--timeout", "1s", *options)
    packets = [b'{"response":1,"isDisposed":true,"id":"b"}', b'{"response":null,"isDisposed":true,"id":"a"}']
    with Asker(nats_server) as service, Asker(nats_server) as asker:
        service.listen("nest.other")
        for count in (1, 2):
            asker.send("nest.other", b'{"pattern":"nest.other","data":[1],"id":"a"}')
            request = service.request()
            service.write(b"".join(request.answer(b"", packet) for packet in packets[:count]))
        records = wait_for(program, 2)
    assert program.stop() == 0
    if way == "recorded":
        run = pynats("watch", "--read", str(file), "--format", "nestjs", "--json")
        records = run.objects
        assert "1 answered, 1 unanswered" in run.stderr
    shown = {record["outcome"]: [reply["data"] for reply in record["replies"]] for record in records}
    assert shown == {"unanswered": [], "answered": ["null"]}


def test_another_watcher_is_no_responder(spawn: Spawn, kinds: Server, peers: Peers) -> None:
    watching(spawn, kinds, ">", "--json")
    program = watching(spawn, kinds, "t.>", "--json")
    requests(peers, kinds, "t.nobody", timeout=0.02)
    assert [r["outcome"] for r in wait_for(program, 1)] == ["no_responders"]


def test_watching_delays_no_responders_as_documented(spawn: Spawn, kinds: Server, peers: Peers) -> None:
    [before] = requests(peers, kinds, "t.nobody", timeout=0.2)
    program = watching(spawn, kinds, "t.>")
    [during] = requests(peers, kinds, "t.nobody", timeout=0.2)
    program.stop()
    [after] = requests(peers, kinds, "t.nobody", timeout=0.2)
    assert [type(error) for error in (before, during, after)] == [
        NoRespondersError,
        TimeoutError,
        NoRespondersError,
    ]


def test_a_sample_has_whole_exchanges_and_says_what_is_outside(
    spawn: Spawn, kinds: Server, peers: Peers
) -> None:
    program = watching(spawn, kinds, "t.>", "--json", "--sample", "25%")
    requests(peers, kinds, *["t.ok"] * 400)
    time.sleep(0.5)
    assert program.stop() == 0
    shown = records(program)
    assert 40 < len(shown) < 180
    assert {r["outcome"] for r in shown} == {"answered"}
    assert f"{400 - len(shown)} outside the sample" in program.stderr_text()


def test_stats_end_with_a_row_for_each_subject(spawn: Spawn, kinds: Server, peers: Peers) -> None:
    text = watching(spawn, kinds, "t.>", "--stats", "--timeout", "1s")
    objects = watching(spawn, kinds, "t.>", "--stats", "--json", "--timeout", "1s")
    requests(peers, kinds, *["t.ok"] * 9, *["t.error"] * 3)
    requests(peers, kinds, "t.silent", timeout=0.02)
    time.sleep(1.5)
    assert [text.stop(), objects.stop()] == [0, 0]
    header, *rows = text.stdout_bytes().decode().splitlines()
    assert header.split()[:2] == ["SUBJECT", "TOTAL"]
    assert [row.split()[:2] for row in rows] == [["t.ok", "9"], ["t.error", "3"], ["t.silent", "1"]]
    ok, error, silent = records(objects)
    assert (ok["exchanges"], error["errors"], silent["unanswered"]) == (9, 3, 1)
    assert 0 <= ok["p50_ns"] <= ok["p99_ns"] <= ok["max_ns"] < 5e9
    assert silent["max_ns"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a..b"], "no empty token"),
        (["a b"], "no spaces"),
        (["a.>.b"], "last token"),
        (["a", "--sample", "0"], "--sample"),
        (["a", "--sample", "150%"], "--sample"),
        (["a", "--sample", "x"], "--sample"),
        (["a", "--stats", "--errors"], "--stats and --errors exclude each other"),
        (["a", "--verbose", "--json"], "--verbose and --json exclude each other"),
        (["a", "--reply-timeout", "0"], "a timeout must be more than 0"),
        ([], "SUBJECT"),
    ],
)
def test_bad_input_exits_2_before_connecting(pynats: Runner, arguments: list[str], message: str) -> None:
    run = pynats("watch", *arguments, server="nats://127.0.0.1:1")
    assert run.status == 2
    assert message in run.stderr
    assert run.stderr.count("pynats: error:") == 1


def test_it_goes_on_after_a_restart_and_calls_nothing_unanswered_that_it_could_not_see(
    spawn: Spawn, kinds: Server, peers: Peers
) -> None:
    program = watching(spawn, kinds, "t.>", "--json", "--timeout", "30s")
    requests(peers, kinds, "t.ok")
    requests(peers, kinds, "t.silent", timeout=0.02)
    kinds.restart()
    program.wait_for("Reconnected to ")
    deadline = time.monotonic() + 20
    client = peers.connect(kinds.url)
    while isinstance(peers.request(client, "t.ok", timeout=0.2), Exception):
        assert time.monotonic() < deadline
    wait_for(program, 2)
    assert program.stop() == 0
    assert {r["outcome"] for r in records(program)} <= {"answered", "no_responders"}
    assert re.search(r"[1-9]\d* open at an interruption or at the end", program.stderr_text())


def test_in_a_cluster_replies_are_matched_whatever_way_they_come_and_a_lost_node_is_survived(
    spawn: Spawn, cluster: list[Server], peers: Peers
) -> None:
    first, second, third = cluster
    peers.respond(peers.connect(second.url), "c.ok", echo, queue="q")
    peers.respond(peers.connect(third.url), "c.ok", echo, queue="q")
    program = watching(spawn, third, "c.>", "--json", "--timeout", "2s")
    client = peers.connect(first.url)
    deadline = time.monotonic() + 20
    while isinstance(peers.request(client, "c.ok", b"warm", timeout=0.2), Exception):
        assert time.monotonic() < deadline
    time.sleep(0.5)
    for number in range(300):
        assert isinstance(peers.request(client, "c.ok", b"%d" % number), Msg)
    program.wait_until(lambda: b'"299"' in program.stdout_bytes(), "the last exchange")
    shown = [r for r in records(program) if r["data"] != "warm"]
    assert [int(r["data"]) for r in sorted(shown, key=lambda r: r["number"])] == list(range(300))
    assert all(r["outcome"] == "answered" and r["replies"][0]["data"] == r["data"] for r in shown)
    third.stop()
    program.wait_for("Reconnected to ")
    while b'"after"' not in program.stdout_bytes():
        assert time.monotonic() < deadline + 20
        peers.request(client, "c.ok", b"after", timeout=0.2)
        time.sleep(0.1)
    assert program.stop() == 0


def test_a_closed_stdout_ends_it(kinds: Server, peers: Peers, pynats: Runner) -> None:
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "natscli", "watch", "t.>", "--json", "-s", kinds.url]
    with subprocess.Popen(
        command, stdout=writer, stderr=subprocess.PIPE, env=pynats.environ, text=True
    ) as run:
        assert run.stderr is not None
        assert "Watching" in run.stderr.readline()
        os.close(reader)
        os.close(writer)
        requests(peers, kinds, "t.ok", "t.ok")
        assert run.wait(20) == 1
        assert "the output was closed by its reader" in run.stderr.read()


def flood(server: Server, size: int, seconds: float) -> int:
    """Send requests on `f.x`, each with its reply, as fast as the socket takes them; gives how many."""
    body, most = b"x" * size, 4_000_000 // (2 * size + 60)
    block = b"".join(
        b"PUB f.x _INBOX.f.%d %d\r\n%b\r\nPUB _INBOX.f.%d %d\r\n%b\r\n" % (n, size, body, n, size, body)
        for n in range(most)
    )
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(b'CONNECT {"verbose": false}\r\n')
        sent, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            raw.sendall(block)
            sent += most
        raw.sendall(b"PING\r\n")
        answers = raw.makefile("rb")
        while answers.readline() != b"PONG\r\n":
            pass
    return sent


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="memory is read from /proc")
@pytest.mark.parametrize("size", [16, 50_000])
def test_in_a_flood_memory_is_bounded_and_what_is_missed_is_counted(
    spawn: Spawn, kinds: Server, peers: Peers, size: int
) -> None:
    program = watching(spawn, kinds, "f.>", "t.>", "--json")
    sent = flood(kinds, size, 1.0)
    time.sleep(1.0)
    deadline = time.monotonic() + 60
    while b'"subject": "t.ok"' not in program.stdout_bytes()[-100_000:]:
        assert time.monotonic() < deadline
        requests(peers, kinds, *["t.ok"] * 5)
        time.sleep(0.3)
    with open(f"/proc/{program.pid}/status") as status:
        highest = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    assert highest < 100_000
    assert program.stop() == 0
    said = program.stderr_text()
    if size == 16:
        assert "Following a part of the exchanges only: they come too fast" in said
        assert "that came too fast" in said
    assert b'"subject": "f.x"' in program.stdout_bytes()
    if "Disconnected" not in said:  # a server that had to cut us off counts for nobody
        plain = said.replace(",", "")
        seen = int(plain.partition("Seen ")[2].split()[0])
        missed = int(plain.partition("to the end: ")[2].split()[0]) if "that came too fast" in said else 0
        asked = seen + missed - sent
        assert 0 <= asked < 2000
        assert asked % 5 == 0


def test_stats_on_a_terminal_are_drawn_again_and_again(kinds: Server, peers: Peers, pynats: Runner) -> None:
    reader, writer = pty.openpty()
    os.set_blocking(reader, False)
    command = [sys.executable, "-m", "natscli", "watch", "t.>", "--stats", "-s", kinds.url]
    shown = b""

    def wait_until(condition: Callable[[], bool]) -> None:
        nonlocal shown
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, shown
            with suppress(OSError):
                shown += os.read(reader, 65536)
            time.sleep(0.01)

    with subprocess.Popen(command, stdin=writer, stdout=writer, stderr=writer, env=pynats.environ) as run:
        wait_until(lambda: b"Watching" in shown)
        requests(peers, kinds, "t.ok")
        wait_until(lambda: shown.count(b"t.ok") >= 3 and b"F\x1b[J" in shown)
        run.send_signal(signal.SIGINT)
        wait_until(lambda: run.poll() is not None and b"Seen 1 exchange (1 answered)" in shown)
    os.close(reader)
    os.close(writer)
    assert run.returncode == 0
    assert "Exchanges on t.>" in shown.decode()


def test_stats_on_a_terminal_of_80_columns_take_a_line_each(
    kinds: Server, peers: Peers, pynats: Runner
) -> None:
    peers.respond(peers.connect(kinds.url), "t.*.>", echo)
    with on_terminal(pynats, "watch", "t.>", "--stats", server=kinds) as (run, terminal):
        terminal.wait_for(b"Watching")
        requests(
            peers, kinds, "t.ok", "t.error", *(f"t.{n}.of.a.customer.with.a.long.name" for n in range(30))
        )
        terminal.wait_for(b"t.18.of")
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == 0
        terminal.read()
    shown = screen(terminal.shown.decode(), 80)
    assert "Watching" in shown[0]
    assert shown[1] == "Exchanges on t.>"
    assert shown[2][0] + shown[-2][0] == "╭╰"
    assert len(shown) <= 26
    rows = shown[5:-2]
    assert all(re.match(r"│ t\.\S+ +│ 1 +│ 0\.\d+ ", row) and len(row) == 80 for row in rows)
    assert "Seen 32 exchanges (31 answered, 1 with errors)" in shown[-1]


@pytest.mark.parametrize("how", [(), ("--verbose",), ("--stats",)])
def test_sigterm_ends_it_while_the_terminal_takes_nothing(
    kinds: Server, peers: Peers, pynats: Runner, how: tuple[str, ...]
) -> None:
    with on_terminal(pynats, "watch", "t.>", *how, server=kinds) as (run, terminal):
        terminal.wait_for(b"Watching")
        terminal.stop()
        requests(peers, kinds, "t.ok")
        run.send_signal(signal.SIGTERM)
        assert run.wait(20) == 0


def test_what_was_seen_is_summed_up_though_the_pipe_takes_nothing(
    kinds: Server, peers: Peers, pynats: Runner
) -> None:
    command = [sys.executable, "-m", "natscli", "watch", "t.>", "--json", "-s", kinds.url]
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    with subprocess.Popen(command, stdout=writer, stderr=subprocess.PIPE, env=pynats.environ) as run:
        assert run.stderr is not None
        assert b"Watching" in run.stderr.readline()
        requests(peers, kinds, "t.ok")
        run.send_signal(signal.SIGTERM)
        said = run.communicate(timeout=30)[1].decode()
    os.close(reader)
    os.close(writer)
    assert run.returncode == 0
    assert "1 more were not shown" in said
    assert "Seen 1 exchange (1 answered)" in said


class Older(Proxy):
    """Passes on what a server sends as if it were of 2.10."""

    def _harmed(self, source: socket.socket, target: socket.socket, data: bytes) -> bytes:
        return super()._harmed(source, target, re.sub(rb'"version":"2\.\d\d', b'"version":"2.10', data))


@pytest.mark.parametrize("kind", ["older", "no headers"])
def test_that_nobody_can_be_known_to_be_missing_is_said_once(
    spawn: Spawn, server_factory: Servers, peers: Peers, kind: str
) -> None:
    server = server_factory("" if kind == "older" else "no_header_support: true")
    older = Older(server.port, 0)
    program = spawn(
        "watch",
        "t.>",
        "--json",
        "--timeout",
        "1s",
        "--count",
        "3",
        server=older.url if kind == "older" else server,
        ready="Watching [",
    )
    client = peers.connect(server.url)
    for subject in ("t.one", "t.two", "t.one"):
        peers.request(client, subject, b"x", timeout=0.05)
    assert program.wait() == 0
    older.close()
    assert [record["outcome"] for record in records(program)] == ["unanswered"] * 3
    said = [line for line in program.stderr_text().splitlines() if "without responders" in line]
    why = {"older": r"nats-server 2\.10\.\d+ traces no messages, 2\.11 and newer do",
           "no headers": "the server supports no headers, and so traces no messages"}[kind]  # fmt: skip
    assert len(said) == 1
    assert re.fullmatch(f"Requests without responders are shown as unanswered: {why}", said[0][20:])
