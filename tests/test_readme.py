"""Every command of the README, and of the pages it leads to, is run and shows what is written there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from natscli.errors import ExitStatus
from tests.leftovers import record
from tests.program import Runner
from tests.servers import Server, free_port

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
INSTALL, SCRIPTS, PYTHON = (
    (ROOT / "docs" / f"{name}.md").read_text() for name in ("install", "scripts", "python")
)


@dataclass(frozen=True)
class Step:
    """A command, the lines that follow it there, and the status its comment speaks of."""

    command: str
    shown: list[str]
    status: int


def steps(text: str) -> Iterator[Step]:
    for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            first, *shown = part.splitlines()
            command, _, comment = first.partition("   # ")
            status = re.search(r"exits with (\d+)", comment)
            yield Step(command.strip(), shown, int(status.group(1)) if status else 0)


def pattern(line: str) -> str:
    """A line as a regular expression: numbers, times and units may differ; a file has the date before the time."""
    date = r"(?:[\d-]{10} )?" if re.match(r"\d\d:\d\d:\d\d ", line) else ""
    parts = re.split(r"\d+(?::\d+)*(?:\.\d+)?(?:ns|µs|ms|s)?\b", line)
    return date + r"\d+(?::\d+)*(?:\.\d+)?(?:ns|µs|ms|s)?".join(re.escape(part) for part in parts)


def test_the_set_up_commands_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    commands = [step.command.partition("  ")[0].strip() for step in steps(README)]
    made = [command.split()[1] for command in commands if command.startswith("make ")]
    assert made == ["demo", "test"]
    assert all(re.search(rf"^{verb}:", makefile, re.MULTILINE) for verb in made)
    project = (ROOT / "pyproject.toml").read_text()
    for extra in re.findall(r"^\| `(\w+)` \|", INSTALL, re.MULTILINE):
        assert re.search(rf"^{extra} = ", project, re.MULTILINE), extra


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) < 120


@pytest.mark.skipif(shutil.which("jq") is None, reason="the README's pipes need jq")
def test_every_command_shows_what_is_written_there(tmp_path: Path, runner: Runner) -> None:
    port = free_port()
    environ = {**runner.environ, "NATS_URL": f"127.0.0.1:{port}"}
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    pynats = bin_folder / "pynats"
    pynats.write_text(f'#!/bin/sh\nexec {sys.executable} -m natscli "$@"\n')
    pynats.chmod(0o755)
    environ["PATH"] = f"{bin_folder}:{environ['PATH']}"
    for name, code in re.findall(r"^```python\n# (\S+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL):
        (runner.directory / name).write_text(code)
    ran = 0
    # In one go: the pages start where the walkthrough ends.
    for step in [*steps(README), *steps(SCRIPTS)]:
        if step.command.startswith(("make ", "pipx ")):
            continue
        command = step.command.replace("127.0.0.1:4222", f"127.0.0.1:{port}")
        words = shlex.split(command)
        if words[1:3] == ["server", "run"]:
            server = runner.spawn(*words[1:], "--port", str(port), ready="nats://127.0.0.1")
            shown = server.stdout_bytes().decode()
        elif words[1] == "reply" and "|" not in command:
            replier = runner.spawn(*words[1:], env={**environ, "NATS_URL": f"127.0.0.1:{port}"})
            shown = replier.stderr_text()
        else:
            done = subprocess.run(
                ["bash", "-c", command], env=environ, cwd=runner.directory, capture_output=True, timeout=30
            )
            shown = (done.stdout + done.stderr).decode()
            record(done.stdout + done.stderr, words)
            assert done.returncode == step.status, f"{command}: {shown}"
        for line in step.shown:
            assert re.search(f"^{pattern(line)}$", shown, re.MULTILINE), (
                f"{command}\n{line!r} is not in\n{shown}"
            )
        ran += 1
    assert ran > 15


def test_the_table_of_exit_statuses_is_complete() -> None:
    rows = [int(number) for number in re.findall(r"^\| (\d+) \|", SCRIPTS, re.MULTILINE)]
    assert rows == [int(status) for status in ExitStatus]


def test_the_python_example_runs(tmp_path: Path, runner: Runner, nats_server: Server) -> None:
    example, *_ = re.findall(r"^```python\n(.*?)^```", PYTHON, re.MULTILINE | re.DOTALL)
    assert runner("context", "add", "local", "--server", nats_server.url).status == 0
    runner.spawn("reply", "help.please", "OK, I CAN HELP!!!", server=nats_server)
    done = subprocess.run(
        [sys.executable, "-c", example],
        env=runner.environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == "OK, I CAN HELP!!!\n", done.stderr
