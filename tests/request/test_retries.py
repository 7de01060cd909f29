"""Waiting for responders and servers, and sending again what failed."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from natscli.errors import ExitStatus, NoReplyError, NoRespondersError
from natscli.request.load import RETRY, Retries
from tests.asking import Asker
from tests.program import Program, Run, Runner, until
from tests.proxies import proxy
from tests.request.responders import Request, Responders, silent
from tests.servers import Server, free_port, nats_server_binary

Ask = Callable[..., Run]


def test_pauses_grow_from_10_to_250_ms() -> None:
    assert [round(RETRY.pause(attempt), 3) for attempt in range(1, 8)] == [
        0.01,
        0.02,
        0.04,
        0.08,
        0.16,
        0.25,
        0.25,
    ]


@pytest.mark.parametrize("times", [0, 1, 5, 10, 11, 100])
def test_pauses_together_are_the_sum_of_them(times: int) -> None:
    assert RETRY.together(times) == pytest.approx(sum(map(RETRY.pause, range(1, times + 1))))


def test_retrying_forever_begins_at_once(ask: Ask, responders: Responders) -> None:
    assert ask(responders(), "x", "--retries", "1000000000000", within=5).status == 0


def test_only_so_many_failures_of_these_kinds_are_retried() -> None:
    retries = Retries(2, frozenset({ExitStatus.TIMEOUT}))
    assert [retries.apply(NoReplyError("t"), attempts) for attempts in (1, 2, 3)] == [True, True, False]
    assert not retries.apply(NoRespondersError("n"), 1)
    assert (retries.reconnect, Retries(1).reconnect, Retries().reconnect) == (False, True, False)


def test_responders_that_come_later_are_waited_for(
    spawn: Callable[..., Program], nats_server: Server, responders: Responders
) -> None:
    def check() -> float:
        subject, came = f"t.later.{time.monotonic_ns()}", []

        def answer(request: Request) -> list[bytes]:
            came.append(time.monotonic())
            return [request.payload]

        waiting = ("--wait-for-responders", "20s")
        program = spawn("request", subject, "x", *waiting, server=nats_server, ready="Sending")
        time.sleep(0.7)  # without an end to their growth the next try would be half a second later
        responders(answer, subject)
        up = time.monotonic()
        assert (program.wait(), program.stdout_bytes()) == (0, b"x\n")
        return came[0] - up

    assert min(check() for _ in range(3)) < 0.3 + 0.1


def test_a_server_that_comes_later_is_waited_for(
    spawn: Callable[..., Program], tmp_path: Path, responders_on: Callable[..., Responders]
) -> None:
    port = free_port()
    program = spawn(
        "request", "t.up", "x", "--wait-for-responders", "20s", "--raw", server=f"nats://127.0.0.1:{port}"
    )
    time.sleep(0.5)
    with subprocess.Popen(
        [nats_server_binary(), "-a", "127.0.0.1", "-p", str(port)], stderr=subprocess.DEVNULL
    ) as up:
        try:
            time.sleep(0.5)
            server = type("Up", (), {"url": f"nats://127.0.0.1:{port}"})()
            responders_on(server)(subject="t.up")
            ready = time.monotonic()
            assert program.wait() == 0
            assert time.monotonic() - ready < 2
            assert program.stdout_bytes() == b"x"
        finally:
            up.kill()


def connections(server: Server) -> int:
    """How many the server has had, this one included."""
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        return int(json.loads(raw.makefile("rb").readline().removeprefix(b"INFO "))["client_id"])


@pytest.mark.parametrize(
    "options", [("--count", "1"), ("--count", "4", "--processes", "2")], ids=lambda o: o[-1]
)
def test_a_server_that_restarts_while_responders_are_waited_for_is_waited_for(
    spawn: Callable[..., Program],
    server_factory: Callable[..., Server],
    responders_on: Callable[..., Responders],
    tmp_path: Path,
    options: tuple[str, ...],
) -> None:
    server, summary = server_factory(), tmp_path / "summary.json"
    waiting = ("--wait-for-responders", "20s", "--summary-json", str(summary))
    before, looks = connections(server), count(1)
    program = spawn("request", "t.up", "x", *waiting, *options, server=server)
    wanted = 2 if "--processes" in options else 1
    until(lambda: connections(server) - next(looks) - before >= wanted, "requesters")
    server.restart()
    responders_on(server)(subject="t.up")
    assert program.wait() == 0, program.stderr_text()
    assert json.loads(summary.read_text())["answered"] == int(options[1])


def test_a_request_that_nobody_has_answered_is_asked_again_after_a_restart(
    spawn: Callable[..., Program], server_factory: Callable[..., Server]
) -> None:
    server = server_factory()
    with Asker(server) as quiet:
        quiet.listen("t.up")
        program = spawn(
            "request", "t.up", "x", "--wait-for-responders", "20s", "--timeout", "20s", server=server
        )
        quiet.request()
    server.restart()
    with Asker(server) as asker:
        asker.listen("t.up")
        asker.write(asker.request().answer(b"", b"at last"))
        assert program.wait() == 0, program.stderr_text()
    assert program.stdout_bytes() == b"at last\n"


def test_a_server_that_goes_away_and_stays_away_exits_5_when_the_time_is_over(
    spawn: Callable[..., Program], server_factory: Callable[..., Server]
) -> None:
    server = server_factory()
    program = spawn("request", "t.up", "x", "--wait-for-responders", "2s", server=server, ready="Sending")
    began = time.monotonic()
    server.stop()
    assert program.wait() == 5
    assert 1 < time.monotonic() - began < 5
    assert "the connection was lost" in program.stderr_text()


def test_when_responders_were_found_a_lost_connection_ends_the_run(
    spawn: Callable[..., Program],
    server_factory: Callable[..., Server],
    responders_on: Callable[..., Responders],
) -> None:
    server = server_factory()
    subject = responders_on(server)()
    program = spawn("request", subject, "x", "--wait-for-responders", "20s", "--raw", "--count", "1000000",
                    server=server)  # fmt: skip
    program.wait_until(lambda: len(program.stdout_bytes()) > 10, "replies")
    server.stop()
    assert program.wait() == 5
    assert "reconnecting" not in program.stderr_text()


@pytest.mark.parametrize(
    ("config", "arguments", "why"),
    [
        ("max_payload: 50", ("x" * 100,), "the request has 100 bytes, the server takes 50"),
        ("no_header_support: true", ("x", "-H", "A:1"), "the request has headers, the server supports none"),
    ],
)
def test_what_the_server_does_not_take_any_more_is_not_sent_again(
    spawn: Callable[..., Program],
    server_factory: Callable[..., Server],
    config: str,
    arguments: tuple[str, ...],
    why: str,
) -> None:
    server = server_factory()
    silent = spawn("subscribe", "t.silent", "--raw", server=server, ready="Subscribed")
    program = spawn("request", "t.silent", *arguments, "--retries", "9", "--timeout", "20s", server=server)
    silent.wait_until(lambda: silent.stdout_bytes() != b"", "the request")
    server.restart(config)
    assert program.wait() == 2
    assert why in program.stderr_text()
    assert "Violation" not in program.stderr_text() + server.log()


@pytest.mark.alone
def test_processes_wait_no_longer_for_a_server_and_responders_together(spawn: Callable[..., Program]) -> None:
    port, start = free_port(), time.monotonic()
    program = spawn("request", "t.up", "x", "--wait-for-responders", "5s", "--count", "2", "--processes", "2",
                    server=f"nats://127.0.0.1:{port}")  # fmt: skip
    time.sleep(4)
    began = time.monotonic()
    with subprocess.Popen(
        [nats_server_binary(), "-a", "127.0.0.1", "-p", str(port)], stderr=subprocess.DEVNULL
    ) as up:
        try:
            assert program.wait() == 3
            assert time.monotonic() - start > 5
            assert time.monotonic() - began < 5  # for both it would wait that long from now on
        finally:
            up.kill()


@pytest.mark.alone
def test_responders_that_never_come_exit_3_on_time(ask: Ask) -> None:
    run = ask("nobody.ever", "x", "--wait-for-responders", "1s", "--count", "5", within=2.5)
    assert run.status == 3
    assert run.seconds > 1
    assert run.errors[0] == "pynats: error: [#1] no responders (nobody.ever)"
    assert re.fullmatch(r"Sent 1, answered 0, failed 1 \(1 no responders\), \d+ sent again", run.errors[1])


@pytest.mark.parametrize("option", [("--retries", "1"), ("--wait-for-responders", "300ms")])
def test_waiting_takes_no_time_from_connecting(
    pynats: Runner, nats_server: Server, responders: Responders, option: tuple[str, ...]
) -> None:
    """As behind a WAN: each read takes a moment, so that connecting takes longer than the pauses together."""
    subject = responders()
    with proxy(nats_server.port, delay=0.3) as far:
        run = pynats("request", subject, "x", "--raw", *option, server=f"nats://127.0.0.1:{far.port}")
        assert (run.status, run.stdout) == (0, b"x"), run.stderr
        assert run.seconds > 0.6


def test_a_server_that_never_comes_exits_5_on_time(pynats: Runner) -> None:
    nowhere = f"nats://127.0.0.1:{free_port()}"
    run = pynats("request", "s", "x", "--wait-for-responders", "1s", server=nowhere, within=2.5)
    assert (run.status, run.seconds > 1) == (5, True)


def test_the_rest_is_sent_when_there_are_responders(ask: Ask, responders: Responders) -> None:
    run = ask(
        responders(),
        "{{Count}}",
        "--wait-for-responders",
        "5s",
        "--count",
        "20",
        "--concurrency",
        "4",
        "--raw",
    )
    assert (run.status, sorted(map(int, run.lines))) == (0, list(range(1, 21)))


def test_a_request_is_sent_again_when_there_were_no_responders(
    spawn: Callable[..., Program], nats_server: Server, responders: Responders
) -> None:
    program = spawn("request", "t.again", "x", "--retries", "100", "--raw", server=nats_server)
    time.sleep(0.7)
    responders(subject="t.again")
    assert (program.wait(), program.stdout_bytes()) == (0, b"x")


def test_a_time_out_is_retried_when_asked_for(ask: Ask, responders: Responders) -> None:
    def second_time(request: Request) -> list[bytes]:
        return [b"OK"] if len(responders.requests) > 1 else []

    subject = responders(second_time)
    run = ask(subject, "x", "--timeout", "200ms", "--retries", "3", "--retry-on", "timeout")
    assert (run.status, run.lines, len(responders.requests)) == (0, ["OK"], 2)
    responders.requests.clear()
    assert ask(subject, "x", "--timeout", "200ms", "--retries", "3").status == 4
    assert len(responders.requests) == 1


def test_retries_that_are_used_up_exit_with_the_failure(ask: Ask, responders: Responders) -> None:
    run = ask(
        responders(silent),
        "x",
        "--timeout",
        "100ms",
        "--retries",
        "2",
        "--retry-on",
        "timeout",
        "--count",
        "1",
    )
    assert (run.status, len(responders.requests)) == (4, 3)
    assert run.errors[-1] == "Sent 1, answered 0, failed 1 (1 timeout), 2 sent again"
    assert ask("nobody.there", "x", "--retries", "2").status == 3


def test_an_answer_that_is_an_error_is_not_retried(ask: Ask, responders: Responders) -> None:
    from tests.request.responders import Answer

    block = b"NATS/1.0\r\nNats-Service-Error: no\r\nNats-Service-Error-Code: 400\r\n\r\n"
    run = ask(responders(lambda request: [Answer(b"", block)]), "x", "--retries", "3")
    assert (run.status, len(responders.requests)) == (7, 1)


def across_a_restart(
    spawn: Callable[..., Program], server: Server, tmp_path: Path, *arguments: str
) -> tuple[Program, dict[str, Any]]:
    """A run of 60,000 requests while the server is killed and started again; with a `reply` that reconnects."""
    file = tmp_path / "summary.json"
    spawn("reply", "svc", "OK", server=server)
    program = spawn("request", "svc", "x", "--count", "60000", "--concurrency", "16", "--raw",
                    "--summary-json", str(file), *arguments, server=server)  # fmt: skip
    program.wait_until(lambda: len(program.stdout_bytes()) > 30_000, "the first replies")
    server.stop(signal.SIGKILL)
    time.sleep(0.5)
    server.start()
    program.wait(120)
    found = json.loads(file.read_text())
    assert isinstance(found, dict)
    return program, found


def test_a_count_goes_on_across_a_server_that_is_killed_and_restarted(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], tmp_path: Path
) -> None:
    program, summary = across_a_restart(spawn, server_factory(), tmp_path, "--retries", "5")
    assert program.status == 0, program.stderr_text()
    assert program.stdout_bytes().count(b"OK\n") == 60_000
    assert (summary["sent"], summary["answered"], summary["failed"]) == (60_000, 60_000, 0)
    assert 0 < summary["retried"] < 1000


def test_without_retries_a_lost_connection_ends_the_run_and_all_is_accounted_for(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], tmp_path: Path
) -> None:
    program, summary = across_a_restart(spawn, server_factory(), tmp_path)
    assert program.status == 5
    assert summary["sent"] == summary["answered"] + summary["failed"] < 60_000
    assert summary["failures"]["connection"]["count"] == summary["failed"] > 0
    assert program.stdout_bytes().count(b"OK\n") == summary["answered"]


def test_a_server_that_does_not_come_back_ends_the_run_with_5(
    spawn: Callable[..., Program],
    server_factory: Callable[..., Server],
    responders_on: Callable[..., Responders],
) -> None:
    server = server_factory()
    responders = responders_on(server)
    program = spawn("request", responders(), "x", "--count", "1000000", "--raw", "--retries", "2",
                    "--timeout", "500ms", server=server)  # fmt: skip
    program.wait_until(lambda: len(responders.requests) > 10, "some requests")
    server.stop()
    start = time.monotonic()
    assert program.wait() == 5
    assert time.monotonic() - start < 15


def test_a_server_that_is_not_up_yet_is_retried(pynats: Runner) -> None:
    run = pynats("request", "s", "x", "--retries", "8", server=f"nats://127.0.0.1:{free_port()}")
    assert run.status == 5
    assert "Waiting" in run.stderr


@pytest.mark.parametrize("option", ["--retries", "--wait-for-responders"])
def test_ctrl_c_ends_the_waiting(spawn: Callable[..., Program], nats_server: Server, option: str) -> None:
    program = spawn("request", "nobody", "x", option, "1000" if option == "--retries" else "60s",
                    ready="Sending request", server=nats_server)  # fmt: skip
    time.sleep(0.3)
    assert program.stop(signal.SIGINT) == 130
