"""`reply --verbose`: what requests were answered with, in its place after the request."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.asking import Asker
from tests.program import Program
from tests.servers import Server

Spawn = Callable[..., Program]


def shown(text: str) -> list[str]:
    """Lines from the first request on, with times and durations as T."""
    lines = re.sub(r"(?m)^[\d-]{10} \d\d:\d\d:\d\d ", "", text).splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("[#0]"))
    return [re.sub(r"after \S+(?=,|$)", "after T", line) for line in lines[begin:]]


@pytest.mark.parametrize("how", ["static", "command", "handler"])
def test_the_reply_follows_its_request(spawn: Spawn, nats_server: Server, tmp_path: Path, how: str) -> None:
    (tmp_path / "h.py").write_text("async def f(request):\n    return 'answer'\n")
    options = {
        "static": ["answer"],
        "command": ["--command", "printf answer"],
        "handler": ["--handler", f"{tmp_path / 'h.py'}:f"],
    }[how]
    subject = f"verbose.{how}"
    responder = spawn("reply", subject, *options, "-H", "A: b", "--verbose", server=nats_server)
    with Asker(nats_server) as asker:
        for body in (b"first", b"second"):
            asker.send(subject, body)
            asker.receive(1)
    responder.wait_for("[#1] Answered")
    assert responder.stop() == 0
    lines = shown(responder.stderr_text())
    assert lines[:10] == [
        f"[#0] Received on [{subject}]", "[#0] Answered after T", "A: b", "", "answer", "",
        f"[#1] Received on [{subject}]", "[#1] Answered after T", "A: b", "",
    ]  # fmt: skip
    assert responder.stdout_bytes() == b"first\nsecond\n"  # stdout is what was received


def test_errors_and_silence_are_said(spawn: Spawn, nats_server: Server) -> None:
    responder = spawn("reply", "verbose.bad", "--command", "false", "-v", server=nats_server)
    silent = spawn("reply", "verbose.silent", "x", "--drop", "1", "-v", "--count", "1", server=nats_server)
    with Asker(nats_server) as asker:
        asker.send("verbose.bad", b"x")
        asker.receive(1)
        asker.send("verbose.silent", b"x")
        silent.wait()
    responder.wait_for("[#0] Answered with error 500: command failed: exit status 1 after")
    assert shown(silent.stderr_text())[1] == "[#0] Not answered"


def test_without_it_no_reply_is_shown(spawn: Spawn, nats_server: Server) -> None:
    responder = spawn("reply", "verbose.not", "secret answer", "--count", "1", server=nats_server)
    with Asker(nats_server) as asker:
        asker.send("verbose.not", b"x")
        asker.receive(1)
    assert responder.wait() == 0
    assert "secret answer" not in responder.stderr_text()
