"""`pynats rtt`, run for real against real servers."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Certificates
from tests.program import Program, Runner, until
from tests.servers import Server, free_port, process_exists

NAMES = ["min", "mean", "p50", "p90", "p99", "max"]


def check_times(result: dict[str, Any], count: int) -> None:
    """The times of one address are in order, and of a server nearby."""
    times = result["rtt_ns"]
    assert list(times) == NAMES
    assert 0 < times["min"] <= times["p50"] <= times["p90"] <= times["p99"] <= times["max"] < 10**10
    assert times["min"] <= times["mean"] <= times["max"]
    assert result["rtt"] == times["mean"]
    assert result["count"] == count
    assert 0 <= result["jitter_ns"] <= times["max"] - times["min"]


def test_a_table_has_the_times_of_a_server(pynats: Runner, nats_server: Server) -> None:
    run = pynats("rtt", server=nats_server)
    assert (run.status, run.stderr) == (0, "")
    header, row = run.lines
    assert header.split() == ["SERVER", "ADDRESS", *map(str.upper, NAMES), "JITTER"]
    assert row.split()[:2] == [nats_server.url, nats_server.url]
    assert len(row.split()) == 9


def test_json_has_the_names_of_the_go_cli_and_more(pynats: Runner, nats_server: Server) -> None:
    run = pynats("rtt", "--json", "--count", "20", server=nats_server)
    (server,) = json.loads(run.stdout)
    assert (run.status, server["url"]) == (0, nats_server.url)
    (result,) = server["results"]
    check_times(result, 20)
    assert result["address"] == nats_server.url
    assert (bool(result["server_name"]), bool(result["version"])) == (True, True)
    came = datetime.fromisoformat(result["time"].replace("Z", "+00:00"))
    assert abs(time.time() - came.timestamp()) < 30


def test_a_name_is_measured_at_each_of_its_addresses(pynats: Runner, nats_server: Server) -> None:
    run = pynats("rtt", "--json", server=f"nats://localhost:{nats_server.port}")
    (server,) = json.loads(run.stdout)
    assert server["url"] == f"nats://localhost:{nats_server.port}"
    by_address = {result["address"]: result for result in server["results"]}
    check_times(by_address[nats_server.url], 5)


def test_every_server_is_measured_and_one_that_is_away_fails(pynats: Runner, nats_server: Server) -> None:
    away = f"nats://127.0.0.1:{free_port()}"
    run = pynats("rtt", "2", server=f"{away},{nats_server.url}")
    assert run.status == 5
    assert [line.split()[1:3] for line in run.lines[1:]] == [
        [away, "failed"],
        [nats_server.url, run.lines[2].split()[2]],
    ]
    assert run.errors[0] == f"pynats: error: nothing listens there ({away})"
    found = json.loads(pynats("rtt", "--json", server=away).stdout)
    assert (found[0]["results"][0]["rtt"], found[0]["results"][0]["status"]) == (0, 5)


def test_a_certificate_is_checked_against_the_name_not_the_address(
    pynats: Runner, server_factory: Callable[..., Server], certificates: Certificates
) -> None:
    server = server_factory(
        f'tls {{ cert_file: "{certificates.name_cert}", key_file: "{certificates.name_key}" }}'
    )
    run = pynats("rtt", "--tlsca", str(certificates.ca), "--json", server=f"tls://localhost:{server.port}")
    addresses = [r["address"] for s in json.loads(run.stdout) for r in s["results"] if r["rtt"]]
    assert f"tls://127.0.0.1:{server.port}" in addresses


def test_no_credentials_are_shown(pynats: Runner, server_factory: Callable[..., Server]) -> None:
    server = server_factory("authorization { user: u, password: s3cr3t-p }")
    for password in ("s3cr3t-p", "s3cr3t-q"):
        for how in ((), ("--json",), ("--trace",)):
            run = pynats("rtt", *how, server=f"nats://u:{password}@localhost:{server.port}")
            assert run.status == (0 if password == "s3cr3t-p" else 6)
            assert "s3cr3t" not in run.stdout.decode() + run.stderr


@pytest.fixture
def two_contexts(pynats: Runner, nats_server: Server) -> None:
    for name, url in (("good", nats_server.url), ("away", "nats://127.0.0.1:1")):
        assert pynats("context", "add", name, "--server", url).status == 0


@pytest.mark.usefixtures("two_contexts")
def test_all_contexts_are_measured(pynats: Runner, config_home: Path) -> None:
    (config_home / "nats" / "context" / "broken.json").write_text("{")
    run = pynats("rtt", "--all", "--json", server="nats://127.0.0.1:2")
    by_name = {server["context"]: server["results"][0] for server in json.loads(run.stdout)}
    assert sorted(by_name) == ["away", "broken", "good"]
    check_times(by_name["good"], 5)
    assert by_name["away"]["status"] == run.status == 5
    assert by_name["broken"]["rtt"] == 0
    table = pynats("rtt", "--all").lines
    assert [line.split()[0] for line in table] == ["CONTEXT", "away", "broken", "good"]


@pytest.mark.usefixtures("two_contexts")
def test_a_context_is_measured(pynats: Runner, nats_server: Server) -> None:
    run = pynats("rtt", "--context", "good", "--json")
    assert (run.status, json.loads(run.stdout)[0]["url"]) == (0, nats_server.url)


@pytest.mark.parametrize("command", [("rtt", "--all"), ("context", "validate", "--connect")], ids=" ".join)
def test_a_program_that_has_a_password_does_not_hold_up_the_end(
    pynats: Runner, spawn: Callable[..., Program], tmp_path: Path, command: tuple[str, ...]
) -> None:
    asked, op = tmp_path / "asked", tmp_path / "op"
    op.write_text(f"#!/bin/sh\necho $$ >{asked}.new\nmv {asked}.new {asked}\nexec sleep 20\n")
    op.chmod(0o755)
    assert pynats("context", "add", "slow", "--token", "op://a/b/c").status == 0
    program = spawn(*command, env={"PATH": f"{tmp_path}{os.pathsep}{pynats.environ['PATH']}"})
    program.wait_until(asked.exists, "op is asked")
    assert program.stop(signal.SIGTERM, timeout=10) == 130
    until(lambda: not process_exists(int(asked.read_text())), "the program has ended too")


def test_no_contexts_are_no_failure(pynats: Runner) -> None:
    run = pynats("rtt", "--all")
    assert (run.status, run.stdout, run.stderr) == (0, b"", "no contexts\n")


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("3", "--count", "4"), ("ITERATIONS", "--count")),
        (("--all", "--context", "x"), ("--all", "--context")),
        (("--all", "-s", "x"), ("--all", "--server")),
        (("--count", "0"), ("--count",)),
        (("x",), ("ITERATIONS",)),
    ],
)
def test_bad_usage_exits_2_and_names_it(
    pynats: Runner, arguments: tuple[str, ...], names: tuple[str, ...]
) -> None:
    run = pynats("rtt", *arguments, server="nats://127.0.0.1:1")
    assert run.status == 2
    assert all(name in run.stderr for name in names)
