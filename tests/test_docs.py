"""The documentation says what the program does."""

from __future__ import annotations

import re

import pytest

from scripts import man_pages
from scripts.commands_md import PATH, WIDTH, render

OPTION = re.compile(r"(?<![\w-])--[a-z]+(?:-[a-z]+)*")


def test_docs_commands_md_is_what_make_docs_writes() -> None:
    assert PATH.exists(), "run: make docs"
    assert PATH.read_text(encoding="utf-8") == render(), "docs/commands.md is out of date; run: make docs"


def test_the_man_pages_are_what_make_docs_writes() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in man_pages.FOLDER.glob("*")}
    assert written == man_pages.render(), "docs/man is out of date; run: make docs"


def test_the_written_options_fit_the_width() -> None:
    blocks = render().split("```text\n")[1:]
    lines = [line for block in blocks for line in block.partition("\n```")[0].splitlines()]
    assert lines
    assert [line for line in lines if line.startswith("  -") and len(line) > WIDTH] == []


def test_every_command_and_option_has_a_description() -> None:
    for block in render().split("```text\n")[1:]:
        options = [line.split() for line in block.splitlines() if line.startswith("  -")]
        assert all(options), block
        assert "None" not in block


#: Options that the pages name but pynats does not have: those of the Go CLI's JetStream and reports, and of jq.
OTHERS = {
    "pubsub.md": {
        *("--ack", "--all", "--atomic", "--direct", "--durable", "--graph", "--jetstream", "--last"),
        *(
            "--last-per-subject",
            "--new",
            "--report-subscriptions",
            "--schedule",
            "--since",
            "--start-sequence",
        ),
        *("--stream", "--terminate-at-end"),
    },
    "reply.md": {"--unbuffered"},
}


@pytest.mark.parametrize(
    "page",
    ["README.md", "SECURITY.md", "CHANGELOG.md"]
    + [
        f"docs/{path.name}"
        for path in PATH.parent.glob("*.md")
        if path.name not in (PATH.name, "performance.md")
    ],
)
def test_the_options_that_a_page_names_exist(page: str) -> None:
    path = PATH.parent.parent / page
    named = set(OPTION.findall(path.read_text(encoding="utf-8"))) - OTHERS.get(path.name, set())
    assert named <= set(OPTION.findall(render()))


def test_the_changelog_has_every_line_once() -> None:
    lines = (PATH.parent.parent / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line and lines.count(line) > 1] == []
