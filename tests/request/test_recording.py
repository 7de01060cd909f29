"""`pynats request --record`: what was asked and answered, for verify and reply --mock."""

from __future__ import annotations

import json
import stat
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.program import Program, Runner
from tests.request.responders import Answer, Responders, silent
from tests.servers import Server


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_requests_are_recorded_verified_and_mocked(
    runner: Runner, spawn: Callable[..., Program], nats_server: Server, tmp_path: Path
) -> None:
    name, file = tmp_path.name, tmp_path / "calls.jsonl"
    service = spawn("reply", f"{name}.*", "{{1}} {{Request}}", "-H", "A:1", server=nats_server)
    done = runner("request", f"{name}.{{{{Count}}}}", "hi {{Count}}", "-H", "B:2", "--count", "50", "--concurrency",
                  "8", "--record", str(file), server=nats_server)  # fmt: skip
    assert done.status == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    recorded = lines(file)
    assert {line["subject"] for line in recorded} == {f"{name}.{number}" for number in range(1, 51)}
    first = next(line for line in recorded if line["subject"] == f"{name}.1")
    assert first["request"] == {"headers": [["B", "2"]], "data": "hi 1"}
    assert first["reply"] == {"headers": [["A", "1"]], "data": "1 hi 1"}
    assert isinstance(first["rtt_ns"], int)
    assert runner("verify", str(file), server=nats_server).errors[0] == "Verified 50 exchanges: 50 held"
    assert service.stop() == 0
    spawn("reply", "--mock", str(file), server=nats_server)
    assert runner("verify", str(file), server=nats_server).status == 0


def test_failures_and_several_replies_are_recorded_as_what_they_are(
    runner: Runner, nats_server: Server, responders: Responders, tmp_path: Path
) -> None:
    file = tmp_path / "calls.jsonl"

    def record(*arguments: str, status: int) -> dict[str, object]:
        done = runner("request", *arguments, "--record", str(file), server=nats_server)
        assert done.status == status
        return lines(file)[-1]

    nobody = record(f"{tmp_path.name}.nobody", "x", status=3)
    assert (nobody["reply"], nobody["outcome"]) == (None, "no_responders")
    hears = responders(silent)
    never = record(hears, "x", "--timeout", "100ms", status=4)
    assert never["reply"] is None
    assert "outcome" not in never
    for _ in range(2):
        runner.spawn("reply", f"{tmp_path.name}.all", "me", "--queue", "", server=nats_server)
    several = record(f"{tmp_path.name}.all", "x", "--replies", "0", "--timeout", "300ms", status=0)
    replies = several["replies"]
    assert isinstance(replies, list)
    assert [reply["data"] for reply in replies] == ["me", "me"]


def test_a_recording_on_stdout_has_nothing_else_in_it(
    runner: Runner, spawn: Callable[..., Program], nats_server: Server, tmp_path: Path
) -> None:
    spawn("reply", tmp_path.name, "OK", server=nats_server)
    done = runner("request", tmp_path.name, "hi", "--record", "-", server=nats_server)
    assert [record["reply"] for record in done.objects] == [{"data": "OK"}]


@pytest.mark.parametrize("data", [["1", "2", ""], [""]])
def test_the_empty_reply_at_the_end_is_recorded_and_is_no_reply_elsewhere(
    runner: Runner, nats_server: Server, responders: Responders, tmp_path: Path, data: list[str]
) -> None:
    file, seen = tmp_path / "calls.jsonl", tmp_path / "seen.jsonl"
    subject = responders(lambda request: [text.encode() for text in data], f"{tmp_path.name}.several")
    watch = runner.spawn("watch", subject, "--record", str(seen), server=nats_server, ready="Watching")
    ask = ("request", subject, "x", "--wait-for-empty")
    plain = runner(*ask, "--json", server=nats_server)
    assert plain.status == 0
    assert [reply["data"] for reply in plain.objects] == data[:-1]
    for more in (("--json",), ("--query", "size", "--expect", "size == 1"), ("--count", "1")):
        without, kept = (
            runner(*ask, *more, *recorded, server=nats_server) for recorded in ((), ("--record", str(file)))
        )
        assert (without.status, kept.status) == (0, 0)
        assert kept.stdout.count(b"\n") == without.stdout.count(b"\n") == len(data) - 1
    assert watch.stop() == 0
    assert len(lines(seen)) == 7
    assert {data_of(line) for path in (file, seen) for line in lines(path)} == {tuple(data)}
    assert runner("verify", str(file), server=nats_server).errors[0] == "Verified 3 exchanges: 3 held"
    mocked = f"{subject}.mocked"
    file.write_text(file.read_text().replace(subject, mocked))
    runner.spawn("reply", "--mock", str(file), server=nats_server)
    run = runner("request", mocked, *ask[2:], "--json", server=nats_server)
    assert (run.status, [reply["data"] for reply in run.objects]) == (0, data[:-1])
    assert runner("verify", str(file), server=nats_server).status == 0


def data_of(record: dict[str, Any]) -> tuple[str, ...]:
    """The payloads of the replies of a record."""
    replies: list[dict[str, str]] = record["replies"] if "replies" in record else [record["reply"]]
    return tuple(reply["data"] for reply in replies)


def test_a_single_empty_reply_is_recorded_for_what_it_is(
    runner: Runner, nats_server: Server, responders: Responders, tmp_path: Path
) -> None:
    file, subject = tmp_path / "calls.jsonl", responders(lambda request: [b""])
    for how in ((), ("--replies", "0", "--timeout", "200ms"), ("--first", "1"), ("--wait-for-empty",)):
        assert runner("request", subject, "x", *how, "--record", str(file), server=nats_server).status == 0
    assert [data_of(line) for line in lines(file)] == [("",)] * 4
    assert runner("verify", str(file), server=nats_server).status == 0


@pytest.mark.parametrize(
    "block", [b"NATS/1.0\r\nA: b\r\n", b"NATS/1.0\nA: b\n\n", b"nats/1.0 204 No\r\n\r\n", b"x"]
)
def test_header_blocks_that_are_against_the_protocol_are_recorded_read_and_sent_again(
    runner: Runner, nats_server: Server, responders: Responders, tmp_path: Path, block: bytes
) -> None:
    file, seen = tmp_path / "calls.jsonl", tmp_path / "seen.jsonl"
    subject = responders(lambda request: [Answer(b"y", block)], tmp_path.name)
    watch = runner.spawn("watch", subject, "--record", str(seen), server=nats_server, ready="Watching")
    assert runner("request", subject, "x", "--record", str(file), server=nats_server).status == 0
    assert watch.stop() == 0
    for path in (file, seen):
        assert b64decode(lines(path)[0]["reply"]["headers_base64"]) == block
        assert runner("verify", str(path), server=nats_server).status == 0
        shown = runner("watch", "--read", str(path))
        assert (shown.status, shown.errors[-1]) == (0, "Seen 1 exchange (1 answered)")
    mocked = f"{subject}.mocked"
    file.write_text(file.read_text().replace(subject, mocked))
    runner.spawn("reply", "--mock", str(file), server=nats_server)
    assert runner("verify", str(file), server=nats_server).status == 0
