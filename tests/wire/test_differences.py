"""A nats-py whose private names are not as expected: it is noticed, and its public names are enough."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from natscli.wire import nats_py
from natscli.wire.client import DIFFERENCES
from natscli.wire.nats_py import differences
from tests.certificates import Certificates
from tests.servers import Server, start_server

ROOT = Path(__file__).resolve().parent.parent.parent

#: What must work with any nats-py: requests, many replies, answering, headers, draining, reconnecting; by words in the
#: names of tests.
SUITES = ["tests/request", "tests/publish", "tests/subscribe", "tests/commands/test_reply.py"]
WORDS = " or ".join((
    "exits_3", "exits_4", "comes_out", "summed_up", "in_flight", "until", "empty_one", "listens", "templates",
    "reconnects", "signal", "exactly", "json_is_one_object_a_request", "echoes", "larger",
    "arrive_in_order", "exits_6", "goes_on", "shown_after",
))  # fmt: skip
#: Of headers that repeat a name only the last is kept.
REPEATING = ("test_it_listens_answers_and_shows_each_request", "test_headers_are_templates_and_may_repeat",
             "test_without_body_and_command_it_echoes_and_says_so", "test_json_is_one_object_a_request")  # fmt: skip


class Expected:
    """Stands for a class of nats-py that is as expected."""

    def __init__(self) -> None:
        self._name = 1

    async def step(self, one: int, two: int = 0) -> None:
        """What is overridden."""


class Wrapped(Expected):
    """One whose method takes anything."""

    async def step(self, *args: int, **more: int) -> None:
        """What is overridden."""


class Renamed(Expected):
    """One that has other names."""

    def __init__(self) -> None:
        self._other = 1

    async def step(self, one: int, three: int = 0) -> None:
        """What is overridden."""


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        (Expected, set()),
        (Wrapped, {"Wrapped.step"}),
        (Renamed, {"Renamed.step", "Renamed._name"}),
        (int, {"int.step", "int._name"}),
    ],
)
def test_other_parameters_and_attributes_are_noticed(owner: type, expected: set[str]) -> None:
    assert differences({owner: {"step": "self one two"}}, {owner: {"__init__": "_name"}}) == expected


def test_the_installed_nats_py_is_as_expected() -> None:
    assert frozenset() == DIFFERENCES


def test_comparing_costs_next_to_nothing() -> None:
    start = time.process_time()
    for _ in range(100):
        differences()
    assert (time.process_time() - start) / 100 < 0.001


@pytest.fixture(scope="module")
def renamed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a nats-py all of whose private names that are relied on are others."""
    folder, source = tmp_path_factory.mktemp("nats-py"), Path(nats_py.errors.__file__).parent
    shutil.copytree(source, folder / "nats", ignore=shutil.ignore_patterns("__pycache__"))
    for info in source.parent.glob("nats_py-*.dist-info"):
        shutil.copytree(info, folder / info.name)
    tables = (nats_py._PARAMETERS, nats_py._USES)
    words = {word for table in tables for uses in table.values() for item in uses.items() for word in item}
    names = {name for word in words for name in word.split() if re.fullmatch(r"_[a-z]\w*", name)}
    pattern = re.compile(rf"\b({'|'.join(names)})\b")
    for module in (folder / "nats").rglob("*.py"):
        module.write_text(pattern.sub(r"\1_renamed", module.read_text()))
    return folder


def run_with(folder: Path, *arguments: str, timeout: float = 30) -> subprocess.CompletedProcess[str]:
    """Run Python with the nats-py in `folder`."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("suite", SUITES)
def test_the_suite_passes_with_other_private_names(renamed: Path, suite: str) -> None:
    apart = [word for name in REPEATING for word in ("--deselect", f"tests/commands/test_reply.py::{name}")]
    done = run_with(
        renamed, "-m", "pytest", "-q", "-p", "no:cacheprovider", suite, "-k", WORDS, *apart, timeout=110
    )
    assert done.returncode == 0, done.stdout[-5000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= 7


def test_trace_says_that_public_names_are_used(renamed: Path, nats_server: Server) -> None:
    done = run_with(renamed, "-m", "natscli", "request", "nobody", "x", "--trace", "-s", nats_server.url)
    assert done.returncode == 3
    assert f"trace: only public names of nats-py {nats_py.version} are used" in done.stderr
    assert "Client._process_err" in done.stderr


def test_tls_that_cannot_be_enforced_is_refused(
    renamed: Path, nats_server: Server, certificates: Certificates
) -> None:
    for url, options in (
        (nats_server.url.replace("nats://", "tls://"), []),
        (nats_server.url, ["--tlsca", str(certificates.ca)]),
    ):
        done = run_with(renamed, "-m", "natscli", "request", "nobody", "x", "-s", url, *options)
        assert done.returncode == 5
        assert "TLS cannot be enforced" in done.stderr


def test_a_proxy_that_would_be_passed_by_is_refused(renamed: Path, nats_server: Server) -> None:
    proxy = ["--socks-proxy", "socks5://127.0.0.1:1"]
    done = run_with(renamed, "-m", "natscli", "request", "nobody", "x", "-s", nats_server.url, *proxy)
    assert done.returncode == 5
    assert "a SOCKS proxy cannot be used" in done.stderr


def test_a_connection_is_made_anew_with_other_private_names(renamed: Path) -> None:
    program = """
import asyncio, sys
import natscli

async def main():
    nc = await natscli.connect(server=sys.argv[1], no_context=True)
    print("connected", flush=True)
    while nc.stats["reconnects"] == 0:
        await asyncio.sleep(0.01)
    while not nc.is_connected:
        await asyncio.sleep(0.01)
    await nc.flush()
    print("again", flush=True)
    await nc.close()

asyncio.run(asyncio.wait_for(main(), 60))
"""
    with start_server() as server:
        process = subprocess.Popen(
            [sys.executable, "-c", program, server.url], cwd=ROOT, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(renamed)},
        )  # fmt: skip
        assert process.stdout is not None
        with process.stdout as lines:
            assert lines.readline() == "connected\n"
            server.restart()
            assert lines.readline() == "again\n"
        assert process.wait(30) == 0
