"""Credentials that take long to be read again hold up nothing: no reconnecting for long, no names, no end."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from natscli.connection.renewal import Renewal
from natscli.errors import InputError
from tests.accounts import make_operator
from tests.program import Program, Runner
from tests.servers import Server


class Source:
    """What is read: it answers when it is told to, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers = threading.Event()
        self.error: Exception | None = None

    def read(self) -> dict[str, Any]:
        self.asked += 1
        number = self.asked
        self.answers.wait(10)
        if self.error is not None:
            raise self.error
        return {"token": f"read {number}"}


def test_a_read_that_still_runs_is_not_started_again_and_its_answer_is_used() -> None:
    source = Source()
    renewal = Renewal(source.read, 0.05, "op")

    async def go() -> None:
        for _ in range(3):
            with pytest.raises(InputError, match="op did not answer within 50ms"):
                await renewal.options()
        assert source.asked == 1
        source.answers.set()
        while threading.active_count() > before:
            await asyncio.sleep(0.01)
        assert await renewal.options() == {"token": "read 1"}
        assert await Renewal(source.read, 5, "op").options() == {"token": "read 2"}

    before = threading.active_count()
    asyncio.run(go())


def test_a_read_that_was_waited_for_once_holds_up_no_later_try() -> None:
    source = Source()
    renewal = Renewal(source.read, 0.2, "op")

    async def go() -> float:
        took = 0.0
        for _ in range(5):
            began = time.monotonic()
            with pytest.raises(InputError):
                await renewal.options()
            took += time.monotonic() - began
        return took

    assert asyncio.run(go()) < 0.8
    source.answers.set()


def test_what_a_read_raises_is_raised_and_the_next_one_is_a_new_one() -> None:
    source = Source()
    source.answers.set()
    source.error = InputError("locked")
    renewal = Renewal(source.read, 5, "op")

    async def go() -> None:
        with pytest.raises(InputError, match="locked"):
            await renewal.options()
        source.error = None
        assert await renewal.options() == {"token": "read 2"}

    asyncio.run(go())


@pytest.fixture
def vault(runner: Runner, tmp_path: Path) -> Path:
    """A folder with an `op` that gives creds, or hangs while there is a file `locked`; and the server's `config`."""
    operator = make_operator("APP")
    folder = tmp_path / "vault"
    folder.mkdir()
    (folder / "creds").write_text(operator.accounts["APP"].make_user("u").creds)
    (folder / "config").write_text(operator.server_config)
    op = folder / "op"
    op.write_text(
        f"#!/bin/sh\nif [ -e {folder}/locked ]; then echo + >>{folder}/asked; exec sleep 30; fi\ncat {folder}/creds\n"
    )
    op.chmod(0o755)
    runner.environ["PATH"] = f"{folder}{os.pathsep}{runner.environ['PATH']}"
    return folder


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("command", [("reply", "svc.a", "ok"), ("subscribe", "svc.a")], ids=lambda c: c[0])
def test_a_signal_ends_a_listener_at_once_while_op_hangs(
    spawn: Callable[..., Program],
    server_factory: Callable[..., Server],
    vault: Path,
    command: tuple[str, ...],
    host: str,
) -> None:
    server = server_factory((vault / "config").read_text())
    options = ("--creds", "op://v/i/creds", "--timeout", "5s", "-s", f"nats://{host}:{server.port}")
    program = spawn(*command, *options, ready="svc.a]")
    (vault / "locked").touch()
    server.stop()
    program.wait_until((vault / "asked").exists, "op")
    began = time.monotonic()
    assert program.stop(signal.SIGTERM) in (0, 130)
    assert time.monotonic() - began < 4
    assert (vault / "asked").read_text() == "+\n"


def test_a_listener_reconnects_without_op_and_says_that_it_did_not_answer(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], vault: Path
) -> None:
    server = server_factory((vault / "config").read_text())
    options = ("--creds", "op://v/i/creds", "--timeout", "500ms")
    program = spawn("reply", "svc.a", "ok", *options, server=server)
    (vault / "locked").touch()
    server.restart()
    program.wait_for("Reconnected to")
    assert "cannot read the credentials again: op did not answer within 500ms\n" in program.stderr_text()
    began = time.monotonic()
    assert program.stop(signal.SIGTERM) == 0
    assert time.monotonic() - began < 4
