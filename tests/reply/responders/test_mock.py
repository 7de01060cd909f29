"""`pynats reply --record` and `--mock`: what a service answered, answered again without it."""

from __future__ import annotations

import json
import os
import resource
import stat
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from natscli.message import headers
from natscli.reply.responders.mock import Mock
from natscli.reply.responders.parts.mock_file import read
from tests.asking import Answer, Asker
from tests.program import Program, Runner
from tests.servers import Server

#: A service as different in its answers as services are.
REPLIES: list[tuple[bytes, bytes]] = [
    (b"", b""),
    (b"", b"OK"),
    (b"", "grüße, {{Request}} {{".encode()),
    (b"", b'{"temperature": 20, "n": null}\n'),
    (b"", bytes(range(256)) * 40),
    (b"NATS/1.0\r\n\r\n", b"empty header block"),
    (b"NATS/1.0\r\nContent-Type: application/json\r\n\r\n", b"[1, 2]"),
    (b"NATS/1.0\r\nb: 2\r\nA: 1\r\nb: 3\r\na: 4\r\n\r\n", b"order, case and repeated names"),
    (b"NATS/1.0\r\nX:no space\r\nY:   three  \r\nZ: \r\n\r\n", b"spacing"),
    (b"NATS/1.0\r\nX: \xff\xfe\r\n\r\n", b"\x80 not UTF-8 at all"),
    (b"NATS/1.0\r\nA: b\r\n", b"no empty line"),
    (b"NATS/1.0\nA: b\n\n", b"without carriage returns"),
    (b"nats/1.0 404 No\r\n\r\n", b""),
    (headers.service_error("teapot", 418), b""),
    (headers.service_error("with a body", 500), b"details\x1b[31m"),
]
ASKED: list[tuple[bytes, bytes]] = [
    (b"", b""),
    (b"", b"now"),
    (b"NATS/1.0\nA: b\n\n", b"\0\xff\x9b"),
    (b"NATS/1.0\r\nTrace: 1\r\nTrace: 2\r\n\r\n", b'{"id": 7}'),
]


def ask_fifty(asker: Asker, subject: str) -> list[tuple[bytes, bytes]]:
    """Fifty requests one after another, some of them the same, and what was answered."""
    answers = []
    for number in range(50):
        header, payload = ASKED[number % len(ASKED)]
        (answer,) = asker.ask(f"{subject}.{number % 5}", payload, header=header)
        answers.append((answer.header, answer.payload))
    return answers


def serve_fifty(service: Asker) -> None:
    for number in range(50):
        header, payload = REPLIES[number % len(REPLIES)]
        service.write(service.request().answer(header, payload))


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def content(answers: list[Answer]) -> list[tuple[bytes, bytes]]:
    return [(answer.header, answer.payload) for answer in answers]


def test_fifty_mixed_requests_are_answered_the_same_from_the_recording(
    nats_server: Server, spawn: Callable[..., Program], tmp_path: Path
) -> None:
    asked, real, file = f"ask.{tmp_path.name}", f"real.{tmp_path.name}", tmp_path / "calls.jsonl"
    to = f"{real}.{{{{2}}}}"
    proxy = spawn("reply", f"{asked}.*", "--upstream", to, "--record", str(file), server=nats_server)
    with Asker(nats_server) as service, Asker(nats_server) as asker:
        service.listen(f"{real}.*")
        thread = Thread(target=serve_fifty, args=(service,))
        thread.start()
        recorded = ask_fifty(asker, asked)
        thread.join()
    assert recorded == [REPLIES[number % len(REPLIES)] for number in range(50)]
    assert proxy.stop() == 0
    recording = lines(file)
    assert [line["subject"] for line in recording] == [f"{real}.{number % 5}" for number in range(50)]
    assert [line["via"] for line in recording] == [f"{asked}.{number % 5}" for number in range(50)]

    mock = spawn("reply", "--mock", str(file), server=nats_server)
    with Asker(nats_server) as asker:
        assert ask_fifty(asker, real) == recorded
    assert mock.stop() == 0


def test_a_recording_has_requests_replies_and_times(
    nats_server: Server, spawn: Callable[..., Program], tmp_path: Path
) -> None:
    file = tmp_path / "calls.jsonl"
    before = time.time()
    spawn("reply", tmp_path.name, "{{Request}}", "-H", "B:1", "--record", str(file), server=nats_server)
    with Asker(nats_server) as asker:
        asker.ask(tmp_path.name, b"\x9b\xff")
        asker.ask(tmp_path.name, "ä\x9b".encode(), header=b"NATS/1.0\r\nA: x\r\nA: y\r\n\r\n")
        wait_for_lines(file, 2)  # without an end, and without more requests
    binary, text = lines(file)
    assert list(binary) == ["time", "duration_ns", "subject", "request", "reply"]
    assert (binary["subject"], binary["request"]) == (tmp_path.name, {"data_base64": "m/8="})
    assert binary["reply"] == {"headers": [["B", "1"]], "data_base64": "m/8="}
    assert text["request"] == {"headers": [["A", "x"], ["A", "y"]], "data": "ä\x9b"}
    assert "\x9b" not in file.read_text()
    assert 0 < binary["duration_ns"] < 30e9
    assert (
        abs(time.mktime(time.strptime(binary["time"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone - before)
        < 60
    )


def wait_for_lines(file: Path, count: int) -> None:
    deadline = time.monotonic() + 30
    while file.read_bytes().count(b"\n") < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_everything_is_recorded_when_requests_come_faster_than_lines_are_written(
    nats_server: Server, spawn: Callable[..., Program], tmp_path: Path
) -> None:
    file = tmp_path / "calls.jsonl"
    run = spawn(
        "reply", tmp_path.name, "{{Count}}", "--record", str(file), server=nats_server, ready="Listening"
    )
    with Asker(nats_server) as asker:
        for start in range(0, 40_000, 2000):
            asker.send(tmp_path.name, *[b"%d" % number for number in range(start, start + 2000)])
        assert len(asker.receive(40_000)) == 40_000
    assert run.stop() == 0
    assert [line["reply"]["data"] for line in lines(file)] == [f"{number}" for number in range(40_000)]


def test_large_payloads_are_recorded_whole(
    nats_server: Server, spawn: Callable[..., Program], tmp_path: Path
) -> None:
    file = tmp_path / "calls.jsonl"
    run = spawn("reply", tmp_path.name, "--echo", "--record", str(file), server=nats_server)
    payloads = [bytes([number]) * 900_000 for number in (0, 1, 10, 65, 200)] * 4
    with Asker(nats_server) as asker:
        assert [answer.payload for answer in asker.ask(tmp_path.name, *payloads)] == payloads
    assert run.stop() == 0
    mock = spawn("reply", "--mock", str(file), server=nats_server)
    with Asker(nats_server) as asker:
        assert [answer.payload for answer in asker.ask(tmp_path.name, *payloads)] == payloads
    assert mock.stop() == 0


def test_a_killed_recorder_leaves_whole_lines(
    nats_server: Server, spawn: Callable[..., Program], tmp_path: Path
) -> None:
    file = tmp_path / "calls.jsonl"
    run = spawn("reply", tmp_path.name, "x" * 500, "--record", str(file), server=nats_server)
    with Asker(nats_server) as asker:
        asker.send(tmp_path.name, *[b"y" * 500] * 5000)
        wait_for_lines(file, 1)
        run.send_signal(9)
        run.wait()
    assert file.read_bytes().endswith(b"\n")
    assert {line["reply"]["data"] for line in lines(file)} == {"x" * 500}


def test_a_recording_is_appended_to_unless_its_last_line_is_incomplete(
    nats_server: Server, pynats: Runner, spawn: Callable[..., Program], tmp_path: Path
) -> None:
    file = tmp_path / "calls.jsonl"
    for body in ("one", "two"):
        run = spawn("reply", tmp_path.name, body, "--record", str(file), "--count", "1", server=nats_server)
        with Asker(nats_server) as asker:
            asker.ask(tmp_path.name, b"")
        assert run.wait() == 0
    assert [line["reply"] for line in lines(file)] == [{"data": "one"}, {"data": "two"}]
    with file.open("a") as half:
        half.write('{"time":"20')
    before = file.read_bytes()
    refused = pynats("reply", tmp_path.name, "x", "--record", str(file), server="nats://127.0.0.1:1")
    assert (refused.status, file.read_bytes()) == (2, before)
    assert "its last line is incomplete (--record)" in refused.stderr


def test_a_half_written_recording_is_shown_with_line_and_column(pynats: Runner, tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    file.write_text('{"subject": "a", "request": "", "reply": ""}\n{"time":"2026-01-01T00:00')
    run = pynats("reply", "--mock", str(file), server="nats://127.0.0.1:1")
    assert run.status == 2
    assert run.errors == [
        f"pynats: error: the file ends in the middle of an object ({file}, line 2, column 9)",
        "  hint: if a recording was cut off, remove its last line",
    ]


def test_a_full_disk_stops_the_recording_not_the_replies(
    nats_server: Server, spawn: Callable[..., Program], tmp_path: Path
) -> None:
    run = spawn("reply", tmp_path.name, "OK", "--record", "/dev/full", server=nats_server)
    with Asker(nats_server) as asker:
        assert asker.ask(tmp_path.name, b"")[0].payload == b"OK"
        run.wait_for("cannot record any more: no space left on device (/dev/full)")
        assert [answer.payload for answer in asker.ask(tmp_path.name, *[b"more"] * 10)] == [b"OK"] * 10
    assert run.stop() == 1
    assert run.stderr_text().count("cannot record any more") == 1
    assert run.stderr_text().endswith("pynats: error: requests that could not be recorded: 11 (/dev/full)\n")


def test_a_disk_that_fills_up_is_left_with_whole_lines(
    nats_server: Server, spawn: Callable[..., Program], tmp_path: Path
) -> None:
    file = tmp_path / "calls.jsonl"
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (100_000, 100_000))
    run = spawn(
        "reply", tmp_path.name, "x" * 1000, "--record", str(file), server=nats_server, preexec_fn=limit,
        env={"PYTHONDONTWRITEBYTECODE": "1"},  # or modules that are cut off would stay
    )  # fmt: skip
    with Asker(nats_server) as asker:
        assert len(asker.ask(tmp_path.name, *[b"y"] * 500)) == 500
        run.wait_for("cannot record any more: file too large")
    assert run.stop() == 1
    assert 98_000 < file.stat().st_size <= 100_000
    recorded = lines(file)
    assert {line["reply"]["data"] for line in recorded} == {"x" * 1000}
    assert f"requests that could not be recorded: {500 - len(recorded)} " in run.stderr_text()


def test_a_disk_that_takes_nothing_holds_up_no_reply_and_not_the_end(
    nats_server: Server, spawn: Callable[..., Program], tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        run = spawn("reply", tmp_path.name, "x" * 1000, "--record", str(pipe), server=nats_server)
        with Asker(nats_server) as asker:
            for _ in range(20):
                assert len(asker.ask(tmp_path.name, *[b"y"] * 100)) == 100
        assert run.stop() == 1
        (what,) = [line for line in run.stderr_text().splitlines() if "could not be recorded" in line]
        assert 1500 < int(what.split(": ")[-1].split()[0]) <= 2000
    finally:
        os.close(reader)


def test_a_second_signal_ends_a_recording_at_once(
    nats_server: Server, spawn: Callable[..., Program], tmp_path: Path
) -> None:
    file = tmp_path / "calls.jsonl"
    run = spawn("reply", tmp_path.name, "--command", "sh -c 'read x; sleep $x; echo $x'", "--record", str(file),
                server=nats_server)  # fmt: skip
    with Asker(nats_server) as asker:
        asker.ask(tmp_path.name, b"0\n")
        asker.send(tmp_path.name, b"60\n")
        run.wait_for("[#1] Received")
        run.send_signal(15)
        run.wait_for("Draining")
        run.send_signal(15)
        assert run.wait() != 0
    assert [line["reply"]["data"] for line in lines(file)] == ["0\n"]


def test_a_file_that_cannot_be_written_is_found_before_connecting(pynats: Runner, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no" / "folder"):
        run = pynats("reply", "s", "x", "--record", str(path), server="nats://127.0.0.1:1")
        assert (run.status, "cannot write" in run.stderr) == (2, True)


RULES = """\
# What the warehouse answers.
{"subject": "stock.apples", "request": "how many?", "reply": "3"}
{"subject": "stock.apples", "request": "how many?", "reply": "2"}
{"subject": "stock.*", "reply": {"json": {"item": "{{1}}", "left": 0}}}
{"subject": "stock.>", "reply": {"status": 404, "error": "no shelf {{2}}", "headers": {"Retry": ["no", "never"]}}}
{"subject": "orders.slow", "reply": {"data": "at last", "delay": "150ms"}}
{"subject": "orders.lost", "reply": null}
"""


@pytest.fixture
def rules(nats_server: Server, spawn: Callable[..., Program], tmp_path: Path) -> Program:
    file = tmp_path / "warehouse.jsonl"
    file.write_text(RULES.replace("stock.", f"{tmp_path.name}.stock.").replace("{{1}}", "{{2}}")
                    .replace("shelf {{2}}", "shelf {{3}}").replace("orders.", f"{tmp_path.name}.orders."))  # fmt: skip
    return spawn("reply", "--mock", str(file), server=nats_server)


def test_recorded_replies_come_in_their_order_then_the_last_again(
    nats_server: Server, rules: Program, tmp_path: Path
) -> None:
    with Asker(nats_server) as asker:
        answers = asker.ask(f"{tmp_path.name}.stock.apples", *[b"how many?"] * 4)
    assert content(answers) == [(b"", b"3"), (b"", b"2"), (b"", b"2"), (b"", b"2")]


def test_rules_answer_what_was_not_recorded(nats_server: Server, rules: Program, tmp_path: Path) -> None:
    with Asker(nats_server) as asker:
        ((header, payload),) = content(asker.ask(f"{tmp_path.name}.stock.apples", b"other"))
        assert (header, payload) == (
            b"NATS/1.0\r\nContent-Type: application/json\r\n\r\n", b'{"item":"apples","left":0}',
        )  # fmt: skip
        ((header, payload),) = content(asker.ask(f"{tmp_path.name}.stock.pears.7", b""))
        assert header == (
            b"NATS/1.0\r\nRetry: no\r\nRetry: never\r\n"
            b"Nats-Service-Error: no shelf 7\r\nNats-Service-Error-Code: 404\r\n\r\n"
        )
        assert payload == b""


def test_rules_may_take_their_time_or_not_answer(nats_server: Server, rules: Program, tmp_path: Path) -> None:
    with Asker(nats_server) as asker:
        (slow,) = asker.ask(f"{tmp_path.name}.orders.slow", b"")
        assert (slow.payload, slow.seconds >= 0.15) == (b"at last", True)
        asker.send(f"{tmp_path.name}.orders.lost", b"")
        asker.send(f"{tmp_path.name}.stock.x", b"")
        (answer,) = asker.receive(1)
        assert answer.number == 2
        assert asker.receive(1, timeout=0.2) == []
    assert rules.stop() == 0


def test_what_nothing_matches_gets_404_and_is_logged(
    nats_server: Server, spawn: Callable[..., Program], tmp_path: Path
) -> None:
    file = tmp_path / "mock.jsonl"
    file.write_text(json.dumps({"subject": tmp_path.name, "request": "known", "reply": "x"}))
    run = spawn("reply", "--mock", str(file), server=nats_server)
    with Asker(nats_server) as asker:
        known, unknown = asker.ask(tmp_path.name, b"known", b"unknown")
    assert (known.payload, known.header) == (b"x", b"")
    assert unknown.header == headers.service_error("no reply to this request", 404)
    run.wait_for(f"[#1] answered with 404: nothing in '{file}' matches")
    assert "[#0] answered" not in run.stderr_text()


def test_several_subjects_are_listened_on_each_once(
    nats_server: Server, spawn: Callable[..., Program], tmp_path: Path
) -> None:
    name, file = tmp_path.name, tmp_path / "mock.jsonl"
    known = (f"{name}.a.*", f"{name}.*.b", f"{name}.a.b", f"{name}.c.c")
    file.write_text("\n".join(json.dumps({"subject": subject, "reply": subject}) for subject in known))
    run = spawn("reply", "--mock", str(file), server=nats_server)
    log = run.stderr_text()
    assert [f"Listening on [{subject}]" in log for subject in known] == [True, True, False, True]
    with Asker(nats_server) as asker:
        asker.send(f"{name}.a.b", *[b""] * 20)
        assert {answer.payload for answer in asker.receive(20)} == {known[0].encode()}
        assert asker.receive(1, timeout=0.2) == []
        assert asker.ask(f"{name}.x.b", b"")[0].payload == known[1].encode()


def test_subjects_that_overlap_need_a_queue_group(pynats: Runner, tmp_path: Path) -> None:
    file = tmp_path / "mock.jsonl"
    file.write_text('{"subject": "a.*", "reply": ""} {"subject": "*.b", "reply": ""}')
    run = pynats("reply", "--mock", str(file), "--queue", "", server="nats://127.0.0.1:1")
    assert (run.status, "would come twice" in run.stderr) == (2, True)


def test_a_given_subject_is_the_only_one_listened_on(
    nats_server: Server, spawn: Callable[..., Program], tmp_path: Path
) -> None:
    file = tmp_path / "mock.jsonl"
    file.write_text(
        "\n".join(
            json.dumps({"subject": f"{tmp_path.name}.{n}", "request": "", "reply": f"{n}"}) for n in range(50)
        )
    )
    run = spawn("reply", f"{tmp_path.name}.*", "--mock", str(file), server=nats_server)
    assert run.stderr_text().count("Listening on") == 1
    with Asker(nats_server) as asker:
        assert asker.ask(f"{tmp_path.name}.49", b"")[0].payload == b"49"
    many = spawn("reply", "--mock", str(file), server=nats_server, ready="more subjects")
    assert "Listening on 40 more subjects" in many.stderr_text()


def test_without_a_mock_the_subject_is_missed(pynats: Runner) -> None:
    run = pynats("reply", "--echo", server="nats://127.0.0.1:1")
    assert run.status == 2
    assert run.errors == ["pynats: error: missing argument 'SUBJECT'", "  hint: try 'pynats reply --help'"]


def test_hostile_recordings_stay_data(
    nats_server: Server, spawn: Callable[..., Program], tmp_path: Path
) -> None:
    file = tmp_path / "mock.jsonl"
    hostile = b"\r\nPUB victim 1\r\nx\r\n{{Request}} %d %s \x1b]0;pwned\x07 ../../etc/passwd $(id)"
    exchange = {"subject": tmp_path.name, "request": "", "reply": {"data": hostile.decode()}}
    file.write_text(json.dumps(exchange))
    run = spawn("reply", "--mock", str(file), "--record", str(tmp_path / "again.jsonl"), server=nats_server)
    with Asker(nats_server) as watcher, Asker(nats_server) as asker:
        watcher.listen("victim")
        assert content(asker.ask(tmp_path.name, b"")) == [(b"", hostile)]
        assert run.stop() == 0
        assert watcher.receive(1, timeout=0.1) == []
    (again,) = lines(tmp_path / "again.jsonl")
    assert again["reply"] == {"data": hostile.decode()}
    assert b"\x1b" not in (tmp_path / "again.jsonl").read_bytes()


def test_a_recorded_subject_that_cannot_be_requested_does_not_spoil_the_recording(
    nats_server: Server, spawn: Callable[..., Program], tmp_path: Path
) -> None:
    name, file = tmp_path.name, tmp_path / "calls.jsonl"
    recorder = spawn("reply", f"{name}.>", "OK", "--record", str(file), server=nats_server)
    with Asker(nats_server) as asker:
        for token in ("fine", "*", "\x01", "\xa0", ">"):
            asker.send(f"{name}.{token}", b"")
        assert len(asker.receive(5)) == 5
    assert recorder.stop() == 0
    mock = spawn("reply", "--mock", str(file), server=nats_server)
    place = f"(the first: {file}, line 2)"
    assert f"left out: 4 with a subject that nothing can be sent to {place}" in mock.stderr_text()
    with Asker(nats_server) as asker:
        assert asker.ask(f"{name}.fine", b"")[0].payload == b"OK"


def test_what_request_records_is_taken_where_no_subscription_can_be_for_it_alone(
    nats_server: Server, spawn: Callable[..., Program], pynats: Runner, tmp_path: Path
) -> None:
    name, file = tmp_path.name, tmp_path / "star.jsonl"
    spawn("reply", f"{name}.*", "OK", "--queue", "", server=nats_server)
    for token in ("x*", "fine", ">>"):
        run = pynats("request", f"{name}.{token}", "x", "--record", str(file), server=nats_server)
        assert run.status == 0
    mock = spawn("reply", "--mock", str(file), "--queue", "q", server=nats_server)
    said = f"left out: 2 that only a SUBJECT with a wildcard takes (the first: {file}, line 1)"
    assert said in mock.stderr_text()
    assert f"Listening on [{name}.fine]" in mock.stderr_text()
    file.write_text(file.read_text().replace('"OK"', '"from the mock"'))
    given = spawn("reply", f"{name}.*", "--mock", str(file), "--queue", "r", server=nats_server)
    assert "left out" not in given.stderr_text()
    with Asker(nats_server) as asker:
        asker.send(f"{name}.x*", b"x")
        assert {answer.payload for answer in asker.receive(2)} == {b"OK", b"from the mock"}
    assert mock.stop() == given.stop() == 0


@pytest.mark.parametrize("subject", ["s.*", "s p", "s.\x01p", "s..p", ""])
@pytest.mark.parametrize("recorded", [{}, {"time": "2026-01-01T00:00:00Z", "rtt_ns": 1}])
def test_a_record_that_nothing_can_be_sent_to_is_left_out_by_all_that_read_it(
    nats_server: Server,
    spawn: Callable[..., Program],
    pynats: Runner,
    tmp_path: Path,
    subject: str,
    recorded: dict[str, Any],
) -> None:
    file = tmp_path / "odd.jsonl"
    fine = {"subject": tmp_path.name, "request": "x", "reply": "OK"}
    odd = {"subject": subject, "request": "x", "reply": "y", **recorded}
    file.write_text("".join(json.dumps(record) + "\n" for record in (fine, odd, fine, odd)))
    said = f"2 with a subject that nothing can be sent to (the first: {file}, line 2)"
    mock = spawn("reply", "--mock", str(file), server=nats_server)
    assert f"left out: {said}" in mock.stderr_text()
    run = pynats("verify", str(file), server=nats_server)
    assert (run.status, f"Not sent: {said}" in run.errors) == (0, True)
    run = pynats("watch", "--read", str(file), server="nats://127.0.0.1:1")
    assert (run.status, len(run.lines), run.errors[-1]) == (0, 2, f"Left out: {said}")
    assert mock.stop() == 0


@pytest.mark.parametrize("subject", ["s.x*", "s p", "s.>.x", 5])
def test_a_rule_with_a_mistyped_subject_is_a_mistake(pynats: Runner, tmp_path: Path, subject: Any) -> None:
    file = tmp_path / "rules.jsonl"
    for asked in ({}, {"request": {"json": {"a": 1}}}):
        file.write_text("#\n" + json.dumps({"subject": subject, **asked, "reply": "y"}))
        run = pynats("reply", "--mock", str(file), server="nats://127.0.0.1:1")
        assert (run.status, f"({file}, line 2, column 13)" in run.stderr) == (2, True)


def test_a_file_of_which_all_is_left_out_says_why(pynats: Runner, tmp_path: Path) -> None:
    file = tmp_path / "odd.jsonl"
    file.write_text('{"subject": "s.*", "request": "x", "reply": "y"}')
    run = pynats("reply", "--mock", str(file), server="nats://127.0.0.1:1")
    assert run.status == 2
    why = f"1 with a subject that nothing can be sent to ({file}, line 1)"
    assert run.errors == [f"pynats: error: there is nothing to answer with: {why}"]


def test_several_replies_of_a_record_are_all_sent_and_no_responders_are_told(
    nats_server: Server, runner: Runner, tmp_path: Path
) -> None:
    name = tmp_path.name
    several = {"subject": name, "request": "a", "replies": [{"data": "1", "rtt_ns": 5}, {"data": "2"}]}
    none = {"subject": name, "request": "b", "reply": None, "outcome": "no_responders"}
    (tmp_path / "m.jsonl").write_text(f"{json.dumps(several)}\n{json.dumps(none)}\n")
    runner.spawn("reply", "--mock", str(tmp_path / "m.jsonl"), server=nats_server)
    assert runner("request", name, "a", "--replies", "2", "--raw", server=nats_server).stdout == b"1\n2\n"
    assert runner("request", name, "b", server=nats_server).status == 3


def test_a_recording_goes_through_pipes_and_is_its_users_only(
    nats_server: Server, runner: Runner, tmp_path: Path
) -> None:
    name = tmp_path.name
    reply = runner.spawn("reply", name, "OK", "--record", "-", "--count", "1", server=nats_server)
    assert runner("request", name, "hi", server=nats_server).status == 0
    reply.wait_until(lambda: reply.status is not None, "the end")
    (line,) = reply.stdout_bytes().splitlines()
    assert json.loads(line)["reply"] == {"data": "OK"}
    assert "Received on" in reply.stderr_text()

    mock = runner.spawn("reply", "--mock", "-", server=nats_server, stdin=subprocess.PIPE, ready="")
    mock.stdin.write(line)
    mock.stdin.close()
    mock.wait_for("Listening")
    assert runner("request", name, "hi", "--raw", server=nats_server).stdout == b"OK"
    runner.spawn("reply", name, "--record", str(tmp_path / "r.jsonl"), server=nats_server)
    assert stat.S_IMODE((tmp_path / "r.jsonl").stat().st_mode) == 0o600


def test_the_json_of_reply_has_the_replies_and_is_a_recording(
    nats_server: Server, runner: Runner, tmp_path: Path
) -> None:
    name = tmp_path.name
    reply = runner.spawn("reply", name, "{{Request}}!", "-H", "A:1", "--json", server=nats_server)
    assert runner("request", name, "hi", server=nats_server).status == 0
    reply.wait_until(lambda: reply.stdout_bytes().endswith(b"\n"), "a record")
    (line,) = reply.stdout_bytes().splitlines()
    assert json.loads(line)["replies"] == [
        {"headers": {"A": ["1"]}, "data": "hi!", "encoding": "utf-8", "size": 3}
    ]
    (tmp_path / "seen.jsonl").write_bytes(line)
    assert runner("verify", str(tmp_path / "seen.jsonl"), server=nats_server).status == 0


def test_requests_match_by_value_and_rules_by_a_part_of_them(
    nats_server: Server, spawn: Callable[..., Program], runner: Runner, tmp_path: Path
) -> None:
    subject = tmp_path.name
    lines = [
        {"subject": subject, "request": '{"id": 7, "name": "x"}', "reply": "recorded"},
        {"subject": subject, "request": {"json": {"user": {"id": 1}}}, "reply": ["first", "second"]},
        {"subject": subject, "request": {"json": {"id": True}}, "reply": "true"},
        {"subject": subject, "reply": {"json": {"id": "{{json.id}}", "is": "{{json.name}} {{json.list.0}}"}}},
    ]
    (runner.directory / "m.jsonl").write_text("\n".join(map(json.dumps, lines)))
    program = spawn("reply", "--mock", "m.jsonl", server=nats_server)
    asked = {
        b'{"name":"x","id":7.0}': b"recorded",
        b'{"user": {"id": 1, "name": "a"}, "x": 1}': b"first",
        b'{"user": {"id": 1, "name": "b"}}': b"second",
        b'{"user": {"id": 1}}': b"second",
        b'{"id": true}': b"true",
        b'{"id": 1, "name": "n", "list": [2]}': b'{"id":1,"is":"n 2"}',
        b"no json": b'{"id":null,"is":" "}',
        b'{"id": {"a": "\\""}}': b'{"id":{"a": "\\""},"is":" "}',
    }
    with Asker(nats_server) as asker:
        for payload, expected in asked.items():
            assert asker.ask(subject, payload)[0].payload == expected
    assert program.stop() == 0


def test_a_file_may_be_edited(
    nats_server: Server, spawn: Callable[..., Program], runner: Runner, tmp_path: Path
) -> None:
    file = runner.directory / "m.jsonl"
    file.write_text(json.dumps({"subject": tmp_path.name, "reply": "1"}))
    program = spawn("reply", "--mock", "m.jsonl", "--reload", server=nats_server)
    with Asker(nats_server) as asker:
        assert asker.ask(tmp_path.name, b"")[0].payload == b"1"
        file.write_text("{")
        program.wait_for("not reloaded, what was read before stays")
        assert asker.ask(tmp_path.name, b"")[0].payload == b"1"
        file.write_text(json.dumps({"subject": tmp_path.name, "reply": {"data": "new", "delay": "10ms"}}))
        program.wait_for("Reloaded m.jsonl")
        assert asker.ask(tmp_path.name, b"")[0].payload == b"new"
        file.write_text(json.dumps({"subject": f"{tmp_path.name}.*", "reply": "{{1}}"}))
        program.wait_for(f"Listening on [{tmp_path.name}.*]")
        assert asker.ask(f"{tmp_path.name}.one", b"")[0].payload == b"one"
        assert asker.ask(tmp_path.name, b"")[0].header.startswith(b"NATS/1.0 503")
    assert program.stop() == 0


def test_a_file_with_subjects_that_overlap_is_not_reloaded_without_a_queue_group(
    nats_server: Server, spawn: Callable[..., Program], runner: Runner, tmp_path: Path
) -> None:
    file, name = runner.directory / "m.jsonl", tmp_path.name
    file.write_text(json.dumps({"subject": f"{name}.*.b", "reply": "1"}))
    program = spawn("reply", "--mock", "m.jsonl", "--reload", "--queue", "", server=nats_server)
    file.write_text("".join(json.dumps({"subject": f"{name}.{s}", "reply": "2"}) for s in ("*.b", "a.*")))
    program.wait_for("would come twice")
    with Asker(nats_server) as asker:
        assert asker.ask(f"{name}.a.b", b"")[0].payload == b"1"
    assert program.stop() == 0


def test_thousands_of_rules_are_read_and_found_as_fast_as_ten(tmp_path: Path) -> None:
    def seconds(rules: int) -> tuple[float, float]:
        path = tmp_path / f"{rules}.jsonl"
        path.write_text("".join(f'{{"subject": "s.{n}.*", "reply": "{n}"}}\n' for n in range(rules)))
        began = time.perf_counter()
        found = Mock(read(str(path)), "m")
        reading, finding = time.perf_counter() - began, []
        for _ in range(5):  # the best of them: what else runs here only makes it worse
            ready = time.perf_counter()
            for number in range(400):
                found._find(b"s.%d.%d" % (number % rules, number), b"")
            finding.append(time.perf_counter() - ready)
        return reading, min(finding)

    few, many = seconds(10), seconds(20_000)
    assert many[0] < 15  # of 4,000 it was 32
    assert many[1] < 5 * few[1] + 0.01


def test_a_subject_that_nothing_answers_on_is_questioned(
    runner: Runner, spawn: Callable[..., Program], nats_server: Server
) -> None:
    (runner.directory / "m.jsonl").write_text('{"subject": "a", "reply": "x"}')
    program = spawn("reply", "b.*", "--mock", "m.jsonl", server=nats_server)
    assert "nothing in 'm.jsonl' answers on 'b.*'" in program.stderr_text()
