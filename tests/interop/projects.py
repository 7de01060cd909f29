"""Projects of Node.js that the tests talk to, installed once into a folder that stays."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".bench" / "interop"


def project(name: str) -> Path:
    """The folder of a project with all that it needs, and the scripts of this folder.

    Skips the test where that cannot be had: without Node.js, or without a registry.
    """
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"{name}: there is no npm")
    source = HERE / name
    scripts = sorted(HERE.glob("*.mjs"))
    digest = hashlib.sha256(
        b"".join(f.read_bytes() for f in (*sorted(source.iterdir()), *scripts))
    ).hexdigest()
    folder = CACHE / f"{name}-{digest[:12]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(source, folder)
            for script in scripts:
                shutil.copy(script, folder)
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=optional"]
            try:
                done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100)
            except subprocess.TimeoutExpired:
                pytest.skip(f"{name}: npm ci takes too long")
            if done.returncode:
                pytest.skip(f"{name}: npm ci failed: {done.stderr[-200:]}")
            (folder / "installed").touch()
    return folder


@contextmanager
def running(folder: Path, *arguments: str, ready: str = "ready") -> Iterator[subprocess.Popen[str]]:
    """A Node.js program, once it has written `ready`; it is ended after the block."""
    command = ["node", *arguments]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        timer = threading.Timer(60, process.kill)
        timer.start()
        try:
            assert process.stdout is not None
            assert any(line.strip() == ready for line in process.stdout), f"{arguments} ended early"
            timer.cancel()
            yield process
        finally:
            timer.cancel()
            process.kill()


def output_of(folder: Path, *arguments: str) -> str:
    """The last line that a Node.js program writes."""
    done = subprocess.run(["node", *arguments], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]
