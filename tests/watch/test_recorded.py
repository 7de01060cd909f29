"""`watch --read` shows a recording as if it were seen now; nothing connects."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.peers import Peers, echo, never
from tests.program import Program, Runner
from tests.servers import Server
from tests.verify.test_verify import PEAK

Spawn = Callable[..., Program]
#: Where nothing listens: whoever connects fails with 5.
NOBODY = "nats://127.0.0.1:1"
EXCHANGES = (
    {"time": "2026-01-02T03:04:05Z", "rtt_ns": 2_000_000, "subject": "o.new", "request": {"data": '{"n": 1}'},
     "reply": {"headers": [["Responder", "a"]], "data": "one"}},
    {"time": "2026-01-02T03:04:06Z", "subject": "o.hold", "request": {"data": '{"n": 2}'}, "reply": None},
    {"time": "2026-01-02T03:04:09Z", "subject": "o.gone", "request": {"data": "x"}, "reply": None,
     "outcome": "no_responders"},
    {"rtt_ns": 200_000_000, "subject": "o.new", "request": {"data_base64": "/w=="},
     "reply": {"status": 404, "error": "no such thing"}},
)  # fmt: skip


def written(tmp_path: Path, *records: Any) -> str:
    file = tmp_path / "seen.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records or EXCHANGES))
    return str(file)


def has_lines(program: Program, count: int) -> bool:
    return program.stdout_bytes().count(b"\n") == count


def shown(run: Any) -> list[int]:
    return [json.loads(line)["number"] for line in run.lines]


def test_each_exchange_is_a_line_as_if_it_were_seen_now(pynats: Runner, tmp_path: Path) -> None:
    run = pynats("watch", "--read", written(tmp_path), server=NOBODY, env={"TZ": "UTC"})
    assert run.lines == [
        '03:04:05 [#1] o.new  2ms from a  8 B -> 3 B  {"n": 1} -> one',
        '03:04:06 [#2] o.hold  unanswered  8 B  {"n": 2}',
        "03:04:09 [#3] o.gone  no responders  1 B  x",
        "--:--:-- [#4] o.new  200ms, error 404: no such thing  1 B -> 0 B  \\xff -> ",
    ]
    assert run.errors == ["Seen 4 exchanges (1 answered, 1 with errors, 1 unanswered, 1 without responders)"]
    assert run.status == 0


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (("o.new",), [1, 4]),
        (("o.*", "--slow", "100ms"), [4]),
        (("--errors", "--unanswered"), [2, 3, 4]),
        (("--where", 'request.json["n"] == 2'), [2]),
        (("--count", "2"), [1, 2]),
        (("nothing.>",), []),
    ],
)
def test_what_selects_exchanges_selects_those_of_a_recording(
    pynats: Runner, tmp_path: Path, options: tuple[str, ...], numbers: list[int]
) -> None:
    run = pynats("watch", "--read", written(tmp_path), "--json", *options, server=NOBODY)
    assert (run.status, shown(run)) == (0, numbers)


def test_rates_are_of_the_time_in_the_recording(pynats: Runner, tmp_path: Path) -> None:
    run = pynats("watch", "--read", written(tmp_path), "--stats", "--json", server=NOBODY)
    rows = {row["subject"]: row for row in run.objects}
    assert (rows["o.new"]["exchanges"], rows["o.new"]["rate"], rows["o.new"]["errors"]) == (2, 0.5, 1)
    assert rows["o.new"]["max_ns"] == 200_000_000
    assert (rows["o.hold"]["unanswered"], rows["o.gone"]["no_responders"]) == (1, 1)
    table = pynats("watch", "--read", written(tmp_path, EXCHANGES[3]), "--stats", server=NOBODY)
    assert re.split(r"  +", table.lines[-1].strip()) == ["o.new", "1", "0", "1", "200ms", "200ms", "200ms"]


def test_the_log_of_json_has_the_numbers_of_the_summary(pynats: Runner, tmp_path: Path) -> None:
    run = pynats("watch", "--read", written(tmp_path), "--errors", "--log", "json", server=NOBODY)
    (summary,) = [record["summary"] for record in map(json.loads, run.errors) if "summary" in record]
    assert summary == {
        "seen": 4, "shown": 1, "answered": 1, "error": 1, "unanswered": 1, "no_responders": 1,
        "not_followed": {"sampled": 0, "shed": 0, "crowded": 0, "shared": 0, "outside": 0, "interrupted": 0},
        "not_matched": {"strays": 0, "late": 0},
    }  # fmt: skip


@pytest.mark.parametrize("how", ["--record", "--json"])
def test_what_was_watched_is_read_as_it_was_shown(
    spawn: Spawn,
    server_factory: Callable[..., Server],
    peers: Peers,
    pynats: Runner,
    tmp_path: Path,
    how: str,
) -> None:
    server = server_factory()
    client = peers.connect(server.url)
    peers.respond(client, "r.echo", echo)
    peers.respond(client, "r.never", never)
    file = tmp_path / "seen.jsonl"
    options = ("--record", "-") if how == "--record" else ("--json",)
    program = spawn(
        "watch", "r.>", *options, "--count", "3", "--timeout", "1s", server=server, ready="Watching ["
    )
    for subject, body in (("r.echo", b"\xff\0"), ("r.echo", b""), ("r.never", "é\n".encode())):
        peers.request(client, subject, body, timeout=0.05)
    assert program.wait() == 0
    file.write_bytes(program.stdout_bytes())
    again = pynats("watch", "--read", str(file), *options, server=NOBODY)
    assert again.stdout == program.stdout_bytes()


@pytest.mark.parametrize(
    ("line", "what", "column"),
    [
        ("{", "the file ends in the middle of an object", 1),
        ("nonsense", "not JSON", 1),
        ('{"subject": "a", "request": {"data": 5}, "reply": null}', "expected a string", 38),
        ('{"subject": "a", "request": {"data": ""}, "replies": 1}', "expected a list of replies", 54),
        ('{"subject": "\udcff"}', "not UTF-8", 14),
    ],
)
@pytest.mark.parametrize("where", ["file", "stdin"])
def test_a_broken_line_is_said_with_its_place_after_what_came_before(
    pynats: Runner, tmp_path: Path, line: str, what: str, column: int, where: str
) -> None:
    text = "".join(json.dumps(record) + "\n" for record in EXCHANGES) + line + "\n"
    data = text.encode(errors="surrogateescape")
    file = tmp_path / "seen.jsonl"
    file.write_bytes(data)
    if where == "file":
        run, name = pynats("watch", "--read", str(file), "--json", server=NOBODY), str(file)
    else:
        run, name = pynats("watch", "--read", "-", "--json", server=NOBODY, stdin=data), "stdin"
    assert run.status == 2
    assert shown(run) == [1, 2, 3, 4]
    [error] = [line for line in run.errors if "error:" in line]
    assert error.startswith(f"pynats: error: {what}")
    assert f"({name}, line 5, column {column})" in error or (what.startswith("the file") and name in error)


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        (("--count", "2"), "Seen 2 exchanges (1 answered, 1 unanswered)"),
        (("o.hold", "o.gone", "--count", "1"), "Seen 1 exchange (1 unanswered)"),
        (
            ("--unanswered", "--count", "2"),
            "Seen 3 exchanges (1 answered, 1 unanswered, 1 without responders), shown 2",
        ),
    ],
)
def test_with_a_count_what_was_seen_is_what_came_up_to_the_last_one_shown(
    pynats: Runner, tmp_path: Path, options: tuple[str, ...], seen: str
) -> None:
    rule = {"subject": "a", "reply": "x"}
    file = written(tmp_path, rule, *EXCHANGES, rule, {"subject": "a", "request": 5, "reply": ""})
    run = pynats("watch", "--read", file, *options, server=NOBODY)
    left_out = f"Left out: 1 without a request ({file}, line 1)"
    assert (run.status, run.errors) == (0, [seen, left_out])


def test_times_that_nothing_can_take_are_none(pynats: Runner, tmp_path: Path) -> None:
    odd = [{"subject": "a", "request": "", "reply": "", "rtt_ns": rtt} for rtt in (10**400, -5, 2**63)]
    for how in ((), ("--stats",), ("--json",)):
        run = pynats("watch", "--read", written(tmp_path, *odd), *how, server=NOBODY)
        assert (run.status, run.errors) == (0, ["Seen 3 exchanges (3 answered)"])


def test_rules_are_no_exchanges_and_counted(pynats: Runner, tmp_path: Path) -> None:
    file = written(tmp_path, {"subject": "a.*", "reply": "x"}, EXCHANGES[0], {"subject": "b", "reply": None})
    run = pynats("watch", "--read", file, "--json", server=NOBODY)
    assert (run.status, shown(run)) == (0, [1])
    assert run.errors[-1] == f"Left out: 2 without a request (the first: {file}, line 1)"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--server", NOBODY), "--server"),
        (("--timeout", "1s"), "--timeout"),
        (("--no-context",), "--no-context"),
        (("--answer-no-responders",), "--answer-no-responders"),
        (("--sample", "1%"), "--sample"),
        (("--reply-timeout", "1s"), "--reply-timeout"),
        (("--by", "responder"), "--by"),
        (("--stats", "--by", "nothing"), "--by"),
        (("--stats", "--by", "header:"), "--by"),
        (("--stats", "--by", "header:a b"), "--by"),
        (("a..b",), "a..b"),
    ],
)
def test_what_means_nothing_is_refused(
    pynats: Runner, tmp_path: Path, options: tuple[str, ...], named: str
) -> None:
    run = pynats("watch", "--read", written(tmp_path), *options)
    assert run.status == 2
    assert named in run.errors[0]
    assert run.lines == []


def test_a_recording_is_not_appended_to_itself_or_missing(pynats: Runner, tmp_path: Path) -> None:
    file = written(tmp_path)
    before = Path(file).read_bytes()
    run = pynats("watch", "--read", file, "--record", file)
    assert (run.status, run.errors) == (2, ["pynats: error: --read and --record are the same file"])
    assert Path(file).read_bytes() == before
    run = pynats("watch", "--read", str(tmp_path / "none"))
    assert (run.status, "cannot read" in run.errors[0]) == (2, True)
    run = pynats("watch")
    assert (run.status, run.errors[0]) == (2, "pynats: error: missing argument 'SUBJECT...'")


def test_a_part_of_a_recording_is_another(pynats: Runner, tmp_path: Path) -> None:
    file, part = written(tmp_path), tmp_path / "part.jsonl"
    assert pynats("watch", "o.new", "--read", file, "--record", str(part)).status == 0
    records = [json.loads(line) for line in part.read_text().splitlines()]
    assert [(r["subject"], r["reply"].get("data")) for r in records] == [("o.new", "one"), ("o.new", "")]


def test_what_comes_through_a_pipe_is_shown_at_once_and_a_signal_ends_it(spawn: Spawn) -> None:
    reader, writer = os.pipe()
    program = spawn("watch", "--read", "-", "--json", stdin=reader)
    os.close(reader)
    for count, record in enumerate(EXCHANGES, 1):
        os.write(writer, json.dumps(record).encode() + b"\n")
        program.wait_until(partial(has_lines, program, count), f"{count} exchanges")
    assert program.stop(signal.SIGINT) == 130
    assert "Seen 4 exchanges" in program.stderr_text()
    os.close(writer)


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="memory is read from /proc")
def test_a_large_recording_takes_little_memory_and_nothing_of_it_is_lost(
    pynats: Runner, tmp_path: Path
) -> None:
    file, count = tmp_path / "large.jsonl", 60_000
    line = json.dumps(EXCHANGES[0] | {"request": {"data": "x" * 1500}}).encode() + b"\n"
    file.write_bytes(line * count)
    peak = tmp_path / "peak"
    command = [sys.executable, "-c", PEAK, str(peak), "watch", "--read", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=pynats.environ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        lines = sum(1 for _ in run.stdout)
        said = run.stderr.read().decode()
    assert (run.returncode, lines, said) == (0, count, "Seen 60,000 exchanges (60,000 answered)\n")
    assert int(peak.read_text()) < 80_000
