"""`--log json`: the log of every command as lines of JSON; and dates in a log that is a file."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import click
import pytest

from natscli.cli.root import cli
from tests.cli.test_root import EVERY, all_commands
from tests.program import Program, Runner
from tests.servers import Server


def records(stderr: str) -> list[dict[str, Any]]:
    """The lines of a log of JSON, each of which has a time of now, a level and a message."""
    lines = [json.loads(line) for line in stderr.splitlines()]
    for line in lines:
        age = datetime.now(timezone.utc) - datetime.fromisoformat(line["time"].replace("Z", "+00:00"))
        assert timedelta(0) <= age < timedelta(minutes=1), line
        assert line["level"] in ("info", "warning", "error"), line
        assert line["message"], line
        assert line["message"].isprintable(), line
    return lines


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_command_takes_log(path: list[str]) -> None:
    ctx = next(ctx for ctx in all_commands() if ctx.command_path.split()[1:] == path)
    has = any("--log" in parameter.opts for parameter in ctx.command.params)
    assert has or isinstance(ctx.command, click.Group) or path in (["help"], ["version"]), path
    assert any("--log" in parameter.opts for parameter in cli.params)


def test_request_and_reply_log_json_with_the_fields_of_records(
    pynats: Runner, spawn: Callable[..., Program], nats_server: Server
) -> None:
    responder = spawn(
        "reply", "log.fields", "hi", "-H", "X: 1", "--count", "1", "--log", "json", server=nats_server
    )
    responder.wait_for("Listening")
    run = pynats("--log", "json", "request", "log.fields", "hello", "-H", "A: b", server=nats_server)
    assert (run.status, run.stdout) == (0, b"hi\n")
    *_, sent, received = records(run.stderr)
    assert sent["message"] == "Sending request on [log.fields]"
    assert (sent["subject"], sent["request"]) == ("log.fields", 1)
    assert (received["subject"], received["request"], received["reply"]) == ("log.fields", 1, 1)
    assert (received["size"], received["headers"]) == (2, {"X": ["1"]})
    assert received["rtt_ns"] > 0
    assert received["message"].startswith("Received with rtt ")
    assert responder.wait() == 0
    assert responder.stdout_bytes() == b"hello\n"
    lines = records(responder.stderr_text())
    came = next(line for line in lines if line["message"] == "Received on [log.fields]")
    assert (came["request"], came["size"], came["headers"]) == (0, 5, {"A": ["b"]})
    assert came["reply_to"].startswith("_INBOX.")
    assert lines[-1]["message"].startswith("Answered 1 request")
    assert lines[-1]["statistics"]["answered"] == 1


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["request", "log.nobody", "x", "--log", "json"], 3, "no responders"),
        (["--log", "json", "request", "a..b", "x"], 2, "a..b"),
        (["request", "--nonsense", "x", "--log", "json"], 2, "--nonsense"),
        (["request", "--nonsense", "x", "--log=json"], 2, "--nonsense"),
        (["--log", "json", "nonsense"], 2, "nonsense"),
        (["--log", "json", "rtt", "-s", "127.0.0.1:1"], 5, "127.0.0.1:1"),
        (["context", "info", "missing", "--log", "json"], 2, "missing"),
    ],
)
def test_the_last_line_of_a_failure_is_json_with_its_status(
    pynats: Runner, nats_server: Server, arguments: list[str], status: int, message: str
) -> None:
    run = pynats(*arguments, env={"NATS_URL": nats_server.url})
    assert run.status == status, run.stderr
    *_, last = records(run.stderr)
    assert (last["level"], last["status"]) == ("error", status)
    assert message in last["message"]


def test_a_hint_is_a_field_of_its_error(pynats: Runner) -> None:
    run = pynats("--log", "json", "nonsense", "--help")
    (line,) = records(run.stderr)
    assert "hint:" not in line["message"]
    assert line["hint"]


def test_the_log_of_a_load_is_json_with_the_summary(
    pynats: Runner, spawn: Callable[..., Program], nats_server: Server
) -> None:
    spawn("reply", "log.load", "--echo", server=nats_server).wait_for("Listening")
    run = pynats("request", "log.load", "x", "--count", "20", "--log", "json", server=nats_server)
    assert run.status == 0
    *_, last = records(run.stderr)
    assert last["summary"]["answered"] == 20
    assert "p99" in last["summary"]["rtt_ns"]
    timed = pynats("request", "log.load", "x", "--timings", "--log", "json", server=nats_server)
    assert records(timed.stderr)[-1]["total_ns"] > 0


def test_a_secret_is_in_no_line_of_json(pynats: Runner) -> None:
    run = pynats("request", "x", "y", "-s", "nats://me:hunter22@127.0.0.1:1", "--log", "json", "--trace")
    assert run.status == 5
    assert records(run.stderr)
    assert "hunter22" not in run.stderr


@pytest.mark.parametrize("arguments", [["--echo", "--processes", "2"], ["--pipe", "cat"], ["--stats"]])
def test_every_way_to_reply_logs_json_only(
    pynats: Runner, spawn: Callable[..., Program], nats_server: Server, arguments: list[str]
) -> None:
    subject = f"log.ways{len(arguments)}.{arguments[0].strip('-')}"
    responder = spawn("--log", "json", "reply", subject, *arguments, server=nats_server)
    responder.wait_for("Listening")
    pynats("request", subject, "x", server=nats_server)
    responder.send_signal(signal.SIGTERM)
    assert responder.wait() == 0
    assert len(records(responder.stderr_text())) >= 2


def test_other_listeners_log_json(pynats: Runner, spawn: Callable[..., Program], nats_server: Server) -> None:
    subscriber = spawn("subscribe", "log.sub", "--count", "1", "--log", "json", server=nats_server)
    watcher = spawn("watch", "log.sub", "--log", "json", server=nats_server)
    subscriber.wait_for("[log.sub]")
    watcher.wait_for("Watching")
    published = pynats("publish", "log.sub", "hello", "-H", "A: b", "--log", "json", server=nats_server)
    assert records(published.stderr)[-1]["subject"] == "log.sub"
    assert subscriber.wait() == 0
    came = next(line for line in records(subscriber.stderr_text()) if "number" in line)
    assert (came["subject"], came["size"], came["headers"]) == ("log.sub", 5, {"A": ["b"]})
    watcher.send_signal(signal.SIGTERM)
    assert watcher.wait() == 0
    assert records(watcher.stderr_text())


def test_the_log_of_a_server_is_json_with_its_level(spawn: Callable[..., Program]) -> None:
    server = spawn("server", "run", "--port", "-1", "--verbose", "--log", "json")
    server.wait_for("Ready, Ctrl-C")
    server.send_signal(signal.SIGTERM)
    assert server.wait() == 0
    assert any(
        line.get("server_level") == "INF" and line["message"] == "Server is ready"
        for line in records(server.stderr_text())
    )


def test_a_log_that_is_a_file_has_dates_and_one_in_a_pipe_has_none(
    pynats: Runner, spawn: Callable[..., Program], nats_server: Server
) -> None:
    piped = pynats("request", "log.nobody", "x", server=nats_server)
    assert re.match(r"\d\d:\d\d:\d\d ", next(line for line in piped.errors if "Sending" in line))
    program = spawn("request", "log.nobody", "x", server=nats_server)  # writes to files
    assert program.wait() == 3
    line = next(line for line in program.stderr_text().splitlines() if "Sending" in line)
    assert datetime.strptime(line[:19], "%Y-%m-%d %H:%M:%S").date() >= datetime.now().date() - timedelta(1)
