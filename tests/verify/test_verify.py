"""`pynats verify`: recordings of every origin hold against the same service, and what changes is named."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from junitparser import JUnitXml, TestSuite

from natscli.message import headers
from tests.asking import Asker
from tests.program import Program, Run, Runner
from tests.servers import Server
from tests.verify.service import Reply, Service, by_hand, usual

COUNT = 1000


@pytest.fixture
def service(nats_server: Server) -> Iterator[Service]:
    with Service(nats_server) as service:
        yield service


def write_by_hand(path: Path, count: int = COUNT) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("# by hand\n" + "\n".join(by_hand(number) for number in range(count)) + "\n")
    return path


def differing(run: Run) -> dict[str, set[str]]:
    """The kinds of differences by subject."""
    return {
        result["subject"]: {difference["kind"] for difference in result["differences"]}
        for result in run.objects
        if result["outcome"] == "differs"
    }


def verify(runner: Runner, server: Server, file: Path | str, *options: str) -> Run:
    return runner("verify", str(file), "--concurrency", "64", "--timeout", "2s", *options, server=server)


CHANGES: dict[str, tuple[int, list[Reply], set[str]]] = {
    "one member": (600, [({}, b'{"id": 600, "items": [{"n": 1}, {"n": 3}], "at": "now"}')], {"payload"}),
    "one type": (606, [({}, b'{"id": "606", "items": [{"n": 1}, {"n": 2.5}], "at": "now"}')], {"payload"}),
    "one byte": (601, [({}, bytes(range(256)) + b"\0")], {"payload"}),
    "one header": (602, [({"Trace": "7", "Kind": "text"}, "grüße 602".encode())], {"header"}),
    "one code": (
        604, [({headers.SERVICE_ERROR: "not here", headers.SERVICE_ERROR_CODE: "410"}, b"details")], {"error"},
    ),
    "silent": (603, [], {"replies"}),
    "twice": (609, [({}, b""), ({}, b"")], {"replies"}),
    "a part of several": (605, [({}, b"1"), ({"Part": "2"}, b'{"part": 3}'), ({}, b"")], {"payload"}),
}  # fmt: skip


def test_what_was_written_by_hand_holds_and_every_kind_of_change_is_named(
    runner: Runner, nats_server: Server, service: Service, tmp_path: Path
) -> None:
    file = write_by_hand(tmp_path / "hand.jsonl")
    same = verify(runner, nats_server, file)
    assert (same.status, same.stdout) == (0, b"")
    assert same.errors[0] == "Verified 1,000 exchanges: 1,000 held"
    service.changes = {number: replies for number, replies, _ in CHANGES.values()}
    other = verify(runner, nats_server, file, "--json")
    assert other.status == 8
    assert len(other.objects) == COUNT
    assert differing(other) == {f"svc.{number}": kinds for number, _, kinds in CHANGES.values()}
    (counts,) = [line for line in other.errors if line.startswith("Differences: ")]
    assert set(counts.removeprefix("Differences: ").split(", ")) == {
        "4 payloads",
        "2 replies",
        "1 header",
        "1 error",
    }
    service.changes = {609: CHANGES["twice"][1]}
    assert "Differences: 1 reply" in verify(runner, nats_server, file).errors


def test_what_watch_saw_holds(
    runner: Runner, spawn: Callable[..., Program], nats_server: Server, service: Service, tmp_path: Path
) -> None:
    watch = spawn("watch", "svc.*", "--json", server=nats_server, ready="Watching")
    with Asker(nats_server) as asker:
        for number in range(COUNT):
            asker.send(f"svc.{number}", b"hello %d" % number)
        assert len(asker.receive(COUNT + 2 * len(range(5, COUNT, 6)))) > COUNT
    watch.wait_until(lambda: watch.stdout_bytes().count(b"\n") == COUNT, "all exchanges")
    assert watch.stop() == 0
    (tmp_path / "seen.jsonl").write_bytes(watch.stdout_bytes())
    assert verify(runner, nats_server, tmp_path / "seen.jsonl").errors[0].endswith("1,000 held")
    service.changes = {number: replies for number, replies, _ in CHANGES.values()}
    other = verify(runner, nats_server, tmp_path / "seen.jsonl", "--json")
    assert other.status == 8
    assert differing(other) == {f"svc.{number}": kinds for number, _, kinds in CHANGES.values()}


def test_what_passed_through_upstream_holds_against_the_real_service(
    runner: Runner, spawn: Callable[..., Program], nats_server: Server, service: Service, tmp_path: Path
) -> None:
    file = tmp_path / "upstream.jsonl"
    proxy = spawn(
        "reply",
        "rec.*",
        "--upstream",
        "svc.{{1}}",
        "--replies",
        "0",
        "--record",
        str(file),
        server=nats_server,
    )
    with Asker(nats_server) as asker:
        for number in range(COUNT):
            asker.send(f"rec.{number}", b"hello %d" % number)
        answers = asker.receive(COUNT + 2 * len(range(5, COUNT, 6)))
    assert {number: [a.payload for a in answers if a.number == number] for number in (1, 3, 5)} == {
        number: [payload for _, payload in usual(number)] for number in (1, 3, 5)
    }
    assert proxy.stop() == 0
    assert verify(runner, nats_server, file).errors[0] == "Verified 1,000 exchanges: 1,000 held"
    service.changes = {number: replies for number, replies, _ in CHANGES.values()}
    other = verify(runner, nats_server, file, "--json")
    assert other.status == 8
    assert differing(other) == {f"svc.{number}": kinds for number, _, kinds in CHANGES.values()}
    service.changes = {601: CHANGES["one byte"][1]}
    assert "payload: byte 256 is 0x00, not 0x59" in verify(runner, nats_server, file).text


def test_what_is_ignored_does_not_differ(
    runner: Runner, nats_server: Server, service: Service, tmp_path: Path
) -> None:
    file = write_by_hand(tmp_path / "hand.jsonl")
    for name, ignoring in {
        "one member": ("--ignore", "$.items[1].n"),
        "one type": ("--ignore", "$..id"),
        "one header": ("--ignore-header", "trace"),
        "one code": ("--ignore-header", "Nats-Service-Error-Code"),
    }.items():
        number, replies, _ = CHANGES[name]
        service.changes = {number: replies}
        assert verify(runner, nats_server, file).status == 8
        assert verify(runner, nats_server, file, *ignoring).status == 0


def test_shapes_and_bytes_can_be_compared_instead(
    runner: Runner, nats_server: Server, service: Service, tmp_path: Path
) -> None:
    file = write_by_hand(tmp_path / "hand.jsonl", 7)
    service.changes = {0: [({}, b'{"items": [{"n": 9}], "at": "", "id": 5}')]}
    assert verify(runner, nats_server, file).status == 8
    assert verify(runner, nats_server, file, "--match", "shape").status == 0
    service.changes = {0: [({}, b'{"items": [{"n": 9, "m": 1}], "at": "", "id": 5}')]}
    assert "$.items[0].m was not recorded" in verify(runner, nats_server, file, "--match", "shape").text
    service.changes = {0: [({}, b' {"at":"now", "items": [{"n": 1.0}, {"n": 2.5}], "id": 0}')]}
    assert verify(runner, nats_server, file).status == 0
    assert verify(runner, nats_server, file, "--match", "exact").status == 8


def test_requests_go_to_another_subject(
    runner: Runner, nats_server: Server, service: Service, tmp_path: Path
) -> None:
    file = tmp_path / "calls.jsonl"
    file.write_text("".join(by_hand(number).replace("svc.", "old.a.") + "\n" for number in range(12)))
    assert verify(runner, nats_server, file, "--to", "svc.{{2}}").status == 0
    none = verify(runner, nats_server, file)
    assert none.status == 8
    assert "replies: no responders, 1 recorded" in none.text
    for to in ("svc.{{3}}", "svc.a{{3}}"):
        refused = verify(runner, nats_server, file, "--to", to)
        assert refused.status == 2
        assert "12 whose subject has too few tokens for --to" in refused.stderr


def test_a_silence_and_no_responders_can_be_recorded(
    runner: Runner, nats_server: Server, service: Service, tmp_path: Path
) -> None:
    file = tmp_path / "calls.jsonl"
    lines = [
        {"subject": "svc.1", "request": "", "reply": None},
        {"subject": "nobody", "request": "", "reply": None, "outcome": "no_responders"},
    ]
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    service.changes = {1: []}
    assert verify(runner, nats_server, file, "--timeout", "300ms").status == 0
    service.changes = {1: [({}, b"x")]}
    assert "1 reply, none recorded" in verify(runner, nats_server, file, "--timeout", "300ms").text


def test_update_writes_what_came_and_nothing_else(
    runner: Runner, nats_server: Server, service: Service, tmp_path: Path
) -> None:
    file = write_by_hand(tmp_path / "hand.jsonl", 20)
    file.chmod(0o640)
    before = file.read_text().splitlines()
    service.changes = {6: [({"A": "1"}, b"\xff new")], 7: []}
    run = verify(runner, nats_server, file, "--update", "--timeout", "500ms")
    assert run.status == 8  # one stays silent, and is not taken for what it answers
    assert run.errors[0] == "Verified 20 exchanges: 18 held, 1 differed, 1 updated"
    after = file.read_text().splitlines()
    assert [n for n, (one, other) in enumerate(zip(before, after, strict=True)) if one != other] == [7]
    assert json.loads(after[7])["reply"] == {"headers": [["A", "1"]], "data_base64": "/yBuZXc="}
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert not [name for name in os.listdir(tmp_path) if "hand.jsonl" in name and name != "hand.jsonl"]
    service.changes.pop(7)
    assert verify(runner, nats_server, file).status == 0


def test_an_update_that_was_cut_off_says_what_was_written(
    spawn: Callable[..., Program], nats_server: Server, service: Service, tmp_path: Path
) -> None:
    file = write_by_hand(tmp_path / "hand.jsonl", 100)
    before = file.read_bytes()
    service.changes = {0: [({}, b"new")], 6: [({}, b"new")]}
    options = ("--update", "--rate", "50", "--json", "--reply-timeout", "10ms")
    run = spawn("verify", str(file), *options, server=nats_server, ready="")
    run.wait_until(lambda: run.stdout_bytes().count(b"\n") > 10, "some are verified")
    assert run.stop(signal.SIGINT) == 130
    assert file.read_bytes() == before
    first = run.stderr_text().splitlines()[0]
    assert " held, 2 differed, " in first
    assert first.endswith(f" not verified, {file} was not changed")
    assert "updated" not in run.stderr_text()


def test_an_update_that_cannot_be_written_is_not_counted(
    runner: Runner, nats_server: Server, service: Service, tmp_path: Path
) -> None:
    good, bad = (write_by_hand(tmp_path / name / "hand.jsonl", 6) for name in ("good", "bad"))
    service.changes = {0: [({}, b"new")], 3: []}
    with Asker(nats_server) as other:
        other.listen("svc.3")
        process = runner.spawn("verify", str(good), str(bad), "--update", server=nats_server)
        first = other.request()  # it has read both files, and writes them when all are answered
        bad.unlink()
        other.write(first.answer(b"", b""))
        other.write(other.request().answer(b"", b""))
        assert process.wait() == 1
    said = process.stderr_text()
    assert f"Verified 12 exchanges: 10 held, 1 differed, 1 updated, {bad} was not changed" in said
    assert json.loads(good.read_text().splitlines()[1])["reply"] == {"data": "new"}


@pytest.mark.parametrize(
    ("options", "what"),
    [
        # An update of what was not verified.
        (("--update", "--fail-fast"), "--update and --fail-fast exclude each other"),
        (("--ignore-header", "Date:"), "invalid header name 'Date:' (--ignore-header)"),
    ],
)
def test_options_are_checked_before_connecting(
    runner: Runner, tmp_path: Path, options: tuple[str, ...], what: str
) -> None:
    file = write_by_hand(tmp_path / "hand.jsonl", 1)
    run = runner("verify", str(file), *options, server="nats://127.0.0.1:1")
    assert (run.status, run.errors) == (2, [f"pynats: error: {what}"])


@pytest.mark.parametrize("first", [b"", b"# by hand\r\n", b"\n"])
def test_an_update_keeps_a_byte_order_mark(
    runner: Runner, nats_server: Server, service: Service, tmp_path: Path, first: bytes
) -> None:
    file, begin = tmp_path / "hand.jsonl", b"\xef\xbb\xbf" + first
    held, other = by_hand(1).encode(), by_hand(0).encode()
    service.changes = {0: [({}, b"new")]}
    file.write_bytes(begin + held + b"\r\n" + other + b"\r\n")
    assert verify(runner, nats_server, file, "--update").status == 0
    assert file.read_bytes().startswith(begin + held + b'\r\n{"')
    assert b"new" in file.read_bytes()
    file.write_bytes(begin + other)
    assert verify(runner, nats_server, file, "--update").status == 0
    assert file.read_bytes().startswith(begin + b'{"')


def test_junit_is_read_by_a_parser_of_others(
    runner: Runner, nats_server: Server, service: Service, tmp_path: Path
) -> None:
    file, report = write_by_hand(tmp_path / "hand.jsonl", 60), tmp_path / "report.xml"
    service.changes = {0: [({}, b"<\x1b]&>")], 3: [({}, b"x")]}
    assert verify(runner, nats_server, file, "--junit", str(report)).status == 8
    suites = JUnitXml.fromfile(str(report))
    assert (suites.tests, suites.failures, suites.errors) == (60, 2, 0)
    cases = [case for suite in suites if isinstance(suite, TestSuite) for case in suite]
    assert len(cases) == 60
    failed = {case.name: case.result[0].message for case in cases if not case.is_passed}
    assert failed == {
        "svc.0 (line 2)": "payload: JSON was recorded, this is none",
        "svc.3 (line 5)": "payload: 0 bytes recorded, 1 came",
    }
    service.changes[7] = []
    updated = verify(runner, nats_server, file, "--update", "--timeout", "500ms", "--junit", str(report))
    assert (updated.status, JUnitXml.fromfile(str(report)).failures) == (8, 1)
    assert "<system-out>updated: payload: JSON was recorded, this is none</system-out>" in report.read_text()


def test_a_slow_reply_and_the_first_difference_end_it(
    runner: Runner, nats_server: Server, service: Service, tmp_path: Path
) -> None:
    file = write_by_hand(tmp_path / "hand.jsonl", 600)
    slow = verify(runner, nats_server, file, "--max-rtt", "1ns")
    assert slow.status == 8
    assert "the reply took" in slow.text
    first = verify(runner, nats_server, file, "--max-rtt", "1ns", "--fail-fast", "--concurrency", "1")
    assert first.status == 8
    assert first.text.count("DIFFERS") == 1
    assert first.errors[0] == "Verified 1 exchange: 0 held, 1 differed, 599 not verified"


def test_the_rate_is_kept(runner: Runner, nats_server: Server, service: Service, tmp_path: Path) -> None:
    file = write_by_hand(tmp_path / "hand.jsonl", 100)
    run = verify(runner, nats_server, file, "--rate", "200")
    assert run.status == 0
    assert run.seconds > 0.5
    assert 150 < float(run.errors[1].split()[0].replace(",", "")) < 260


def test_what_cannot_be_sent_is_counted_and_a_mistake_is_found_before_connecting(
    runner: Runner, nats_server: Server, service: Service, tmp_path: Path
) -> None:
    file = tmp_path / "mixed.jsonl"
    rules = ['{"subject": "svc.*", "reply": "x"}', '{"request": "x", "reply": "y"}']
    odd = json.dumps({"subject": "a b", "request": "", "reply": "", "time": "2026-01-01T00:00:00Z"})
    file.write_text("\n".join([*rules, odd, by_hand(1)]))
    run = verify(runner, nats_server, file)
    assert run.status == 0
    assert run.errors[1:4] == [
        f"Not sent: 1 without a request, as rules are ({file}, line 1)",
        f"Not sent: 1 without a subject ({file}, line 2)",
        f"Not sent: 1 with a subject that nothing can be sent to ({file}, line 3)",
    ]
    file.write_text("\n".join([by_hand(1), '{"subject": "svc.1", "request": "", "replies": 5}']))
    wrong = runner("verify", str(file), server="nats://127.0.0.1:1")
    assert (wrong.status, wrong.stderr) == (
        2, f"pynats: error: expected a list of replies ({file}, line 2, column 48)\n"
    )  # fmt: skip
    for path, why in (
        ("$..[", ", column 5)"),
        ("", ": it is empty (--ignore)"),
        (" ", ": it is empty (--ignore)"),
    ):
        run = runner("verify", str(file), "--ignore", path, server="nats://127.0.0.1:1")
        assert run.status == 2
        assert f"not a JSONPath: {path!r}" in run.errors[0]
        assert run.errors[0].endswith(why)


def test_what_the_server_would_not_take_is_named_and_the_rest_is_verified(
    runner: Runner, server_factory: Callable[..., Server], tmp_path: Path
) -> None:
    server, file = server_factory("max_payload: 1000"), tmp_path / "large.jsonl"
    with Service(server):
        large = json.dumps({"subject": "svc.1", "request": "x" * 1100, "reply": "y"})
        headers_too = json.dumps(
            {"subject": "svc.1", "request": {"headers": {"A": "x" * 1001}}, "reply": "y"}
        )
        file.write_text("\n".join([by_hand(1), large, by_hand(3), headers_too, by_hand(5)]))
        for how in ((), ("--concurrency", "1")):
            run = verify(runner, server, file, *how)
            assert (run.status, run.stdout) == (0, b"")
            assert (
                f"not sent: the request has 1100 bytes, the server takes 1000 ({file}, line 2)"
                in run.errors[0]
            )
            assert run.errors[1].endswith(f"({file}, line 4)")
            assert run.errors[2:4] == [
                "Verified 3 exchanges: 3 held",
                "Not sent: 2 that the server would not take",
            ]
        file.write_text(large)
        none = verify(runner, server, file)
        assert (none.status, none.errors[-1]) == (
            2, f"pynats: error: no request to send: 1 that the server would not take ({file})"
        )  # fmt: skip


def test_what_cannot_be_ignored_or_compared_by_value_differs_and_the_rest_is_verified(
    runner: Runner, nats_server: Server, service: Service, tmp_path: Path
) -> None:
    file, report, page = (tmp_path / name for name in ("odd.jsonl", "odd.xml", "odd.html"))
    changes = {
        1: (b'{"x": 1}', b'{"x": ' + b"[" * 150 + b"]" * 150 + b"}"),
        2: (b"[" * 900 + b"]" * 900, b"[" * 900 + b"1" + b"]" * 900),
        3: (b'"see [1"', b'"see [2"'),
        4: (b'{"k.x": 1}', b'{"k.x": 2}'),
        5: (b'{"u": 1}', b'{"u": 2}'),
    }
    lines = [
        {"subject": f"svc.{number}", "request": "", "reply": {"data": recorded.decode()}}
        for number, (recorded, _) in changes.items()
    ]
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    service.changes = {number: [({}, came)] for number, (_, came) in changes.items()}
    options = ("--ignore", "$.u", "--ignore", "$..[?@.v]", "--junit", str(report), "--report", str(page))
    run = verify(runner, nats_server, file, *options)
    assert (run.status, run.errors[0]) == (8, "Verified 5 exchanges: 1 held, 4 differed")
    assert "(nothing is left out: nested too deeply for --ignore)" in run.text
    assert '$ is "see [2", not "see [1"' in run.text
    assert "$['k.x'] is 2, not 1" in run.text
    assert JUnitXml.fromfile(str(report)).failures == 4
    assert verify(runner, nats_server, file, "--ignore", "$['k.x']").errors[0].endswith("1 held, 4 differed")


def test_large_json_is_compared_by_value_while_others_are_answered(
    runner: Runner, server_factory: Callable[..., Server], tmp_path: Path
) -> None:
    server, file = server_factory("max_payload: 8000000"), tmp_path / "large.jsonl"
    rows = [{"id": n, "at": "a", "tags": [n, "x"]} for n in range(60_000)]
    recorded = json.dumps({"rows": rows}).encode()
    came = json.dumps({"rows": [{"tags": row["tags"], "id": row["id"], "at": "b"} for row in rows]}).encode()
    assert len(recorded) > 2_000_000
    lines = [{"subject": f"svc.{n}", "request": "", "reply": {"data": "small"}} for n in range(100)]
    lines[50]["reply"] = {"data": recorded.decode()}
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    with Service(server) as service:
        service.changes = {**{n: [({}, b"small")] for n in range(100)}, 50: [({}, came)]}
        held = verify(runner, server, file, "--ignore", "$.rows[*].at")
        assert (held.status, held.errors[0]) == (0, "Verified 100 exchanges: 100 held")
        assert verify(runner, server, file, "--match", "shape").status == 0
        other = verify(runner, server, file, "--fail-fast", "--concurrency", "1")
        assert other.status == 8
        assert 'payload: $.rows[0].at is "b", not "a", $.rows[1].at is' in other.text


def test_recordings_come_through_a_pipe(
    runner: Runner, nats_server: Server, service: Service, tmp_path: Path
) -> None:
    run = runner("verify", "-", server=nats_server, stdin=f"{by_hand(1)}\n{by_hand(5)}".encode())
    assert (run.status, run.errors[0]) == (0, "Verified 2 exchanges: 2 held")


def test_any_number_of_exchanges_takes_little_memory(
    runner: Runner, spawn: Callable[..., Program], nats_server: Server, tmp_path: Path
) -> None:
    count, file, peak = 40_000, tmp_path / "many.jsonl", tmp_path / "peak"
    with file.open("w") as out:
        for number in range(count):
            record = {"subject": "many", "request": {"data": f"{number} " * 20}, "reply": {"data": "OK"}}
            out.write(json.dumps(record) + "\n")
    spawn("reply", "many", "OK", "--quiet", server=nats_server, ready="")
    with Asker(nats_server) as asker:
        asker.wait_for_responder("many")
    arguments = ["verify", str(file), "--concurrency", "64"]
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(peak), *arguments],
        env={**runner.environ, "NATS_URL": nats_server.url}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")
    assert f"{count:,} held" in done.stderr
    assert int(peak.read_text()) < 60_000


PEAK = """
import pathlib, sys
from natscli.cli.root import run
from natscli.environment import Environment

status = run(sys.argv[2:], Environment.current())
peak = pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]  # a child's own
pathlib.Path(sys.argv[1]).write_text(peak)
sys.exit(status)
"""
