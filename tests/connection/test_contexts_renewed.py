"""A listener whose context is written again, or removed, while it runs: it reconnects with what is there then."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.accounts import make_operator
from tests.program import Program, Runner
from tests.servers import Server, free_port

Spawn = Callable[..., Program]
Factory = Callable[..., Server]


def password(word: str) -> str:
    return f"authorization {{ user: bob, password: s3cr3t-{word} }}"


def add(pynats: Runner, name: str, server: Server, *options: str) -> None:
    """Write the context anew, as the user does."""
    pynats("context", "rm", name, "--force")
    assert pynats("context", "add", name, "-s", server.url, *options, "--select").status == 0


@pytest.mark.parametrize(
    "command",
    [("reply", "a", "OK"), ("subscribe", "a"), ("watch", "a"), ("reply", "a", "OK", "--processes", "2")],
    ids=["reply", "subscribe", "watch", "processes"],
)
def test_credentials_that_a_context_has_now_are_used(
    command: Sequence[str], spawn: Spawn, pynats: Runner, server_factory: Factory, tmp_path: Path
) -> None:
    old, new = make_operator("A"), make_operator("A")
    creds = tmp_path / "a.creds"
    server = server_factory(old.server_config)
    creds.write_text(old.accounts["A"].make_user().creds)
    add(pynats, "ci", server, "--creds", str(creds), "--embed")
    several = "--processes" in command
    program = spawn(*command, ready="processes answer" if several else "[a]")
    creds.write_text(new.accounts["A"].make_user().creds)
    add(pynats, "ci", server, "--creds", str(creds), "--embed")
    creds.unlink()
    server.restart(new.server_config)
    program.wait_until(
        lambda: program.stderr_text().count("Reconnected to") == 1 + several, "all have reconnected"
    )
    assert "again" not in program.stderr_text()
    if several:
        found = re.search(r"processes answer: (\d+)", program.stderr_text())
        assert found is not None
        os.kill(int(found[1]), signal.SIGKILL)
        program.wait_for("answers again")
    assert program.stop() in (0, 130)


def test_a_context_that_is_gone_is_said_once_and_what_it_had_is_used(
    spawn: Spawn, pynats: Runner, server_factory: Factory
) -> None:
    server = server_factory(password("a"))
    add(pynats, "ci", server, "--user", "bob", "--password", "s3cr3t-a")
    program = spawn("reply", "a", "OK")
    pynats("context", "rm", "ci", "--force")
    server.restart(password("b"))
    program.wait_for("still trying to reconnect")
    tries = server.log().count("authentication error")
    program.wait_until(lambda: server.log().count("authentication error") > tries + 1, "two more tries")
    assert program.stderr_text().count("cannot read the credentials again: unknown context 'ci'") == 1
    server.restart(password("a"))
    program.wait_for("Reconnected to")
    assert program.stop() == 0


def test_a_secret_for_another_server_is_not_sent_to_this_one(
    spawn: Spawn, pynats: Runner, server_factory: Factory, config_home: Path
) -> None:
    server = server_factory(password("a"))
    add(pynats, "ci", server, "--user", "bob", "--password", "s3cr3t-a")
    program = spawn("reply", "a", "OK")
    file = config_home / "nats" / "context" / "ci.json"
    other = file.read_text().replace("s3cr3t-a", "s3cr3t-b")
    file.write_text(other.replace(str(server.port), str(free_port())))
    server.restart(password("a"))
    program.wait_for("Reconnected to")
    assert (
        "cannot read the credentials again: context 'ci' is for other servers now\n" in program.stderr_text()
    )
    assert program.stop() == 0
