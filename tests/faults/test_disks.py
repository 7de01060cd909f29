"""Disks that are full, by a limit on the size of files and by /dev/full: what was there stays, one line says why."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from tests.asking import Asker
from tests.faults.conftest import Report
from tests.leftovers import record
from tests.program import Program, Runner
from tests.servers import Server

Spawn = Callable[..., Program]
#: Bytes that a file can have.
ROOM = 4096
#: Python would keep modules that are cut off, and fail with them from then on.
NOTHING_COMPILED = {"PYTHONDONTWRITEBYTECODE": "1"}


def run_with(
    room: int, runner: Runner, arguments: Sequence[str], url: str = "", **env: str
) -> subprocess.CompletedProcess[str]:
    """Run pynats where no file can have more bytes than `room`."""
    environ = {**runner.environ, **NOTHING_COMPILED, **({"NATS_URL": url} if url else {}), **env}
    done = subprocess.run(
        [sys.executable, "-m", "natscli", *arguments], cwd=runner.directory, env=environ, timeout=30, check=False,
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (room, room)),
    )  # fmt: skip
    record((done.stdout + done.stderr).encode(), arguments)
    return done


def one_error(done: subprocess.CompletedProcess[str]) -> str:
    errors = [line for line in done.stderr.splitlines() if "error: " in line]
    assert len(errors) == 1, done.stderr
    assert done.returncode == 1
    return errors[0]


@pytest.mark.parametrize(
    "arguments",
    [
        ("context", "add", "new", "--server", "127.0.0.1"),
        ("context", "select", "two"),
        ("context", "rename", "one", "three"),
        ("context", "copy", "one", "three"),
    ],
    ids=" ".join,
)
def test_contexts_stay_as_they_were(
    pynats: Runner, config_home: Path, report: Report, arguments: tuple[str, ...]
) -> None:
    for name in ("one", "two"):
        assert pynats("context", "add", name, "--server", "127.0.0.1").status == 0
    assert pynats("context", "select", "one").status == 0
    folder = config_home / "nats"
    before = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    done = run_with(0, pynats, arguments)
    assert "large" in one_error(done) or "space" in one_error(done)
    after = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    assert {path: data for path, data in after.items() if ".lock" not in path.name} == {
        path: data for path, data in before.items() if ".lock" not in path.name
    }
    report(f"disk full under `pynats {' '.join(arguments[:2])}`: files as they were")


FILES = {
    "-o": ("request", "f.disk", "large", "-o", "FILE"),
    "--summary-json": ("request", "f.disk", "x", "--count", "2", "--summary-json", "FILE"),
    "--hdr": ("request", "f.disk", "x", "--count", "2", "--hdr", "FILE"),
}


@pytest.mark.parametrize("option", FILES)
def test_a_file_that_was_asked_for_is_whole_or_as_it_was(
    pynats: Runner, spawn: Spawn, nats_server: Server, report: Report, option: str
) -> None:
    spawn("reply", "f.disk", "x" * 100_000, server=nats_server)
    file = pynats.directory / "file"
    file.write_text("before")
    arguments = [str(file) if word == "FILE" else word for word in FILES[option]]
    done = run_with(10, pynats, arguments, nats_server.url)
    assert str(file) in one_error(done)
    assert [path.name for path in pynats.directory.iterdir()] == ["file"]
    assert file.read_text() == "before"
    assert pynats(*arguments, server=nats_server).status == 0
    assert file.read_bytes() != b"before"
    report(f"disk full under `pynats request {option}`: the file as it was")


@pytest.mark.parametrize("option", FILES)
def test_a_device_that_is_full_is_named(
    pynats: Runner, spawn: Spawn, nats_server: Server, report: Report, option: str
) -> None:
    spawn("reply", "f.device", "OK", server=nats_server)
    arguments = [
        "/dev/full" if word == "FILE" else "f.device" if word == "f.disk" else word for word in FILES[option]
    ]
    run = pynats(*arguments, server=nats_server)
    assert run.status == 1
    assert "no space left on device (/dev/full)" in run.stderr
    report(f"device full under `pynats request {option}`")


@pytest.mark.parametrize(
    ("room", "options"), [(1000, ()), (30_000, ("--junit", "report.xml")), (30_000, ("--update",))], ids=str
)
def test_a_folder_for_temporary_files_that_is_full_is_named(
    pynats: Runner, spawn: Spawn, nats_server: Server, tmp_path: Path, report: Report, room: int,
    options: tuple[str, ...],
) -> None:  # fmt: skip
    spawn("reply", "f.scratch", "OK", server=nats_server)
    recorded, exchanges = pynats.directory / "many.jsonl", []
    for number in range(300):
        request = {"data": f"{number} {'x' * 20}"}
        exchanges.append(json.dumps({"subject": "f.scratch", "request": request, "reply": "before"}) + "\n")
    recorded.write_text("".join(exchanges))
    (tmp_path / "scratch").mkdir()
    arguments = ["verify", str(recorded), "--concurrency", "64", *options]
    done = run_with(room, pynats, arguments, nats_server.url, TMPDIR=str(tmp_path / "scratch"))
    assert one_error(done).endswith(f"({tmp_path / 'scratch'})")
    assert recorded.read_text() == "".join(exchanges)
    assert not list((tmp_path / "scratch").iterdir())
    report(f"temporary files full under `pynats verify{' '.join(['', *options[:1]])}`: said")


def test_a_folder_for_temporary_files_that_large_replies_fill_is_named(
    pynats: Runner, spawn: Spawn, nats_server: Server, tmp_path: Path, report: Report
) -> None:
    """They are compared in a thread, and kept when that is done."""
    rules, recorded = tmp_path / "rules.jsonl", pynats.directory / "large.jsonl"
    rules.write_text(json.dumps({"subject": "f.large", "reply": "x" * 200_000}))
    spawn("reply", "--mock", str(rules), server=nats_server)
    recorded.write_text(json.dumps({"subject": "f.large", "request": "", "reply": "before"}) + "\n")
    arguments = ["verify", str(recorded), "--reply-timeout", "1ms", "--update"]
    (tmp_path / "scratch").mkdir()
    done = run_with(100_000, pynats, arguments, nats_server.url, TMPDIR=str(tmp_path / "scratch"))
    assert one_error(done).endswith(f"({tmp_path / 'scratch'})")
    assert '"before"' in recorded.read_text()
    report("temporary files full under large replies to `pynats verify --update`: said")


def test_a_recording_goes_on_answering_and_says_what_is_missing(
    spawn: Spawn, nats_server: Server, tmp_path: Path, report: Report
) -> None:
    recording = tmp_path / "recording"
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (ROOM, ROOM))
    program = spawn("reply", "f.record", "OK", "--quiet", "--record", str(recording), server=nats_server, ready="",
                    preexec_fn=limit, env=NOTHING_COMPILED)  # fmt: skip
    with Asker(nats_server) as asker:
        asker.wait_for_responder("f.record")
        assert [a.payload for a in asker.ask("f.record", *[b"x" * 50] * 200)] == [b"OK"] * 200
    assert program.stop() == 1
    assert "could not be recorded" in program.stderr_text()
    lines = recording.read_bytes().splitlines(keepends=True)
    assert lines
    assert all(line.endswith(b"}\n") for line in lines)
    report("disk full under `pynats reply --record`: answers go on, whole lines only", tries=200, survived=200,
           lost="said")  # fmt: skip
