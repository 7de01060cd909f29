"""`pynats verify` ends when what it writes cannot be written."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.asking import Asker
from tests.program import Program, Runner
from tests.servers import Server
from tests.starting import start

COUNT = 20_000


@pytest.fixture
def file(tmp_path: Path, spawn: Callable[..., Program], nats_server: Server) -> Path:
    """Many exchanges, and who answers as recorded."""
    file = tmp_path / "calls.jsonl"
    file.write_text((json.dumps({"subject": tmp_path.name, "request": "x", "reply": "OK"}) + "\n") * COUNT)
    spawn("reply", tmp_path.name, "OK", "--quiet", server=nats_server, ready="")
    with Asker(nats_server) as asker:
        asker.wait_for_responder(tmp_path.name)
    return file


def assert_stopped(status: int, errors: list[str], why: str) -> None:
    """It ended early, and said why."""
    done = int(errors[0].removeprefix("Verified ").split()[0].replace(",", ""))
    assert 0 < done < COUNT
    assert (status, errors[-1]) == (1, f"pynats: error: {why}")


def test_a_reader_that_goes_away_ends_it(runner: Runner, nats_server: Server, file: Path) -> None:
    process = start(
        ["verify", str(file), "--json"], {**runner.environ, "NATS_URL": nats_server.url},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    assert b'"held"' in process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read().decode().splitlines()
    process.stderr.close()
    assert_stopped(process.wait(30), errors, "the output was closed by its reader")


def test_a_full_disk_ends_it(runner: Runner, nats_server: Server, file: Path) -> None:
    with open("/dev/full", "wb") as full:
        process = start(
            ["verify", str(file), "--json"], {**runner.environ, "NATS_URL": nats_server.url},
            stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE,
        )  # fmt: skip
    errors = process.communicate(timeout=30)[1].decode().splitlines()
    assert_stopped(process.returncode, errors, "no space left on device (stdout)")
