"""`pynats verify --update`: which files it replaces, and when it leaves one alone."""

from __future__ import annotations

import json
import os
import signal
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


@pytest.mark.parametrize("recorded", ["yes", "no"])
def test_a_slow_reply_differs_and_its_record_stays(
    runner: Runner, nats_server: Server, tmp_path: Path, recorded: str
) -> None:
    file, junit, subject = tmp_path / "calls.jsonl", tmp_path / "junit.xml", tmp_path.name
    file.write_text(before := f"{json.dumps({'subject': subject, 'request': '', 'reply': recorded})}\n")
    runner.spawn("reply", subject, "yes", server=nats_server)
    options = ("--max-rtt", "1ns", "--update", "--junit", str(junit))
    run = runner("verify", str(file), *options, server=nats_server)
    assert (run.status, run.errors[0]) == (8, "Verified 1 exchange: 0 held, 1 differed")
    assert file.read_text() == before
    assert 'failures="1"' in junit.read_text()


def test_who_records_loses_nothing_when_the_recording_is_updated(
    runner: Runner, nats_server: Server, asker: Asker, tmp_path: Path
) -> None:
    file, subject = tmp_path / "calls.jsonl", tmp_path.name
    runner.spawn("reply", subject, "{{Count}}", server=nats_server)
    watch = runner.spawn("watch", subject, "--record", str(file), server=nats_server, ready="Watching")

    def recorded(count: int) -> None:
        watch.wait_until(lambda: file.exists() and file.read_bytes().count(b"\n") >= count, f"{count} lines")

    asker.ask(subject, b"1", b"2", b"3")
    recorded(3)
    assert runner("verify", str(file), "--update", server=nats_server).status == 0
    asker.ask(subject, *(b"%d" % number for number in range(5)))
    recorded(11)
    assert watch.stop(signal.SIGINT) == 0
    replies = [json.loads(line)["reply"]["data"] for line in file.read_text().splitlines()]
    assert sorted(replies[:3]) == ["3", "4", "5"]  # in place of 0, 1 and 2
    assert sorted(map(int, replies[3:])) == [*range(3, 11)]
    assert watch.stderr_text().count("recording to a new file") == 1


def test_a_recording_that_is_moved_goes_on_in_a_new_file(
    runner: Runner, nats_server: Server, asker: Asker, tmp_path: Path
) -> None:
    file, moved, subject = tmp_path / "calls.jsonl", tmp_path / "calls.1", tmp_path.name
    reply = runner.spawn("reply", subject, "yes", "--record", str(file), server=nats_server)
    for name, payload in ((moved, b"1"), (file, b"2")):
        asker.ask(subject, payload)
        reply.wait_until(lambda: file.exists() and file.stat().st_size > 0, "it is recorded")
        if name is moved:
            file.rename(moved)
    assert reply.stop() == 0
    requests = [json.loads(one.read_text())["request"]["data"] for one in (moved, file)]
    assert requests == ["1", "2"]
    assert f"was moved, replaced or removed ({file})" in reply.stderr_text()
