"""`pynats verify` when comparing itself fails: it ends at once, and says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.leftovers import record
from tests.program import Runner
from tests.servers import Server
from tests.verify.service import Service

#: Comparing fails for the reply to `svc.2`.
PROGRAM = """
from natscli.message.records.compare import Comparison

compare = Comparison.differences

def differences(self, exchange, answers, **more):
    if exchange.subject == b"svc.2":
        raise LookupError("no such thing")
    return compare(self, exchange, answers, **more)

Comparison.differences = differences
from natscli.__main__ import main

main()
"""


@pytest.mark.parametrize("size", [10, 200_000], ids=["at once", "in a thread"])
@pytest.mark.parametrize("replies", [0, 1])
def test_a_comparison_that_fails_ends_the_run_and_its_case_is_not_verified(
    runner: Runner, nats_server: Server, tmp_path: Path, size: int, replies: int
) -> None:
    file, junit = tmp_path / "calls.jsonl", tmp_path / "junit.xml"
    reply = "x" * size
    numbers = range(1, 5)
    file.write_text(
        "".join(f"{json.dumps({'subject': f'svc.{n}', 'request': '', 'reply': reply})}\n" for n in numbers)
    )
    command = ("verify", str(file), "--json", "--timeout", "500ms", "--junit", str(junit))
    with Service(nats_server) as service:
        service.changes = {n: [({}, reply.encode())] for n in numbers}
        service.changes[2] = [({}, reply.encode())] * replies
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM, *command], env={**runner.environ, "NATS_URL": nats_server.url},
            cwd=runner.directory, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
    record((run.stdout + run.stderr).encode(), command)
    assert run.returncode == 1, run.stderr
    errors = [line for line in run.stderr.splitlines() if "error: " in line]
    assert errors == ["pynats: error: LookupError: no such thing"]
    results = [json.loads(line) for line in run.stdout.splitlines()]
    assert {(result["outcome"], result["subject"]) for result in results} <= {
        ("held", f"svc.{n}") for n in numbers if n != 2
    }
    assert f"{len(results)} held, {4 - len(results)} not verified" in run.stderr
    assert "fail-fast" not in run.stderr + junit.read_text()
    assert 'message="LookupError: no such thing; not verified: ' in junit.read_text()
