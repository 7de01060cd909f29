"""The benchmarks measure the right thing: the generator sees every wrong reply, and the floors do the same job."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import growth
from benchmarks.__main__ import write_table
from benchmarks.alternatives import ALTERNATIVES, alternative_cases, table
from benchmarks.cases import Case, Need, all_cases
from benchmarks.floors import QUEUE, log_lines
from benchmarks.growth import growth_cases
from benchmarks.load import Load, Report, Verifier, run
from benchmarks.measures import Sample
from benchmarks.report import Result
from benchmarks.server import HOST, ROOT
from benchmarks.wire import Wire, somebody_answers
from tests.program import clean_environment
from tests.servers import Server

#: Makes the bytes to send back from the number of a request (as it comes), its reply subject and its payload.
Answer = Callable[[int, bytes, bytes], bytes]


def publish(subject: bytes, payload: bytes) -> bytes:
    return b"PUB %b %d\r\n%b\r\n" % (subject, len(payload), payload)


def honest(number: int, reply: bytes, payload: bytes) -> bytes:
    return publish(reply, b"Re: " + payload)


@contextmanager
def responder(server: Server, subject: str, answer: Answer) -> Iterator[None]:
    """A responder in a thread that does what `answer` says."""
    wire = Wire(HOST, server.port, timeout=10)
    rest = wire.subscribe(subject)

    def serve() -> None:
        data, number = rest, 0
        while True:
            while match := re.match(rb"MSG \S+ 1 (\S+) (\d+)\r\n", data):
                stop = match.end() + int(match[2])
                if len(data) < stop + 2:
                    break
                wire.send(answer(number, match[1], data[match.end() : stop]))
                data, number = data[stop + 2 :], number + 1
            try:
                chunk = wire.receive()
            except OSError:
                return
            if not chunk:
                return
            data += chunk

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        wire.socket.shutdown(2)
        thread.join(5)
        wire.close()


def load(server: Server, subject: str, patience: float = 5.0, **changes: object) -> Load:
    base = Load(server.port, subject, requests=300, in_flight=16, payload="{i}", expect="Re: {payload}")
    return replace(base, patience=patience, **changes)  # type: ignore[arg-type]


def test_a_correct_responder_passes(nats_server: Server) -> None:
    with responder(nats_server, "bench.honest", honest):
        report = run(load(nats_server, "bench.honest"))
    assert report.ok
    assert (report.sent, report.answered) == (300, 300)
    assert 0 < report.latency["p50"] <= report.latency["p99"] <= report.latency["max"]
    assert report.rate == pytest.approx(300 / report.seconds)


def test_large_payloads_headers_and_many_subjects_are_right(nats_server: Server) -> None:
    with responder(nats_server, "bench.many.>", honest):
        assert run(load(nats_server, "bench.many.large", requests=20, size=200_000)).ok
        assert run(load(nats_server, "bench.many.{i}")).ok


def test_more_than_the_memory_for_replies_is_verified_on_the_way(
    nats_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.load.BACKLOG", 2000)
    monkeypatch.setattr("benchmarks.load.READ_SIZE", 700)
    with responder(nats_server, "bench.backlog", honest):
        assert run(load(nats_server, "bench.backlog")).ok
        assert run(load(nats_server, "bench.backlog", requests=20, size=20_000)).ok


LIES: dict[str, tuple[Answer, str]] = {
    "wrong": (lambda n, reply, data: publish(reply, b"Re: 7" if n == 150 else b"Re: " + data), "wrong"),
    "one of another request": (
        lambda n, reply, data: publish(reply, b"Re: 0000001" if n == 150 else b"Re: " + data),
        "wrong",
    ),
    "missing": (lambda n, reply, data: b"" if n == 150 else honest(n, reply, data), "missing"),
    "duplicate": (lambda n, reply, data: honest(n, reply, data) * (2 if n == 150 else 1), "duplicates"),
    "duplicate at the end": (
        lambda n, reply, data: honest(n, reply, data) * (2 if n == 299 else 1),
        "duplicates",
    ),
    "unasked": (
        lambda n, reply, data: honest(n, reply[:-7] + b"0000300", data) * (n == 150) + honest(n, reply, data),
        "unasked",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_reply_that_is_not_right_is_seen(nats_server: Server, lie: str) -> None:
    answer, kind = LIES[lie]
    with responder(nats_server, "bench.lie", answer):
        report = run(load(nats_server, "bench.lie", patience=0.3))
    assert not report.ok
    assert report.problems
    counted = {name: getattr(report, name) for name in ("wrong", "missing", "duplicates", "unasked")}
    assert {name: count for name, count in counted.items() if count} == {kind: 1}


def test_missing_replies_are_reported(nats_server: Server) -> None:
    report = run(load(nats_server, "bench.nobody", patience=0.3))
    assert not report.ok
    assert report.wrong == 300
    assert "503" in report.problems[0]


def test_the_same_counter_twice_is_wrong(nats_server: Server) -> None:
    with responder(nats_server, "bench.count", lambda n, reply, data: publish(reply, b"%d" % (n // 2))):
        report = run(load(nats_server, "bench.count", expect=r"(\d+)"))
    assert report.wrong == 150


def test_the_verdict_does_not_depend_on_where_reads_are_cut() -> None:
    stream = b"".join(b"MSG inbox.%07d 1 7\r\n%07d\r\n" % (n, n) for n in range(50))
    stream = stream.replace(b"MSG inbox.0000020", b"PING\r\nMSG inbox.0000020") + b"PONG\r\n"
    for size in (1, 2, 7, 31, 5000):
        verifier = Verifier(Load(1, "x", payload="{i}", expect="{payload}"), b"inbox.")
        verifier.report.sent = 50
        for start in range(0, len(stream), size):
            verifier.feed(1.0 + start, stream[start : start + size])
        assert verifier.finish([(0.0, 50)]).ok


def test_the_generator_refuses_what_is_not_loopback_or_bounded() -> None:
    for changes in ({"host": "demo.nats.io"}, {"requests": 10**8}, {"seconds": 10_000.0}):
        with pytest.raises(ValueError, match=r"loopback|bounds"):
            replace(Load(4222, "x"), **changes)


@contextmanager
def running(command: list[str], server: Server, log: Path, subject: str) -> Iterator[None]:
    """A responder as a process, its output in `log`."""
    environ = clean_environment(log.parent, log.parent) | {"PYTHONPATH": str(ROOT)}
    with log.open("wb") as file, subprocess.Popen(command, env=environ, stdout=file, stderr=file) as process:
        try:
            end = time.monotonic() + 20
            while not somebody_answers(HOST, server.port, subject):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.02)
            yield
        finally:
            process.terminate()


PAYLOADS = {
    "plain": "hello {i}",
    "lines": "two\r\nlines {i}",
    "protocol": "MSG x 1 y 2\r\nPING\r\n",
    "empty": "",
}


@pytest.mark.parametrize(("name", "body"), [("raw-reply", "OK"), ("bare-reply", "OK"), ("bare-echo", "")])
@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_floors_answer_everything(
    nats_server: Server, tmp_path: Path, name: str, body: str, payload: str
) -> None:
    subject = f"bench.{name}.{payload}"
    command = [sys.executable, "-m", "benchmarks.floors", name, HOST, str(nats_server.port), subject]
    sent = load(nats_server, subject, payload=PAYLOADS[payload], expect=body or "{payload}", in_flight=100)
    with running([*command, body] if body else command, nats_server, tmp_path / "log", subject):
        assert run(sent).problems == []


@pytest.mark.parametrize("payload", ["OK", "two\r\nlines", "MSG x 1 2\r\nhi", ""])
def test_the_raw_requester_shows_every_reply(nats_server: Server, tmp_path: Path, payload: str) -> None:
    subject = f"bench.raw-request.{len(payload)}"
    command = [sys.executable, "-m", "natscli", "reply", subject, payload, "-s", nats_server.url]
    requester = [
        sys.executable,
        "-m",
        "benchmarks.floors",
        "raw-request",
        HOST,
        str(nats_server.port),
        subject,
    ]
    with running(command, nats_server, tmp_path / "log", subject):
        asked = subprocess.run(
            [*requester, "hi", "500", "64"], cwd=ROOT, capture_output=True, timeout=20, check=True
        )
    assert asked.stdout == f"{payload}\n".encode() * 500
    assert asked.stderr == b""


def test_the_raw_floor_logs_what_pynats_logs(nats_server: Server, tmp_path: Path) -> None:
    """To the byte, but for the clock: otherwise the two do not do the same job."""
    command = [sys.executable, "-m", "natscli", "reply", "bench.log", "OK", "-s", nats_server.url]
    with running(command, nats_server, tmp_path / "log", "bench.log"):
        assert run(load(nats_server, "bench.log", requests=40, in_flight=8, expect="OK")).ok
    clock = re.compile(rb"^(?:[\d-]{10} )?\d\d:\d\d:\d\d ", re.MULTILINE)
    listening, logged = (
        b'Listening on [bench.log] in group "%b"\n' % QUEUE.encode(),
        (tmp_path / "log").read_bytes(),
    )
    payloads = (b"hello", *(b"%07d" % n for n in range(40)))
    logged = clock.sub(b"", logged)
    assert listening in logged  # perhaps after the first request, which need not wait for it
    assert clock.sub(b"", log_lines(0, (b"bench.log",) * 41, payloads)) in logged.replace(listening, b"")


def test_each_requirement_is_about_something_measured() -> None:
    cases = [*all_cases(), *growth_cases(1), *alternative_cases(1)]
    assert len({case.name for case in cases}) == len(cases)
    for case in cases:
        for need in case.needs:
            assert need.of in case.measures
            assert need.by is None or need.by in case.measures


def test_a_requirement_is_about_the_median_of_the_ratios_of_each_run() -> None:
    need = Need("a", "b", at_least=2.0)
    samples = {"a": [Sample(9.0), Sample(4.0), Sample(4.2)], "b": [Sample(4.0), Sample(1.0), Sample(7.0)]}
    result = Result(Case("x", "x", "s", {}, (need,)), samples)
    assert result.measured(need) == pytest.approx(2.25)
    assert result.ok
    result.problems["b"] = "it crashed"
    assert result.measured(need) is None
    assert not result.ok


def test_a_client_that_cannot_be_had_is_left_out_by_name() -> None:
    replies, requests, serial = (Result(case) for case in alternative_cases(1))
    for result in (replies, requests, serial):
        result.samples = {label: [Sample(2000.0), Sample(3000.0)] for label in ("pynats", "natsio 1.0.1")}
        result.samples["bare nats-py"] = [Sample(1000.0), Sample(1500.0)]
        result.absent = {"Go nats": "nats is not on PATH"} if "Go nats" in result.case.measures else {}
        assert result.ok
    rows = [
        [cell.strip() for cell in row.split("|")[1:-1]]
        for row in table([replies, requests, serial]).splitlines()
    ]
    assert [row[0] for row in rows[2:]] == [one.name for one in ALTERNATIVES]
    assert rows[2][1:7] == ["2,500", "2.00"] * 3
    assert rows[-1][1:7] == ["not here", "", "-", "", "not here", ""]  # it asks one at a time
    assert table([]) == ""


def test_the_table_of_growth_has_what_one_costs_when_there_are_few_and_many() -> None:
    case = next(case for case in growth_cases(1) if case.name == "growth-services")
    labels = {"30": 900.0, "300": 50.0, "3,000": 40.0, "30,000": 44.0}
    result = Result(case, {label: [Sample(value)] for label, value in labels.items()})
    assert growth.table([result]).splitlines()[2] == (
        "| pynats service ls, for each instance | 3,000 | 40.0 µs | 30,000 | 44.0 µs | 1.10 |"
    )
    assert result.ok
    assert growth.table([]) == ""


def test_the_table_goes_between_its_markers(tmp_path: Path) -> None:
    path = tmp_path / "performance.md"
    path.write_text("before\n<!-- table -->\nold\n<!-- /table -->\nafter\n")
    write_table(path, "new\n")
    assert path.read_text() == "before\n<!-- table -->\nnew\n<!-- /table -->\nafter\n"


def test_a_report_without_requests_is_not_ok() -> None:
    assert not Report().ok
