"""Fixtures: real servers, and `pynats` as a process in an environment of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests import leftovers, starting
from tests.asking import Asker
from tests.certificates import Certificates, make_certificates
from tests.peers import Peers
from tests.program import Program, Runner, clean_environment
from tests.servers import Server, free_port, start_server
from tests.workers import behind_the_first, turn

if TYPE_CHECKING:
    from tests.terminal import Terminal

# How long an example takes says more of what else runs here.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")
settings.register_profile("fuzz", max_examples=200_000)

ROOT = Path(__file__).resolve().parent.parent
FAULTS_TABLE = ("| fault | tries | survived | lost | time to recover |", "|---|---|---|---|---|")
LEFT = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def nats_server() -> Iterator[Server]:
    """A plain server, shared by the tests of one worker: use subjects of your own."""
    with start_server() as server:
        yield server


@pytest.fixture
def server_factory() -> Iterator[Callable[..., Server]]:
    """`server_factory(config, *args, monitor=False)` starts a server that is stopped after the test."""
    with ExitStack() as stack:
        yield lambda *args, **kwargs: stack.enter_context(start_server(*args, **kwargs))


@pytest.fixture
def cluster(server_factory: Callable[..., Server]) -> list[Server]:
    """Three servers that know each other."""
    port = free_port()
    config = 'cluster {{ name: c, listen: "127.0.0.1:{}", routes: ["nats://127.0.0.1:{}"] }}'
    nodes = [server_factory(config.format(own, port)) for own in (port, -1, -1)]
    deadline = time.monotonic() + 30
    ports = {node.port for node in nodes}
    while not all(_known(node) == ports for node in nodes):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return nodes


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A private authority's files: see tests/certificates.py."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def config_home(tmp_path: Path) -> Path:
    """The XDG_CONFIG_HOME of this test's `pynats` runs; contexts are in `nats/context` below it."""
    folder = tmp_path / "config"
    folder.mkdir()
    return folder


@pytest.fixture
def runner(tmp_path: Path, config_home: Path) -> Iterator[Runner]:
    """What `pynats` and `spawn` share: one home, one config folder, one working directory."""
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    runner = Runner(clean_environment(home, config_home), work)
    yield runner
    runner.close()


@pytest.fixture
def pynats(runner: Runner) -> Runner:
    """`pynats(*args, server=None, env=None, stdin=None, cwd=None, timeout=30, shows_secrets=False)` -> Run."""
    return runner


@pytest.fixture
def spawn(runner: Runner) -> Callable[..., Program]:
    """`spawn("reply", ..., server=...)` starts a program, waits until it is ready, ends it after the test."""
    return runner.spawn


@pytest.fixture
def asker(nats_server: Server) -> Iterator[Asker]:
    """A requester on a raw socket."""
    with Asker(nats_server) as asker:
        yield asker


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A pseudo-terminal, where the system has them."""
    from tests.terminal import Terminal

    terminal = Terminal()
    yield terminal
    terminal.close()


def _known(node: Server) -> set[int]:
    """The client ports of all servers that a server tells its clients of."""
    with socket.create_connection(("127.0.0.1", node.port)) as raw:
        info = json.loads(raw.makefile("rb").readline().removeprefix(b"INFO "))
    return {int(url.rpartition(":")[2]) for url in info.get("connect_urls", [])}


#: The longest tests, which begin first, and then those that mostly wait, or the other workers would wait for them at
#: the end.
LONGEST = ("test_the_suite_passes_with_other_private_names", "test_each_option_in_a_shell_script",
           "test_every_request_of_a_short_soak_is_accounted_for", "test_every_command_shows_what_is_written_there",
           "test_a_server_that_is_killed_and_restarted_ten_times", "test_watch_shows_what_is_written_there",
           "test_what_is_recorded_is_what_a_mock_answers", "test_a_command_line_ends_with_a_status_and_one_line",
)  # fmt: skip


WAITING = ("faults", "interop", "learn", "services", "testing", "test_site.py", "test_wheel.py")


def pytest_xdist_auto_num_workers() -> int:
    """Three for each of a few processors: most tests wait, for a process to end or for time to pass."""
    processors = os.cpu_count() or 1
    return max(processors, min(3 * processors, 16))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest tests first, and those that run alone last: one after the other, they empty the room once."""

    def place(item: pytest.Item) -> int:
        if item.get_closest_marker("alone"):
            return 3
        if getattr(item, "originalname", "") in LONGEST:
            return 0
        return 1 if item.path.relative_to(ROOT).parts[1] in WAITING else 2

    items.sort(key=place)


def pytest_configure(config: pytest.Config) -> None:
    """The controller makes the folder that all workers put the outputs they captured into.

    Under nohup, a hang-up signal would be ignored by every program that is tested.
    """
    config.addinivalue_line("markers", "alone: no other test runs meanwhile")
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if not hasattr(config, "workerinput"):
        leftovers.begin(os.environ)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What the first worker has compiled the others need not: see tests/workers.py."""
    with behind_the_first():
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """A test that is marked `alone` runs while no other does: see tests/workers.py."""
    with turn(alone=item.get_closest_marker("alone") is not None):
        return (yield)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the session when any run of any test left something: see tests/leftovers.py."""
    starting.end()
    if hasattr(session.config, "workerinput"):
        return
    session.config.stash[LEFT] = left = leftovers.end(os.environ)
    if left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was left, and the figures of the tests of faults."""
    reports = [each for each in terminalreporter.stats.get("passed", []) if each.when == "call"]
    rows = [str(row) for each in reports for name, row in each.user_properties if name == "fault"]
    if rows:
        terminalreporter.write_sep("=", "faults")
    for row in [*FAULTS_TABLE, *sorted(rows)] if rows else []:
        terminalreporter.write_line(row)
    for line in config.stash.get(LEFT, []):
        terminalreporter.write_line(f"FAILED: {line}", red=True)


@pytest.fixture
def peers() -> Iterator[Peers]:
    """nats-py clients, disconnected after the test."""
    peers = Peers()
    yield peers
    peers.close()
