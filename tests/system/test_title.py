"""Secrets given as arguments do not stay visible in the list of processes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.program import Program
from tests.servers import Server

linux_only = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux lets a process change its command line"
)


@linux_only
@pytest.mark.parametrize(
    ("config", "flags"),
    [
        ('authorization { user: bob, password: "s3cr3t-pw" }', ["--user", "bob", "--password", "s3cr3t-pw"]),
        ('authorization { token: "s3cr3t-tk" }', ["--token=s3cr3t-tk"]),
        ('authorization { token: "s3cr3t-tk" }', ["--user", "s3cr3t-tk"]),
        (
            'authorization { user: bob, password: "s3cr3t-pw" }',
            ["--server", "nats://bob:s3cr3t-pw@127.0.0.1:{port}"],
        ),
    ],
)
def test_a_listener_does_not_show_its_secrets_to_ps(
    server_factory: Callable[..., Server], spawn: Callable[..., Program], config: str, flags: list[str]
) -> None:
    server = server_factory(config)
    flags = [flag.format(port=server.port) for flag in flags]
    program = spawn("reply", "title", "OK", *flags, server=server, anew=True)
    shown = Path(f"/proc/{program.pid}/cmdline").read_bytes()
    assert b"title" in shown
    assert b"s3cr3t" not in shown
