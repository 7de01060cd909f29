"""`pynats reply --upstream --candidate`: answers from one service, and says where another differs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
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
    assert (other["via"], other["reply"]) == (f"{name}.ask.7", {"data": '{"n": 7, "at": 1, "ok": false}'})


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


def test_a_candidate_that_is_listened_on_or_alone_is_refused(runner: Runner) -> None:
    same = runner(
        "reply", "a.*", "--upstream", "b.{{1}}", "--candidate", "a.{{1}}", server="nats://127.0.0.1:1"
    )
    assert (same.status, "would come back (--candidate)" in same.stderr) == (2, True)
    alone = runner("reply", "a.*", "--candidate", "c", server="nats://127.0.0.1:1")
    assert alone.status == 2
    assert re.search("--candidate needs --upstream", alone.stderr)
