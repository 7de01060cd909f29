"""What a `pynats request` imports and makes: start-up is most of its time, so the list is held here."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.program import Runner
from tests.request.responders import Responders
from tests.servers import Server

PROBE = """
import importlib.util, json, ssl, sys

contexts = []
class Counted(ssl.SSLContext):
    def __new__(cls, *args, **kwargs):
        contexts.append(cls)
        return super().__new__(cls, *args, **kwargs)
ssl.SSLContext = Counted

from natscli.cli.root import run
from natscli.environment import Environment

status = run(sys.argv[1:], Environment.current())
lazy = importlib.util._LazyModule
executed = [name for name, module in sys.modules.items() if type(module) is not lazy]
print(json.dumps({"status": status, "modules": sorted(executed), "contexts": len(contexts)}), file=sys.stderr)
"""

#: Not for a plain request: drawing, JetStream, WebSockets, TLS, credentials, other commands, and slow parts of Python.
NEVER = (
    "aiohttp", "cryptography", "email", "getpass", "http", "importlib.metadata", "multidict", "nacl", "natscli.api",
    "natscli.commands.context", "natscli.commands.reply", "natscli.commands.server",
    "natscli.output.report", "natscli.output.terminal",
    "natscli.reply", "natscli.programs.translate", "natscli.server",
    "natscli.timeline", "nats.js", "nkeys", "pydoc", "python_socks",
    "rich", "unittest", "urllib.request", "zipfile",
)  # fmt: skip

#: Modules of ours that a plain request executes, packages among them; each costs about 0.2 ms of the start.
MOST_OF_OURS = 85


@pytest.fixture
def probe(pynats: Runner, nats_server: Server) -> Callable[..., dict[str, object]]:
    """Runs a command line in a process that tells its status, the modules it executed and the SSL contexts it made."""

    def run(*arguments: str) -> dict[str, object]:
        done = subprocess.run(
            [sys.executable, "-c", PROBE, *arguments],
            env={**pynats.environ, "NATS_URL": nats_server.url},
            cwd=pynats.directory, stdin=subprocess.DEVNULL, capture_output=True, check=True,
        )  # fmt: skip
        found = json.loads(done.stderr.splitlines()[-1])
        assert isinstance(found, dict)
        return found

    return run


@pytest.mark.parametrize("how", [(), ("--raw",), ("--json",), ("--count", "3", "--header", "A:1")])
def test_a_request_imports_only_what_it_uses(
    probe: Callable[..., dict[str, object]], responders: Responders, how: tuple[str, ...]
) -> None:
    found = probe("request", responders(), "hi {{Count}}", *how)
    modules = found["modules"]
    assert isinstance(modules, list)
    unwanted = [name for name in modules if name in NEVER or name.startswith(tuple(f"{n}." for n in NEVER))]
    assert (found["status"], unwanted, found["contexts"]) == (0, [], 0)
    assert len([name for name in modules if name.startswith("natscli.")]) <= MOST_OF_OURS + (6 if how else 0)


def test_bad_input_is_found_before_anything_of_nats_is_imported(
    probe: Callable[..., dict[str, object]],
) -> None:
    found = probe("request", "a..b", "x")
    modules = found["modules"]
    assert isinstance(modules, list)
    assert found["status"] == 2
    assert not [name for name in modules if name.split(".")[0] in ("nats", "asyncio", "rich")]
