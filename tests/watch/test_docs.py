"""docs/watch.md shows what the program does."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from natscli.cli.groups import Command
from tests.cli.test_help import pynats_lines
from tests.cli.test_root import in_process
from tests.peers import Peers, never
from tests.program import Program, Runner
from tests.servers import Server
from tests.test_readme import pattern, steps

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "watch.md").read_text()
STEPS = list(steps(TEXT))


def test_the_commands_are_command_lines_that_pynats_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Command, "invoke", lambda *_: None)  # all is parsed and checked, nothing is run
    assert len(STEPS) == 7
    for step in STEPS:
        for arguments in pynats_lines(step.command.replace("'orders.>'", "'orders.*'")):
            status, _, errors = in_process(*arguments)
            assert (status, errors) == (0, ""), step.command


def test_watch_shows_what_is_written_there(
    spawn: Callable[..., Program], pynats: Runner, server_factory: Callable[..., Server], peers: Peers
) -> None:
    server = server_factory()
    spawn("reply", "orders.new", '{"id": {{Count}}}', server=server)
    spawn("reply", "orders.price", "--command", "sh -c 'echo no such item; exit 1'", server=server)
    spawn("reply", "orders.slow", "at last", "--sleep", "1ms..5ms", server=server)
    peers.respond(peers.connect(server.url), "orders.hold", never)
    program = spawn("watch", "orders.>", server=server, ready="Watching")
    for subject, body in (
        ("new", '{"item": "tea"}'),
        ("price", "tea"),
        ("slow", "tea"),
        ("cancel", "17"),
        ("hold", "17"),
    ):
        pynats("request", f"orders.{subject}", body, "--timeout", "1s", server=server)
    shown = STEPS[0].shown
    program.wait_until(lambda: program.stdout_bytes().count(b"\n") == len(shown) - 2, "all lines")
    lines = program.stderr_text().splitlines()[:2] + sorted(
        program.stdout_bytes().decode().splitlines(), key=number
    )
    for written, line in zip(shown, lines, strict=True):
        assert re.fullmatch(pattern(written), line), line
    program.stop()
    assert re.search(r"^Seen 5 exchanges.*$", TEXT, re.MULTILINE)[0] in program.stderr_text()  # type: ignore[index]


def number(line: str) -> int:
    return int(line.partition("[#")[2].partition("]")[0])
