"""`-` is stdout, in every option of `request` that takes a file to write."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.program import Program, Runner
from tests.servers import Server


@pytest.fixture
def ask(pynats: Runner, spawn: Callable[..., Program], nats_server: Server) -> Callable[..., bytes]:
    spawn("reply", "dash", "--echo", server=nats_server)

    def ask(*arguments: str) -> bytes:
        run = pynats("request", "dash", *arguments, server=nats_server)
        assert run.status == 0, run.stderr
        return run.stdout

    return ask


def test_a_payload_is_written_byte_for_byte(ask: Callable[..., bytes]) -> None:
    assert ask("a\tb", "-o", "-") == b"a\tb"
    assert ask("x{{Count}}", "--count", "3", "--output", "-") == b"x1\nx2\nx3\n"


def test_the_summary_is_all_that_a_quiet_load_writes_after_its_payloads(ask: Callable[..., bytes]) -> None:
    shown = ask("x", "--count", "200", "--quiet", "--summary-json", "-").decode()
    summary = json.loads(shown[shown.index("{") :])
    assert (summary["sent"], summary["answered"]) == (200, 200)


def test_latencies_are_written_as_a_log(ask: Callable[..., bytes]) -> None:
    assert b"#[Histogram log format version" in ask("x", "--count", "20", "--quiet", "--hdr", "-")
