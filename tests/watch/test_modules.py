"""What `watch` and `service` import: start-up is most of the time of a short run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.asking import Asker
from tests.program import Program, Runner
from tests.publish.test_modules import assert_refused_early, modules
from tests.request.test_modules import NEVER
from tests.servers import Server

#: What neither needs; lines of exchanges are painted, without rich.
UNWANTED = {*NEVER, "natscli.publish", "natscli.subscribe"} - {"natscli.output.terminal"}


def assert_lean(status: int, loaded: list[str], *others: str) -> None:
    """It ended well, and imported nothing that only other commands need."""
    unwanted = (*UNWANTED, *others)
    found = [name for name in loaded if name in unwanted or name.startswith(tuple(f"{n}." for n in unwanted))]
    assert (status, found) == (0, [])


@pytest.mark.parametrize("how", [(), ("--stats",), ("--json",)])
def test_watch_imports_only_what_it_uses(pynats: Runner, nats_server: Server, how: tuple[str, ...]) -> None:
    done = threading.Event()

    def ask() -> None:
        with Asker(nats_server) as asker:
            while not done.wait(0.05):
                asker.send("m.watch", b"x")

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        found = modules(pynats, nats_server, "watch", "m.watch", "--count", "1", "--timeout", "100ms", *how)
    finally:
        done.set()
        asking.join()
    assert_lean(*found, "natscli.request", "natscli.services.tables")


@pytest.mark.parametrize("how", [(), ("--stats", "--by", "responder"), ("--json",)])
def test_reading_a_recording_imports_nothing_that_connects(
    pynats: Runner, nats_server: Server, tmp_path: Path, how: tuple[str, ...]
) -> None:
    file = tmp_path / "seen.jsonl"
    file.write_text('{"subject": "a", "request": {"data": ""}, "reply": {"data": "x"}}\n')
    status, loaded = modules(pynats, nats_server, "watch", "--read", str(file), *how)
    assert status == 0
    assert not [name for name in loaded if name.startswith(("nats.", "natscli.connection", "natscli.wire"))]


@pytest.mark.parametrize("command", ["ls", "stats --json", "info m-svc", "ping"])
def test_service_imports_only_what_it_uses(
    pynats: Runner, spawn: Callable[..., Program], nats_server: Server, command: str
) -> None:
    spawn("reply", "m.svc", "x", "--service", "m-svc", server=nats_server)
    found = modules(pynats, nats_server, "service", *command.split(), "--timeout", "300ms")
    assert_lean(*found, "natscli.watch.watcher", "natscli.watch.matcher", "natscli.watch.show.exchanges")


@pytest.mark.parametrize(
    "arguments", [("watch", "a..b"), ("watch", "a", "--sample", "2"), ("service", "info", "a.b")]
)
def test_bad_input_is_found_before_anything_of_nats_is_imported(
    pynats: Runner, nats_server: Server, arguments: tuple[str, ...]
) -> None:
    assert_refused_early(pynats, nats_server, *arguments)
