"""The walkthrough: typed by the program, and by persons at a terminal who are right, wrong, or leave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from natscli.errors import InputError
from natscli.learn.journal import Journal
from natscli.learn.steps import NAMES, load
from natscli.learn.tutor import words_of
from tests.program import Runner
from tests.terminal import Terminal

STEPS = {name: load(name) for name in NAMES}
#: For each step a command that runs and is not what is asked for, and a part of the hint.
WRONG = {
    "reply": ("pynats reply help.pleese OK", b"help.please"),
    "request": ("pynats request help.pleese OK", b"listens on help.please"),
    "context": ("pynats context add school --server 127.0.0.1:1", b"--select"),
    "replies": ("pynats request who.is.there ''", b"--replies 3"),
    "errors": ("pynats request shop.nothing ''", b"shop.order"),
    "handler": ("pynats reply mean --echo", b"--handler"),
    "watch": ("pynats watch 'a..b'", b"pynats watch SUBJECT"),
    "mock": ("pynats reply orders.42 'something else'", b"--mock"),
}


def running(mark: Path) -> list[str]:
    """Processes whose environment names the state folder of a test."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(mark).encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


@contextmanager
def person(
    pynats: Runner, state: Path, *arguments: str
) -> Iterator[tuple[Terminal, subprocess.Popen[bytes]]]:
    """`pynats learn` at a terminal of its own."""
    terminal = Terminal()
    environ = {**pynats.environ, "XDG_STATE_HOME": str(state), "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-m", "natscli", "learn", *arguments], env=environ, cwd=pynats.directory,
        stdin=terminal.slave, stdout=terminal.slave, stderr=terminal.slave, start_new_session=True,
    )  # fmt: skip
    try:
        yield terminal, process
    finally:
        process.kill()
        process.wait()
        terminal.close()


def type_in(terminal: Terminal, line: str) -> None:
    os.write(terminal.master, line.encode() + b"\n")


def asked(terminal: Terminal, number: int) -> None:
    """Wait until step `number` asks for a command."""
    terminal.wait_for(b"%d of " % number)
    at = terminal.shown.rindex(b"%d of " % number)
    deadline = time.monotonic() + 30
    while b"$ " not in terminal.shown[at:]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
        terminal.read()


def typed_right(name: str, shown: bytes) -> str:
    url = shown.partition(b"nats://")[2].split()[0].decode() if b"nats://" in shown else ""
    return STEPS[name].command.replace("{url}", f"nats://{url}")


def test_yes_types_every_step_and_all_of_them_work(pynats: Runner, tmp_path: Path) -> None:
    done = pynats("learn", "--yes", env={"XDG_STATE_HOME": str(tmp_path)}, timeout=110)
    assert (done.status, done.stderr) == (0, "")
    for step in STEPS.values():
        assert step.title in done.text
    assert done.text.count("\nRight. ") == len(NAMES)
    assert "Not yet" not in done.text
    assert done.seconds < 60
    assert json.loads((tmp_path / "pynats" / "learn.json").read_text())["done"] == list(NAMES)
    assert running(tmp_path) == []
    assert pynats("learn", "--list", env={"XDG_STATE_HOME": str(tmp_path)}).text.count(" done\n") == len(
        NAMES
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_person_is_wrong_once_and_then_right(pynats: Runner, tmp_path: Path, name: str) -> None:
    with person(pynats, tmp_path, name) as (terminal, process):
        asked(terminal, 1)
        wrong, hint = WRONG[name]
        type_in(terminal, wrong)
        terminal.wait_for(b"Not yet: ")
        at = terminal.shown.index(b"Not yet: ")
        type_in(terminal, typed_right(name, terminal.shown))
        terminal.wait_for(b"Right. ")
        assert hint in terminal.shown[at:].replace(b"\r\n", b" ")
        type_in(terminal, "quit")
        if name != NAMES[-1]:
            terminal.wait_for(b"goes on from here")
        assert process.wait(20) == 0
    assert running(tmp_path) == []
    assert Journal({"XDG_STATE_HOME": str(tmp_path)}).done() == [name]


def test_who_leaves_goes_on_where_they_left(pynats: Runner, tmp_path: Path) -> None:
    with person(pynats, tmp_path) as (terminal, process):
        asked(terminal, 1)
        type_in(terminal, STEPS["reply"].command.replace("I CAN HELP!!!", "another body"))
        asked(terminal, 2)
        os.write(terminal.master, b"\x04")
        assert process.wait(20) == 0
    with person(pynats, tmp_path) as (terminal, process):
        asked(terminal, 1)
        assert STEPS["request"].title.encode() in terminal.shown
        type_in(terminal, "quit")
        assert process.wait(20) == 0


@pytest.mark.parametrize("when", ["at the prompt", "while a command runs"])
def test_ctrl_c_leaves_nothing_running(pynats: Runner, tmp_path: Path, when: str) -> None:
    with person(pynats, tmp_path) as (terminal, process):
        asked(terminal, 1)
        if when == "while a command runs":
            type_in(terminal, STEPS["reply"].command)
            deadline = time.monotonic() + 20
            while not any(" reply " in line for line in running(tmp_path)):
                assert time.monotonic() < deadline
                time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(20) == -signal.SIGINT
        terminal.read()
        assert b"Traceback" not in terminal.shown
    assert running(tmp_path) == []


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("ls", "begins with pynats"),
        ("pynats request a 'b", "quote"),
        ("pynats request a b | cat", "shell"),
        ("pynats learn", "not for here"),
        ("pynats server run", "not for here"),
    ],
)
def test_what_is_no_command_for_here_is_explained(line: str, part: str) -> None:
    with pytest.raises(InputError, match=part):
        words_of(line)


def test_every_step_explains_itself_in_three_lines() -> None:
    for name, step in STEPS.items():
        assert len(step.text.splitlines()) <= 3, name
        assert all(len(line) <= 110 for line in step.text.splitlines()), name
        assert words_of(step.command.replace("{url}", "nats://h"))


def test_an_unknown_topic_names_those_there_are(pynats: Runner) -> None:
    done = pynats("learn", "nope")
    assert (done.status, done.stdout) == (2, b"")
    assert all(name in done.stderr for name in NAMES)


@pytest.mark.parametrize("text", ["", "[]", "7", '{"done": 3}', '{"done": [1, "reply"]}', "\0"])
def test_a_broken_progress_file_is_no_progress(tmp_path: Path, text: str) -> None:
    (tmp_path / "pynats").mkdir()
    (tmp_path / "pynats" / "learn.json").write_text(text)
    assert Journal({"XDG_STATE_HOME": str(tmp_path)}).done() == (["reply"] if "reply" in text else [])
