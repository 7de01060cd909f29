"""`pynats verify --update`: which files it replaces, and when it leaves one alone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.asking import Asker
from tests.program import Program, Runner
from tests.servers import Server
from tests.verify.service import by_hand

#: Where nothing listens: whoever connects fails with 5.
NOBODY = "nats://127.0.0.1:1"


@pytest.fixture
def file(runner: Runner) -> Path:
    """A recording in the working directory."""
    file = runner.directory / "calls.jsonl"
    file.write_text("".join(f"{by_hand(number)}\n" for number in range(6)))
    return file


def update_meanwhile(runner: Runner, server: Server, file: Path, change: Callable[[], object]) -> Program:
    """Verify two exchanges of which both differ, and `change` the file before they are answered."""
    records = ({"subject": file.name, "request": str(number), "reply": "old"} for number in range(2))
    file.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    with Asker(server) as service:
        service.listen(file.name)
        process = runner.spawn("verify", str(file), "--update", "--concurrency", "2", server=server, ready="")
        requests = [service.request() for _ in range(2)]
        change()
        for request in requests:
            service.write(request.answer(b"", b"new"))
        process.wait()
    return process


@pytest.mark.parametrize("name", ["/dev/stdin", "/dev/fd/0", "pipe", os.devnull])
def test_only_a_regular_file_is_updated(runner: Runner, file: Path, name: str) -> None:
    os.mkfifo(file.with_name("pipe"))
    before = file.read_bytes()
    with file.open("rb") as stdin:
        run = runner.spawn("verify", "--update", name, server=NOBODY, ready="", stdin=stdin)
        assert run.wait() == 2
    assert run.stderr_text() == f"pynats: error: cannot replace '{name}': not a regular file (--update)\n"
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: text.splitlines(keepends=True)[0] + text, ""),
        (lambda text: text.replace('"old"', '"odd"', 1), ""),
        (lambda text: "# mine\n" + text, ""),
        (lambda text: text.splitlines()[0], ""),
        (lambda text: text[:-5], ": the file ends in the middle of an object"),
    ],
    ids=["another first", "edited", "a comment", "fewer", "incomplete"],
)
def test_a_file_that_has_changed_meanwhile_is_left_alone(
    runner: Runner, nats_server: Server, tmp_path: Path, change: Callable[[str], str], why: str
) -> None:
    file = tmp_path / f"{tmp_path.name}.jsonl"
    changed = ""

    def replace() -> None:
        nonlocal changed
        changed = change(file.read_text())
        new = tmp_path / "new"
        new.write_text(changed)
        new.replace(file)

    run = update_meanwhile(runner, nats_server, file, replace)
    assert (run.status, file.read_text()) == (1, changed)
    assert f"0 held, 2 differed, {file} was not changed\n" in run.stderr_text()
    assert (
        run.stderr_text()
        .splitlines()[-1]
        .startswith(f"pynats: error: changed while it was verified{why} ({file}")
    )


@pytest.mark.parametrize("added", ["# more\n", '{"subject": "a", "reply": 1}\n', '{"subject": "a", "req'])
def test_what_was_added_meanwhile_stays(
    runner: Runner, nats_server: Server, tmp_path: Path, added: str
) -> None:
    file = tmp_path / f"{tmp_path.name}.jsonl"

    def add() -> None:
        with file.open("a") as end:
            end.write(added)

    run = update_meanwhile(runner, nats_server, file, add)
    assert run.status == 0
    assert file.read_text().count('"new"') == 2
    assert file.read_text().endswith(f"}}\n{added}")
