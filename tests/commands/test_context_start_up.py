"""What `pynats context ls` loads: its start-up time is a contract (docs: speed is designed in)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest

from natscli.contexts.format import Context
from natscli.contexts.store import ContextStore
from tests.program import Runner

_REPORT = """
import sys
from natscli.cli.root import run
from natscli.environment import Environment
status = run(sys.argv[1:], Environment.current())
print(*sorted(sys.modules), file=sys.stderr)
sys.exit(status)
"""

#: Each of these alone takes milliseconds.
_HEAVY = {"asyncio", "nats", "nkeys", "rich", "subprocess", "socket", "ssl", "pathlib", "tempfile", "shutil", "logging",
          "base64", "difflib", "urllib.parse", "natscli.connection", "natscli.settings", "natscli.wire"}  # fmt: skip


def modules_of(runner: Runner, arguments: Sequence[str]) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _REPORT, *arguments],
        env=runner.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.splitlines()[-1].split())


def modules_of_click(runner: Runner) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, click; print(*sys.modules)"],
        env=runner.environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stdout.split())


@pytest.mark.parametrize("arguments", [("ls",), ("ls", "--names"), ("ls", "--json")])
def test_listing_contexts_loads_nothing_that_it_does_not_need(
    runner: Runner, arguments: tuple[str, ...]
) -> None:
    store = ContextStore(f"{runner.environ['XDG_CONFIG_HOME']}/nats")
    store.save("a", Context(url="nats://u:p@h", token="t"))
    store.select("a")
    loaded = modules_of(runner, ("context", *arguments)) - modules_of_click(runner)
    assert loaded & _HEAVY == set()
    assert len(loaded) < 40, sorted(loaded)


def test_the_contexts_package_imports_neither_click_nor_nats(runner: Runner) -> None:
    code = "import sys, natscli.contexts.store, natscli.contexts.checks, natscli.contexts.changes; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=runner.environ, capture_output=True, text=True, check=True
    )
    assert not set(done.stdout.split()) & {"click", "nats", "rich", "pathlib", "asyncio", "subprocess"}
