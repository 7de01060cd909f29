"""Requests from several processes: shares, sums, and what happens when they end early."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.program import Program, Run, Runner, one_password
from tests.request.responders import Responders
from tests.servers import Server, free_port, process_exists

Measure = Callable[..., dict[str, Any]]


@pytest.fixture
def measure(pynats: Runner, nats_server: Server, tmp_path: Path) -> Measure:
    """Runs `pynats request --processes 2` and gives the summary as written for programs."""

    def run(*arguments: str, status: int = 0, **how: Any) -> dict[str, Any]:
        file = tmp_path / "summary.json"
        done = pynats(
            "request", *arguments, "--processes", "2", "--summary-json", str(file), server=nats_server, **how
        )
        assert done.status == status, done.stderr
        assert done.stdout == b""
        found = json.loads(file.read_text())
        assert isinstance(found, dict)
        return found

    return run


def children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], stdout=subprocess.PIPE, check=False).stdout.split()
    return [int(child) for child in found]


def test_a_count_is_shared_and_every_number_is_sent_once(measure: Measure, responders: Responders) -> None:
    summary = measure(responders(), "{{Count}}", "--count", "101", "--warmup", "10", "--concurrency", "4")
    assert sorted(int(request.payload) for request in responders.requests) == list(range(1, 112))
    assert (summary["sent"], summary["answered"], summary["failed"]) == (101, 101, 0)
    assert summary["rtt_ns"]["p50"] > 0


def test_a_secret_is_asked_for_once(
    pynats: Runner, spawn: Callable[..., Program], server_factory: Callable[..., Server], tmp_path: Path
) -> None:
    server = server_factory('authorization { token: "s3cr3t-op" }')
    spawn("reply", "x", "OK", "--token", "s3cr3t-op", server=server)
    env = {"PATH": one_password(pynats, tmp_path)}
    run = pynats(
        "request", "x", "hi", "--count", "4", "--processes", "2", "--token", "op://vault/nats/token",
        server=server, env=env,
    )  # fmt: skip
    assert (run.status, run.errors[-3]) == (0, "Sent 4, answered 4, failed 0"), run.stderr
    assert (tmp_path / "asked").read_text() == "+\n"


def test_a_rate_is_that_of_all_together(measure: Measure, responders: Responders) -> None:
    for _ in range(3):
        summary = measure(responders(), "x", "--rate", "400", "--duration", "2s")
        if summary["sent"] == 800 and summary["rate"] == pytest.approx(400, rel=0.03):
            return
    raise AssertionError(summary)


def test_a_body_from_standard_input_goes_to_all(measure: Measure, responders: Responders) -> None:
    measure(responders(), "--count", "4", stdin=b"the body {{Count}}")
    assert [request.payload for request in responders.requests] == [b"the body {{Count}}"] * 4


def test_failures_are_summed_up_and_give_the_status(measure: Measure) -> None:
    summary = measure("nobody.there", "x", "--count", "10", status=3)
    assert summary["failures"] == {"no_responders": {"count": 10, "example": "no responders (nobody.there)"}}


def test_each_kind_of_failure_has_an_example(pynats: Runner, nats_server: Server) -> None:
    options = ("--count", "10", "--processes", "2")
    run = pynats("request", "nobody.there", "x", *options, server=nats_server)
    assert run.status == 3
    assert any("no responders (nobody.there)" in line for line in run.errors), run.stderr
    run = pynats("request", "nobody.there", "x", *options, "--quiet", server=nats_server)
    assert (run.status, run.errors) == (3, ["pynats: error: no responders (nobody.there)"])


def test_a_server_that_is_away_is_one_error(pynats: Runner) -> None:
    nowhere = f"nats://127.0.0.1:{free_port()}"
    run = pynats("request", "s", "x", "--count", "9", "--processes", "2", server=nowhere)
    assert run.status == 5
    assert run.stderr.count("nothing listens there") == 1
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_with_the_summary(
    spawn: Callable[..., Program], nats_server: Server, responders: Responders, tmp_path: Path, number: int
) -> None:
    file = tmp_path / "summary.json"
    program = spawn("request", responders(), "x", "--duration", "60s", "--processes", "2",
                    "--summary-json", str(file), server=nats_server)  # fmt: skip
    program.wait_until(lambda: len(responders.requests) > 100, "some requests")
    started = children(program.pid)
    assert len(started) >= 2
    assert program.stop(number) == 130
    summary = json.loads(file.read_text())
    assert summary["sent"] == summary["answered"] + summary["failed"] + summary["in_flight"] >= 100
    until_gone(started)
    assert "leaked" not in program.stderr_text()  # as multiprocessing complains of semaphores


def until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 20
    while left := [pid for pid in pids if process_exists(pid)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def test_a_process_that_is_killed_is_an_error(
    spawn: Callable[..., Program], nats_server: Server, responders: Responders
) -> None:
    program = spawn("request", responders(), "x", "--duration", "3s", "--processes", "2", server=nats_server)
    program.wait_until(lambda: len(responders.requests) > 100, "some requests")
    os.kill(
        next(pid for pid in children(program.pid) if b"resource_tracker" not in command_of(pid)),
        signal.SIGKILL,
    )
    assert program.wait() == 1
    assert "was killed by signal 9" in program.stderr_text()
    assert "Sent" in program.stderr_text()


def test_processes_end_with_their_parent(
    spawn: Callable[..., Program], nats_server: Server, responders: Responders
) -> None:
    program = spawn("request", responders(), "x", "--duration", "60s", "--processes", "2", server=nats_server)
    program.wait_until(lambda: len(responders.requests) > 100, "some requests")
    started = children(program.pid)
    program.send_signal(signal.SIGKILL)
    program.wait()
    until_gone(started)
    assert "Traceback" not in program.stderr_text()


def test_no_secret_is_in_the_command_lines(
    spawn: Callable[..., Program],
    server_factory: Callable[..., Server],
    responders_on: Callable[..., Responders],
) -> None:
    server = server_factory("authorization { user: joe, password: s3cr3t-planted }")
    responders = Responders(server.url, user="joe", password="s3cr3t-planted")
    try:
        program = spawn("request", responders(), "x", "--duration", "60s", "--processes", "2", "--user", "joe",
                        "--password", "s3cr3t-planted", server=server)  # fmt: skip
        program.wait_until(lambda: len(responders.requests) > 10, "some requests")
        for pid in children(program.pid):
            assert b"s3cr3t-planted" not in command_of(pid)
    finally:
        responders.close()


def command_of(pid: int) -> bytes:
    return subprocess.run(
        ["ps", "-ww", "-o", "args=", "-p", str(pid)], stdout=subprocess.PIPE, check=False
    ).stdout


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--json"], "--processes and --json exclude each other"),
        (["--raw"], "--processes and --raw exclude each other"),
        (["-o", "f-{n}"], "--processes and --output exclude each other"),
        (["--translate", "cat"], "--processes and --translate exclude each other"),
        (["--timings"], "--processes and --timings exclude each other"),
        (["--verbose"], "--processes and --verbose exclude each other"),
        (["--fail-fast"], "--processes and --fail-fast exclude each other"),
        (
            ["--concurrency", "1"],
            "--concurrency is for all processes: give at least one for each (--processes)",
        ),
    ],
)
def test_what_cannot_be_shared_is_refused(pynats: Runner, arguments: list[str], error: str) -> None:
    run: Run = pynats(
        "request", "s", "x", "--count", "9", "--processes", "2", *arguments, server="nats://127.0.0.1:1"
    )
    assert (run.status, run.errors[0]) == (2, f"pynats: error: {error}")


def test_one_request_needs_no_processes(pynats: Runner) -> None:
    run = pynats("request", "s", "x", "--processes", "2", server="nats://127.0.0.1:1")
    assert (run.status, run.errors[0]) == (2, "pynats: error: --processes needs --count or --duration")
