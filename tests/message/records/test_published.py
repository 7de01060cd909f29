"""A message that was published is no request, though `reply --json` shows it: nothing asks it again, or answers so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from natscli.message.records.content import NoRequest
from natscli.message.records.reading import as_record
from tests.program import Runner
from tests.servers import Server


@pytest.fixture
def seen(runner: Runner, nats_server: Server, tmp_path: Path) -> Path:
    """What `reply --json` has written of a message and a request with the same payload."""
    subject, file = tmp_path.name, tmp_path / "seen.jsonl"
    reply = runner.spawn("reply", subject, "OK", "--json", server=nats_server)
    assert runner("publish", subject, "hi", server=nats_server).status == 0
    assert runner("request", subject, "hi", server=nats_server).status == 0
    assert reply.stop() == 0
    file.write_bytes(reply.stdout_bytes())
    outcomes = [json.loads(line)["outcome"] for line in file.read_text().splitlines()]
    assert outcomes == ["unanswered", "answered"]
    return file


def test_it_is_not_sent_and_not_shown(runner: Runner, nats_server: Server, seen: Path) -> None:
    runner.spawn("reply", seen.parent.name, "OK", server=nats_server)
    run = runner("verify", str(seen), server=nats_server)
    assert (run.status, run.errors[0]) == (0, "Verified 1 exchange: 1 held")
    assert run.errors[1] == f"Not sent: 1 that asked for no reply ({seen}, line 1)"
    shown = runner("watch", "--read", str(seen), "--json")
    assert [each["outcome"] for each in shown.objects] == ["answered"]
    assert f"Left out: 1 that asked for no reply ({seen}, line 1)" in shown.errors


def test_a_mock_answers_as_the_request_was(runner: Runner, nats_server: Server, seen: Path) -> None:
    mock = runner.spawn("reply", "--mock", str(seen), server=nats_server)
    run = runner("request", seen.parent.name, "hi", "--raw", server=nats_server)
    assert (run.status, run.stdout) == (0, b"OK")
    assert f"left out: 1 that asked for no reply ({seen}, line 1)" in mock.stderr_text()


def test_only_a_record_that_says_so_is_none() -> None:
    silent = {"subject": "a", "request": "x", "reply": None}
    for to in (None, ""):
        with pytest.raises(NoRequest):
            as_record({**silent, "reply_to": to})
    for record in (silent, {**silent, "reply_to": "_INBOX.1"}, {**silent, "reply_to": None, "reply": ""}):
        assert as_record(record) == record
