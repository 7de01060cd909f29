"""Running `pynats` on a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
import tty

from tests.leftovers import record
from tests.program import Runner
from tests.servers import Server


def run_on_terminal(
    runner: Runner,
    *arguments: str,
    server: Server,
    env: dict[str, str] | None = None,
    stderr: int | None = None,
    typed: bytes | None = None,
    canonical: bool = False,
) -> tuple[int, bytes]:
    """Run `pynats` with stdout on a terminal, stderr too unless given, stdin when something is `typed`.

    Returns its exit status and what the terminal got, byte for byte unless `canonical` (line editing, Ctrl-D, echo).
    """
    master, slave = pty.openpty()
    if not canonical:
        tty.setraw(slave)
    process = subprocess.Popen(
        [sys.executable, "-m", "natscli", *arguments],
        env={**runner.environ, "NATS_URL": server.url, **(env or {})},
        stdin=subprocess.DEVNULL if typed is None else slave,
        stdout=slave,
        stderr=slave if stderr is None else stderr,
        cwd=runner.directory,
        start_new_session=True,
    )
    os.close(slave)
    if typed:
        os.write(master, typed)
    output = bytearray()
    deadline = time.monotonic() + 60
    while True:
        if not select.select([master], [], [], max(deadline - time.monotonic(), 0))[0]:
            process.kill()
            raise AssertionError(f"still runs: {bytes(output)!r}")
        try:
            chunk = os.read(master, 65536)
        except OSError:  # how Linux says that nobody has the other side open any more
            break
        if not chunk:
            break
        output += chunk
    os.close(master)
    status = process.wait(30)
    record(bytes(output), arguments)
    return status, bytes(output)
