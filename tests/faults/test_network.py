"""pynats talks to the servers it was told of and to nobody else; what needs none works without a network."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import Report
from tests.program import Program, Runner
from tests.servers import Server

#: Writes down every address that this Python connects or sends to, and every name that it looks up.
WATCH = """
import os, sys

def hook(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname"):
        shown = arguments[:2] if event.startswith("socket.get") else arguments[1]
        if not isinstance(shown, (str, bytes)):  # a path is a socket of this machine
            with open(os.environ["ADDRESSES"], "a") as file:
                file.write(f"{event} {shown}\\n")

sys.addaudithook(hook)
"""
COMMANDS = [
    ("request", "f.net", "x"), ("request", "f.net", "x", "--json", "--count", "3"), ("publish", "f.net", "x"),
    ("rtt", "--count", "1"), ("service", "ls", "--timeout", "200ms"), ("context", "ls"), ("--help",), ("--version",),
    ("request", "f.net", "x", "--processes", "2", "--count", "4"),
]  # fmt: skip


def test_only_the_server_is_talked_to(
    pynats: Runner, spawn: Callable[..., Program], nats_server: Server, tmp_path: Path, report: Report
) -> None:
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    addresses = tmp_path / "addresses"
    watched = {"PYTHONPATH": str(tmp_path), "ADDRESSES": str(addresses)}
    spawn("reply", "f.net", "OK", server=nats_server, env=watched)
    for command in COMMANDS:
        assert pynats(*command, server=nats_server, env=watched).status in (0, 3), command
    seen = set(addresses.read_text().splitlines())
    assert seen == {f"socket.connect ('127.0.0.1', {nats_server.port})"}
    report(f"addresses that {len(COMMANDS) + 1} commands connect to: the server's only", tries=len(COMMANDS) + 1,
           survived=len(COMMANDS) + 1)  # fmt: skip


def _without_network(*command: str) -> list[str]:
    return ["unshare", "--net", "--map-root-user", *command]


_UNSHARED = shutil.which("unshare") is not None and (
    subprocess.run(_without_network("true"), capture_output=True, check=False).returncode == 0
)


@pytest.mark.skipif(not _UNSHARED, reason="needs unshare and user namespaces")
def test_what_needs_no_server_needs_no_network(pynats: Runner, report: Report) -> None:
    commands = [("context", "add", "x", "-s", "127.0.0.1"), ("context", "ls"), ("context", "info", "x"),
                ("--help",), ("--version",), ("completion", "bash"), ("request", "--help")]  # fmt: skip
    for command in commands:
        done = subprocess.run(
            _without_network(sys.executable, "-m", "natscli", *command), env=pynats.environ, cwd=pynats.directory,
            capture_output=True, timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    report("no network, under commands that need no server", tries=len(commands), survived=len(commands))
