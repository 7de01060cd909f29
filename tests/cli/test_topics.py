"""`pynats help TOPIC`: pages of docs/, in a pipe, on a terminal, in the wheel."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from natscli.cli.root import ALIASES, COMMANDS
from natscli.cli.topics import TOPICS, text_of, topics_of
from tests.program import Program, Runner
from tests.servers import Server
from tests.test_readme import ROOT, pattern, steps


@pytest.mark.parametrize("name", TOPICS)
def test_every_topic_has_a_text(name: str, pynats: Runner) -> None:
    topic = TOPICS[name]
    page = (ROOT / "docs" / f"{topic.page}.md").read_text()
    run = pynats("help", name)
    assert (run.status, run.stderr) == (0, "")
    assert run.text == (text_of(topic) if topic.sections else page)
    assert all(f"## {section}\n" in run.text for section in topic.sections)
    assert run.text.splitlines()[0].startswith("#")


def test_the_wheel_has_the_pages_of_the_topics() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    packed = set(re.findall(r'^"docs/(\w+)\.md" = "natscli/docs/\1\.md"$', project, re.MULTILINE))
    assert packed == {topic.page for topic in TOPICS.values()}


def test_no_topic_hides_a_command_and_all_commands_of_topics_exist(pynats: Runner) -> None:
    assert not set(TOPICS) & {*COMMANDS, *ALIASES, "help", "version"}
    assert {c.split()[0] for topic in TOPICS.values() for c in topic.commands} <= set(COMMANDS)


def test_help_lists_the_topics_and_commands_name_theirs(pynats: Runner) -> None:
    listed = pynats("help").text
    assert listed.startswith(pynats("-h").text)
    assert all(re.search(rf"^  {name} ", listed, re.MULTILINE) for name in TOPICS)
    assert "on topics: pynats help" in pynats("-h").text
    for command in ("reply", "request", "context", "context add", "publish"):
        names = ", ".join(topics_of(command))
        assert names
        for size in ("-h", "--help"):
            assert f"Topics: pynats help {names}" in pynats(*command.split(), size).text.replace("\n", " ")


def test_a_mistyped_topic_is_suggested(pynats: Runner) -> None:
    run = pynats("help", "credential")
    assert run.status == 2
    assert "no such command or topic 'credential', did you mean 'credentials'?" in run.stderr
    assert pynats("help", "TLS").text.startswith("# TLS")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pseudo-terminal")
def test_on_a_terminal_it_is_drawn_in_a_pager(runner: Runner, tmp_path: Path) -> None:
    import pty
    import subprocess

    pager = tmp_path / "pager"
    pager.write_text(f'#!/bin/sh\necho "$LESS" >{tmp_path}/less\ncat >{tmp_path}/shown\n')
    pager.chmod(0o755)

    def on_terminal(**environ: str) -> str:
        leader, follower = pty.openpty()
        env = {**runner.environ, "TERM": "xterm", **environ}
        with subprocess.Popen(
            [sys.executable, "-m", "natscli", "help", "exit-status"], stdout=follower, env=env
        ) as run:
            os.close(follower)
            shown = b""
            while True:
                try:
                    data = os.read(leader, 65536)
                except OSError:
                    break
                if not data:
                    break
                shown += data
            assert run.wait(30) == 0
        os.close(leader)
        return shown.decode()

    assert on_terminal(PAGER=str(pager)) == ""
    drawn = (tmp_path / "shown").read_text()
    assert "Exit status" in drawn
    assert "\x1b[" in drawn
    assert "## Exit status" not in drawn
    assert (tmp_path / "less").read_text() == "FRX\n"
    for none in ("cat", "", "/no/such/pager", "'"):
        assert "Exit status" in on_terminal(PAGER=none)


def test_templates_work_as_the_document_says(
    pynats: Runner, spawn: Callable[..., Program], nats_server: Server
) -> None:
    import shlex

    for step in steps((ROOT / "docs" / "templates.md").read_text()):
        words = shlex.split(step.command)[1:]
        if words[0] == "reply":
            spawn(*words, server=nats_server)
            continue
        run = pynats(*words, server=nats_server)
        assert run.status == step.status, run.stderr
        for line in step.shown:
            assert re.search(f"^{pattern(line)}$", run.text, re.MULTILINE), (line, run.text)
