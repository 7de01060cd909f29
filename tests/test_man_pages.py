"""The man pages say what the help says, and are pages that man can show."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from natscli.cli.pages import page_of
from scripts.man_pages import FOLDER, render
from tests.cli.test_root import all_commands


def shown(path: Path) -> str:
    """What man shows, without its layout."""
    done = subprocess.run(
        ["man", str(path)], capture_output=True, text=True, check=True, timeout=30,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "500", "MANROFFOPT": "-ww", "MANPAGER": "cat"},
    )  # fmt: skip
    assert done.stderr == ""
    if (
        "has been minimized" in done.stdout
    ):  # a container image, whose man is a script that shows nothing else
        pytest.skip("man is not installed")
    return re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout)


def test_every_listed_command_has_a_page() -> None:
    names = {f"{ctx.command_path.replace(' ', '-')}.1" for ctx in all_commands()}
    assert names == set(render())


def test_man_shows_all_of_the_help_as_it_is_without_a_warning() -> None:
    if shutil.which("man") is None:
        pytest.skip("man is not installed")
    for ctx in all_commands():
        page = page_of(ctx)
        text = shown(FOLDER / f"{ctx.command_path.replace(' ', '-')}.1")
        words = " ".join(text.split())
        for command, what in page.examples:
            assert command in text
            assert what in words
        for section in page.options:
            for entry in section.entries:
                assert entry.names in words
        for note in page.notes:
            for line in note.splitlines():
                assert " ".join(line.split()) in words
