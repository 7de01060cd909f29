"""`pynats reply --upstream --candidate`: answers from one service, and says where another differs."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.asking import Asker
from tests.program import Program, Runner
from tests.servers import Server


def start(
    spawn: Callable[..., Program], server: Server, name: str, *options: str, candidate: str = "next"
) -> Program:
    return spawn(
        "reply", f"{name}.ask.*", "--upstream", f"{name}.stable.{{{{2}}}}",
        "--candidate", f"{name}.{candidate}.{{{{2}}}}", *options, server=server,
    )  # fmt: skip


def test_what_differs_is_logged_counted_and_kept(
    spawn: Callable[..., Program], nats_server: Server, tmp_path: Path
) -> None:
    name, file = tmp_path.name, tmp_path / "calls.jsonl"
    spawn("reply", f"{name}.stable.*", '{"n": {{2}}, "at": 1, "ok": true}', server=nats_server)
    rules = tmp_path / "rules.jsonl"
    rules.write_text(
        json.dumps({"subject": f"{name}.next.7", "reply": '{"n": 7, "at": 1, "ok": false}'})
        + "\n"
        + json.dumps({"subject": f"{name}.next.*", "reply": '{"ok": true, "at": 2, "n": {{2}}}'})
    )
    spawn("reply", "--mock", str(rules), server=nats_server)
    proxy = start(spawn, nats_server, name, "--record", str(file), "--ignore", "$.at")
    with Asker(nats_server) as asker:
        for number in range(20):
            (answer,) = asker.ask(f"{name}.ask.{number}", b"x")
            assert json.loads(answer.payload) == {"n": number, "at": 1, "ok": True}
    proxy.wait_for("differs")
    assert proxy.stop() == 0
    log = proxy.stderr_text()
    assert f"[#7] candidate [{name}.next.7] differs: payload: $.ok is false, not true" in log
    assert "Candidate: 19 the same, 1 differed" in log
    kept = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(kept) == 21
    (other,) = [line for line in kept if ".next." in line["subject"]]
    assert 0 < other["rtt_ns"] < 5e9
    assert (other["via"], other["reply"]) == (f"{name}.ask.7", {"data": '{"n": 7, "at": 1, "ok": false}'})


def test_silence_of_both_is_the_same_and_of_one_is_not(
    spawn: Callable[..., Program], nats_server: Server, tmp_path: Path
) -> None:
    name = tmp_path.name
    rules = [
        {"subject": f"{name}.stable.silent", "reply": None},
        {"subject": f"{name}.next.silent", "reply": None},
        {"subject": f"{name}.stable.hangs", "reply": None},
        {"subject": f"{name}.next.hangs", "reply": "at last"},
        {"subject": f"{name}.next.new", "reply": "x"},
        {"subject": f"{name}.stable.old", "reply": "x"},
    ]
    file = tmp_path / "rules.jsonl"
    file.write_text("".join(json.dumps(rule) + "\n" for rule in rules))
    spawn("reply", "--mock", str(file), server=nats_server)
    proxy = start(spawn, nats_server, name, "--timeout", "300ms")
    with Asker(nats_server) as asker:
        for token in ("silent", "hangs", "gone", "new", "old"):
            asker.ask(f"{name}.ask.{token}", b"?")
    proxy.wait_for(f"[#4] candidate [{name}.next.old] differs: no responders")
    assert proxy.stop() == 0
    log = proxy.stderr_text()
    assert f"[#1] candidate [{name}.next.hangs] differs: replies: 1 reply, none recorded" in log
    assert f"[#3] candidate [{name}.next.new] differs: replies: 1 reply, recorded without responders" in log
    assert "Candidate: 2 the same, 2 differed, 1 without a reply" in log


@pytest.mark.parametrize(
    ("options", "differ"),
    [
        ((), "header Date is '2', not '1'"),
        (("--ignore-header", "date"), "payload: $.n is 2, not 1"),
        (("--ignore-header", "Date", "--ignore-header", "other", "--ignore", "$.n"), ""),
        (("--ignore-header", "Date", "--match", "json", "--ignore", "$.n"), ""),
        (("--match", "shape"), ""),
        (("--ignore-header", "Date", "--match", "exact"), "payload: byte 5 is 0x32, not 0x31"),
    ],
)
def test_what_is_compared_is_chosen_as_for_verify(
    spawn: Callable[..., Program], nats_server: Server, tmp_path: Path, options: tuple[str, ...], differ: str
) -> None:
    name = tmp_path.name
    spawn("reply", f"{name}.stable.*", '{"n":1}', "-H", "Date:1", server=nats_server)
    spawn("reply", f"{name}.next.*", '{"n":2}', "-H", "Date:2", server=nats_server)
    proxy = start(spawn, nats_server, name, *options)
    with Asker(nats_server) as asker:
        asker.ask(f"{name}.ask.1", b"x")
    assert proxy.stop() == 0
    said = [line for line in proxy.stderr_text().splitlines() if "differs: " in line]
    assert [differ in line for line in said] == [True] * bool(differ)
    assert f"Candidate: 1 {'differed' if differ else 'the same'}" in proxy.stderr_text()


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--ignore-header", "Date"), "--ignore-header needs --candidate"),
        (("--match", "json"), "--match needs --candidate"),
        (("--candidate", "c", "--match", "exact", "--ignore", "$.a"), "--match exact and --ignore exclude"),
        (("--candidate", "c", "--ignore-header", "Date:"), "invalid header name 'Date:' (--ignore-header)"),
    ],
)
def test_what_is_compared_is_of_a_candidate_only(runner: Runner, options: tuple[str, ...], what: str) -> None:
    run = runner("reply", "a.*", "--upstream", "b", *options, server="nats://127.0.0.1:1")
    assert (run.status, what in run.stderr) == (2, True), run.stderr


def test_a_request_with_too_few_tokens_for_the_candidate_is_counted_and_said_once(
    spawn: Callable[..., Program], nats_server: Server, tmp_path: Path
) -> None:
    name = tmp_path.name
    for service in ("stable", "next"):
        spawn("reply", f"{name}.{service}.>", "OK", server=nats_server)
    proxy = spawn(
        "reply", f"{name}.ask.>", "--upstream", f"{name}.stable.{{{{2}}}}",
        "--candidate", f"{name}.next.{{{{2}}}}.{{{{3}}}}", server=nats_server,
    )  # fmt: skip
    with Asker(nats_server) as asker:
        for tokens in ("a", "b", "a.b"):
            assert asker.ask(f"{name}.ask.{tokens}", b"x")[0].payload == b"OK"
    assert proxy.stop() == 0
    log = proxy.stderr_text()
    assert log.count("candidate not asked: ") == 1
    assert f"candidate not asked: too few tokens in [{name}.ask.a] for {{{{3}}}}" in log
    assert "Candidate: 1 the same, 2 whose subject has too few tokens" in log


def test_a_second_reply_is_a_difference_and_is_kept(
    spawn: Callable[..., Program], nats_server: Server, tmp_path: Path
) -> None:
    name, file = tmp_path.name, tmp_path / "calls.jsonl"
    spawn("reply", f"{name}.stable.*", "OK", server=nats_server)
    proxy = start(spawn, nats_server, name, "--record", str(file))
    with Asker(nats_server) as asker, Asker(nats_server) as service:
        service.listen(f"{name}.next.*")
        for number in range(3):
            asker.ask(f"{name}.ask.{number}", b"x")
            asked = service.request()
            time.sleep(0.05)
            service.write(asked.answer(b"", b"OK"))
            if number:
                service.write(asked.answer(b"", b"OK") * number)
    proxy.wait_for("[#2]")
    assert proxy.stop() == 0
    log = proxy.stderr_text()
    for number in (1, 2):
        said = f"[#{number}] candidate [{name}.next.{number}] differs: replies: 2 replies, 1 recorded"
        assert log.count(said) == 1
    assert "Candidate: 1 the same, 2 differed" in log
    kept = [json.loads(line) for line in file.read_text().splitlines()]
    others = [line for line in kept if ".next." in line["subject"]]
    assert [[reply["data"] for reply in line["replies"]] for line in others] == [["OK", "OK"]] * 2
    for line in others:  # from asking the candidate to each reply
        times = [reply["rtt_ns"] for reply in line["replies"]]
        assert 40e6 < line["rtt_ns"] == times[0] <= times[1] < 5e9


@pytest.mark.parametrize("how", ["hangs", "sleeps for a second", "is not there"])
def test_a_candidate_changes_nothing_for_the_requester(
    spawn: Callable[..., Program], runner: Runner, nats_server: Server, tmp_path: Path, how: str
) -> None:
    name = tmp_path.name
    spawn("reply", f"{name}.stable.*", "OK", "--quiet", server=nats_server, ready="")
    if how == "sleeps for a second":
        spawn("reply", f"{name}.next.*", "OK", "--sleep", "1s..1s", server=nats_server)
    with Asker(nats_server) as hangs:
        if how == "hangs":
            hangs.listen(f"{name}.next.*")
        hangs.wait_for_responder(f"{name}.stable.1")
        start(spawn, nats_server, name, "--timeout", "5s")
        done = runner("request", f"{name}.ask.1", "x", "--count", "2000", "--concurrency", "8", "--raw",
                      "--summary-json", str(tmp_path / "s.json"), server=nats_server)  # fmt: skip
    assert done.status == 0
    assert done.stdout == b"OK\n" * 2000
    summary = json.loads((tmp_path / "s.json").read_text())
    assert summary["answered"] == 2000
    assert summary["rtt_ns"]["max"] < 900e6  # never as long as the candidate takes


@contextmanager
def candidate(server: Server, subject: str, how: str) -> Iterator[None]:
    """Somebody who sleeps for a second before the reply, who reads nothing, or who goes away again and again."""
    over = threading.Event()

    def come_and_go() -> None:
        while not over.wait(0.1):
            with Asker(server) as short:
                short.listen(subject)
                over.wait(0.1)

    with Asker(server) as still:
        if how == "hangs":
            still.listen(subject)
        thread = threading.Thread(target=come_and_go)
        if how == "dies":
            thread.start()
        try:
            yield
        finally:
            over.set()
            if how == "dies":
                thread.join(30)


def ratio_of_p99(asker: Asker, subjects: tuple[str, str], blocks: int = 30, size: int = 50) -> float:
    """How much longer the slowest in a hundred take on the second subject: blocks of both in turn, in any order."""
    took: dict[str, list[float]] = {subject: [] for subject in subjects}
    for _ in range(blocks):
        for subject in random.sample(subjects, 2):
            for _ in range(size):
                took[subject] += [answer.seconds for answer in asker.ask(subject, b"x")]
                time.sleep(0.001)
    first, second = (sorted(took[subject])[blocks * size * 99 // 100] for subject in subjects)
    return second / first


@pytest.mark.parametrize("how", ["hangs", "sleeps for a second", "dies"])
def test_a_candidate_costs_the_requester_nothing(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], how: str
) -> None:
    """Side by side with --upstream alone, within 10 %; other load makes single figures differ by more than that."""
    server = server_factory()
    spawn("reply", "stable.*", "OK", "--quiet", server=server, ready="")
    if how == "sleeps for a second":
        spawn("reply", "next.*", "OK", "--sleep", "1s..1s", server=server)
    spawn("reply", "alone.*", "--upstream", "stable.{{1}}", server=server)
    with candidate(server, "next.*", how), Asker(server) as asker:
        asker.wait_for_responder("stable.1")
        spawn(
            "reply", "beside.*", "--upstream", "stable.{{1}}", "--candidate", "next.{{1}}", "--timeout", "2s",
            server=server,
        )  # fmt: skip
        asker.ask("beside.1", b"x")
        tries: list[float] = []
        while not tries or (min(tries) > 1.1 and len(tries) < 5):
            tries.append(ratio_of_p99(asker, ("alone.1", "beside.1")))
    assert min(tries) <= 1.1, tries


def test_what_is_asked_late_is_compared_at_the_end(
    spawn: Callable[..., Program], nats_server: Server, tmp_path: Path
) -> None:
    name = tmp_path.name
    spawn("reply", f"{name}.stable.*", "OK", server=nats_server)
    spawn("reply", f"{name}.next.*", "OK", server=nats_server)
    proxy = start(spawn, nats_server, name, "--count", "300")
    with Asker(nats_server) as asker:
        asker.ask(f"{name}.ask.1", *[b"x"] * 300)
    assert proxy.wait() == 0
    assert "Candidate: 300 the same" in proxy.stderr_text()


def test_a_candidate_that_is_listened_on_or_alone_is_refused(runner: Runner) -> None:
    same = runner(
        "reply", "a.*", "--upstream", "b.{{1}}", "--candidate", "a.{{1}}", server="nats://127.0.0.1:1"
    )
    assert (same.status, "would come back (--candidate)" in same.stderr) == (2, True)
    alone = runner("reply", "a.*", "--candidate", "c", server="nats://127.0.0.1:1")
    assert alone.status == 2
    assert re.search("--candidate needs --upstream", alone.stderr)


def test_what_cannot_be_compared_by_value_is_said_and_ends_nothing(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], tmp_path: Path
) -> None:
    server, name, rules = server_factory("max_payload: 2000000"), tmp_path.name, tmp_path / "rules.jsonl"
    large = [f'{{"a": [{"1, " * 400_000}1], "b": {n}}}' for n in (1, 2)]
    replies = {
        "usual": ('{"u": 1}', '{"u": 2}'),  # compared before the next ones, which are waited for
        "deep": ('{"id": 1}', f'{{"id": {"[" * 150}{"]" * 150}}}'),
        "text": ('"see [1"', '"see [2"'),
        "large": tuple(large),
    }
    lines = [
        {"subject": f"{name}.{side}.{kind}", "reply": {"data": reply}}
        for kind, both in replies.items()
        for side, reply in zip(("stable", "next"), both, strict=True)
    ]
    rules.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    spawn("reply", "--mock", str(rules), server=server)
    proxy = start(spawn, server, name, "--ignore", "$..u", "--ignore", "$..[?@.v]")
    with Asker(server) as asker:
        for kind, (reply, _) in replies.items():
            (answer,) = asker.ask(f"{name}.ask.{kind}", b"")
            assert answer.payload.decode() == reply
            if kind != "usual":
                proxy.wait_for(f"[{name}.next.{kind}] differs")
    assert proxy.stop() == 0
    log = proxy.stderr_text()
    assert "not 1 (nothing is left out: nested too deeply for --ignore)\n" in log
    assert "payload: too large to compare by value: 1.2 MB, bytes differ\n" in log
    assert "Candidate: 1 the same, 3 differed" in log
