"""No option writes a file that is read, or that another option writes: it is refused before anything connects."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.program import Program, Runner
from tests.starting import start

#: Where nothing listens: whoever connects fails with 5.
NOBODY = "nats://127.0.0.1:1"
RECORDED = json.dumps({"subject": "a", "request": "x", "reply": {"data": "y"}}) + "\n"


@pytest.fixture
def folder(runner: Runner) -> Path:
    """The working directory, with a file `in` and three more names of it."""
    folder = runner.directory
    (folder / "in").write_text(RECORDED)
    os.link(folder / "in", folder / "hard")
    (folder / "soft").symlink_to("in")
    (folder / "dangling").symlink_to("out")
    return folder


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("verify in --junit in", "FILE and --junit"),
        ("verify soft --junit ./in", "FILE and --junit"),
        ("verify in --report hard", "FILE and --report"),
        ("verify in --update --junit soft", "FILE and --junit"),
        ("verify in soft --update", "'in' and 'soft'"),
        ("verify in ./in --update", "'in' and './in'"),
        ("verify in --junit out --report out", "--junit and --report"),
        ("verify in --junit dangling --report ./out", "--junit and --report"),
        ("request a --body-file in -o soft", "--body-file and --output"),
        ("request a b --record in -o hard", "--output and --record"),
        ("request a --body-file in --record ./in", "--body-file and --record"),
        ("request a b --count 2 --summary-json out --hdr out", "--summary-json and --hdr"),
        ("request a b --count 2 --report out --summary-json dangling", "--summary-json and --report"),
        ("request a b --count 2 --record in --summary-json in", "--summary-json and --record"),
        ("reply --mock in --record hard", "--mock and --record"),
        ("reply a --handler in:f --record in", "--handler and --record"),
        ("watch --read soft --record in", "--read and --record"),
        ("watch a --stats --record out --report dangling", "--record and --report"),
    ],
)
def test_a_file_that_is_something_else_too_is_refused(
    pynats: Runner, folder: Path, command: str, named: str
) -> None:
    run = pynats(*command.split(), server=NOBODY)
    assert (run.status, run.errors) == (2, [f"pynats: error: {named} are the same file"])
    assert (folder / "in").read_text() == RECORDED
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    "command", ["verify - --junit in", "request a --body-file - -o in", "reply --mock - --record in"]
)
def test_standard_input_may_be_that_file(
    pynats: Runner, spawn: Callable[..., Program], folder: Path, command: str
) -> None:
    with (folder / "in").open("rb") as file:
        run = spawn(*command.split(), server=NOBODY, stdin=file, ready="same file")
        assert run.wait() == 2
    assert (folder / "in").read_text() == RECORDED


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("watch --read in --json", "--read"),
        ("watch --read soft --record -", "--read"),
        ("watch --read - --json", "--read"),
        ("verify hard --json", "FILE"),
        ("compare in other", "BEFORE"),
        ("compare other in", "AFTER"),
        ("reply --mock ./in", "--mock"),
        ("request a --body-file in", "--body-file"),
        ("request a b --baseline in --fail-if failed>+1", "--baseline"),
        ("request a --send-on newline", "standard input"),
        ("publish a --send-on newline --json", "standard input"),
        ("watch --read in --record /dev/stdout", "--read"),
    ],
)
def test_nothing_reads_the_file_that_stdout_is_appended_to(
    runner: Runner, folder: Path, command: str, named: str
) -> None:
    (folder / "other").write_text(RECORDED)
    with (folder / "in").open("ab") as out, (folder / "in").open("rb") as stdin:
        run = start(
            command.split(), {**runner.environ, "NATS_URL": NOBODY}, cwd=folder, stdin=stdin, stdout=out,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        said = run.communicate(timeout=30)[1].decode()
    assert (run.returncode, said) == (2, f"pynats: error: {named} and standard output are the same file\n")
    assert (folder / "in").read_text() == RECORDED


def test_an_open_file_by_its_number_is_the_same_file(runner: Runner, folder: Path) -> None:
    with (folder / "in").open("rb") as stdin:
        run = runner.spawn("watch", "--read", "in", "--record", "/dev/fd/0", ready="", stdin=stdin)
        assert run.wait() == 2
    assert run.stderr_text() == "pynats: error: --read and --record are the same file\n"


def test_a_summary_replaces_that_of_the_baseline(pynats: Runner, folder: Path) -> None:
    options = ("--count", "1", "--baseline", "in", "--summary-json", "in")
    run = pynats("request", "a", "b", *options, server=NOBODY)
    assert (run.status, "in" in run.stderr and "same file" not in run.stderr) == (2, True)  # it is no summary


def test_devices_and_other_files_are_shared_by_any(pynats: Runner, folder: Path) -> None:
    for options in (("--junit", os.devnull, "--report", os.devnull), ("--junit", "one", "--report", "two")):
        assert pynats("verify", "in", "hard", *options, server=NOBODY).status == 5
