"""Write docs/commands.md: what `--help` says, for every command, 80 columns wide; and the man pages."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from natscli.cli.help import full, plain
from natscli.cli.pages import page_of
from natscli.cli.root import cli
from natscli.errors import EXIT_STATUS_HELP
from scripts import man_pages
from scripts.walk import walk

PATH = Path(__file__).resolve().parent.parent / "docs" / "commands.md"
WIDTH = 80

HEADER = """\
# Commands

<!-- Written by `make docs` from the program itself; a test fails when it is out of date. -->

What `--help` says, for all commands. The [connection options](#pynats) are listed once: every command that
connects takes them too, and the later one wins.
"""


def render() -> str:
    """The whole file."""
    parts = [HEADER]
    parts += [_section(context, names) for context, names in walk(click.Context(cli, info_name="pynats"))]
    parts.append(_exit_statuses())
    return "\n".join(parts)


def _section(ctx: click.Context, aliases: tuple[str, ...]) -> str:
    text = plain(full(page_of(ctx), WIDTH, connection=ctx.parent is None))
    also = f"Also: {', '.join(f'`{alias}`' for alias in aliases)}.\n\n" if aliases else ""
    return f"## {ctx.command_path}\n\n{also}```text\n{text}```\n"


def _exit_statuses() -> str:
    rows = [f"| {int(status)} | {text} |" for status, text in EXIT_STATUS_HELP.items()]
    return "\n".join(["## Exit statuses", "", "| status | meaning |", "|---|---|", *rows, ""])


def main() -> None:
    """Write the file and the man pages, or with `-` show the file."""
    if sys.argv[1:] == ["-"]:
        sys.stdout.write(render())
        return
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(render(), encoding="utf-8")
    man_pages.write()


if __name__ == "__main__":
    main()
