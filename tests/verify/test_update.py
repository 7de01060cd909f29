"""`pynats verify --update`: which files it replaces, and when it leaves one alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.program import Runner
from tests.verify.service import by_hand

#: Where nothing listens: whoever connects fails with 5.
NOBODY = "nats://127.0.0.1:1"


@pytest.fixture
def file(runner: Runner) -> Path:
    """A recording in the working directory."""
    file = runner.directory / "calls.jsonl"
    file.write_text("".join(f"{by_hand(number)}\n" for number in range(6)))
    return file


@pytest.mark.parametrize("name", ["/dev/stdin", "/dev/fd/0", "pipe", os.devnull])
def test_only_a_regular_file_is_updated(runner: Runner, file: Path, name: str) -> None:
    os.mkfifo(file.with_name("pipe"))
    before = file.read_bytes()
    with file.open("rb") as stdin:
        run = runner.spawn("verify", "--update", name, server=NOBODY, ready="", stdin=stdin)
        assert run.wait() == 2
    assert run.stderr_text() == f"pynats: error: cannot replace '{name}': not a regular file (--update)\n"
    assert file.read_bytes() == before
