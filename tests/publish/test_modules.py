"""What `publish` and `subscribe` import: start-up is most of the time of a short run."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.program import Runner
from tests.request.test_modules import NEVER, PROBE
from tests.servers import Server


def modules(runner: Runner, server: Server, *arguments: str) -> tuple[int, list[str]]:
    """The exit status of a run, and the modules it executed."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        env={**runner.environ, "NATS_URL": server.url}, cwd=runner.directory, stdin=subprocess.DEVNULL,
        capture_output=True, check=False, timeout=30,
    )  # fmt: skip
    executed, _ = json.loads(done.stderr.splitlines()[-1])
    return done.returncode, executed


def assert_refused_early(runner: Runner, server: Server, *arguments: str) -> None:
    """Bad input is found before anything of NATS is imported."""
    status, loaded = modules(runner, server, *arguments)
    assert status == 2
    assert not [name for name in loaded if name.split(".")[0] in ("nats", "asyncio", "rich")]


RUNS = {
    "publish": ("publish", "m.pub", "x"),
    "publish many": ("publish", "m.pub", "{{Count}}", "--count", "30", "--rate", "1000"),
    "subscribe": ("subscribe", "m.sub", "--wait", "100ms"),
    "subscribe raw": ("subscribe", "m.sub", "--raw", "--wait", "100ms"),
    "subscribe json": ("subscribe", "m.sub", "--json", "--match-replies", "--wait", "100ms"),
}


@pytest.mark.parametrize("run", RUNS)
def test_only_what_is_used_is_imported(pynats: Runner, nats_server: Server, run: str) -> None:
    status, loaded = modules(pynats, nats_server, *RUNS[run])
    unwanted = [name for name in loaded if name in NEVER or name.startswith(tuple(f"{n}." for n in NEVER))]
    assert (status, unwanted) == (0, [])
    assert not any(name.startswith(("natscli.request.", "natscli.watch")) for name in loaded)


@pytest.mark.parametrize(
    "arguments", [("publish", "a..b", "x"), ("subscribe", "a..b"), ("publish", "a", "-J")]
)
def test_bad_input_is_found_before_anything_of_nats_is_imported(
    pynats: Runner, nats_server: Server, arguments: tuple[str, ...]
) -> None:
    assert_refused_early(pynats, nats_server, *arguments)
