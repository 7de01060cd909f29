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

#: The program, which tells at its end which modules were executed (those that are unused have only been imported), and
#: which classes of ours are dataclasses.
PROBE = """
import atexit, json, sys

from natscli.__main__ import main
from natscli.system.lazy import is_unused

def tell():
    executed = [name for name, module in sys.modules.items() if not is_unused(module)]
    dataclasses = [
        f"{name}.{owned}"
        for name, module in list(sys.modules.items()) if name.startswith("natscli.")
        for owned, value in vars(module).items()
        if "__dataclass_fields__" in getattr(value, "__dict__", {}) and value.__module__ == name
    ]
    print(json.dumps([sorted(executed), dataclasses]), file=sys.stderr)

atexit.register(tell)
main()
"""

#: Not for a plain request: drawing, JetStream, WebSockets, TLS, credentials, other commands, and slow parts of Python.
NEVER = (
    "aiohttp", "cryptography", "email", "getpass", "http", "importlib.metadata", "inspect", "multidict", "nacl",
    "natscli.api", "natscli.commands.context", "natscli.commands.reply", "natscli.commands.server",
    "natscli.output.report", "natscli.output.terminal",
    "natscli.reply", "natscli.programs.translate", "natscli.server",
    "natscli.timeline", "nats.js", "nkeys", "pydoc", "python_socks",
    "rich", "ssl", "unittest", "urllib.request", "zipfile",
)  # fmt: skip

#: Modules of ours that a plain request executes, packages among them: each is 0.3 million instructions of the 318 at
#: least, whatever is in it.
MOST_OF_OURS = 84


Probe = Callable[..., tuple[int, list[str], list[str]]]


@pytest.fixture
def probe(pynats: Runner, nats_server: Server) -> Probe:
    """Runs a command line in a process: its status, the modules that it executed, and our dataclasses among them."""

    def run(*arguments: str) -> tuple[int, list[str], list[str]]:
        done = subprocess.run(
            [sys.executable, "-c", PROBE, *arguments],
            env={**pynats.environ, "NATS_URL": nats_server.url},
            cwd=pynats.directory, stdin=subprocess.DEVNULL, capture_output=True, check=False,
        )  # fmt: skip
        modules, dataclasses = json.loads(done.stderr.splitlines()[-1])
        return done.returncode, modules, dataclasses

    return run


@pytest.mark.parametrize("how", [(), ("--raw",), ("--json",), ("--count", "3", "--header", "A:1")])
def test_a_request_imports_only_what_it_uses(
    probe: Probe, responders: Responders, how: tuple[str, ...]
) -> None:
    status, modules, dataclasses = probe("request", responders(), "hi {{Count}}", *how)
    unwanted = [name for name in modules if name in NEVER or name.startswith(tuple(f"{n}." for n in NEVER))]
    assert (status, unwanted) == (0, [])
    # Each is 2 to 12 million instructions of the start, see natscli/frozen.py. Only a run of several has a summary.
    assert [name for name in dataclasses if not name.startswith("natscli.request.summary.")] == []
    assert len([name for name in modules if name.startswith("natscli.")]) <= MOST_OF_OURS + (6 if how else 0)


def test_bad_input_is_found_before_anything_of_nats_is_imported(probe: Probe) -> None:
    status, modules, _ = probe("request", "a..b", "x")
    assert status == 2
    assert not [name for name in modules if name.split(".")[0] in ("nats", "asyncio", "rich")]
