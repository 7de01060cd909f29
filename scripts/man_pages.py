"""Write docs/man: a man page for every command, from the same pages as its help; the wheel puts them in share/man/man1.

click-man would only see what click knows: neither the examples, the notes nor the headings of the options.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from natscli.cli.options import CONNECTION
from natscli.cli.pages import Entry, Page, page_of
from natscli.cli.root import cli
from scripts.walk import walk

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "man"


def render() -> dict[str, str]:
    """The pages by file name."""
    contexts = [ctx for ctx, _ in walk(click.Context(cli, info_name="pynats"))]
    return {f"{_name(ctx.command_path)}.1": _man_page(ctx) for ctx in contexts}


def write() -> None:
    """Write all pages, and remove those of commands that are no more."""
    pages = render()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.glob("*.1"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def _man_page(ctx: click.Context) -> str:
    page = page_of(ctx)
    return "\n".join(
        [
            f'.TH "{_roff(_name(page.command)).upper()}" "1" "" "pynats" "pynats manual"',
            *_sections(page, is_root=ctx.parent is None),
            *_see_also(ctx),
            "",
        ]
    )


def _sections(page: Page, *, is_root: bool) -> Iterator[str]:
    yield from ('.SH "NAME"', rf"{_roff(_name(page.command))} \- {_roff(page.summary.rstrip('.'))}")
    words = page.usage[len(page.command) :].strip()
    yield from ('.SH "SYNOPSIS"', rf"\fB{_roff(page.command)}\fR {_roff(words)}")
    yield '.SH "DESCRIPTION"'
    for paragraph in page.description or (page.summary,):
        yield from _paragraph(paragraph)
    if page.commands:
        yield from ('.SH "COMMANDS"', *_entries(page.commands))
    if page.examples:
        yield '.SH "EXAMPLES"'
        yield from _entries(Entry(command, what) for command, what in page.examples)
    for section in page.options:
        yield f'.SH "{section.heading.upper()}{"" if section.heading == "Options" else " OPTIONS"}"'
        if section.heading == CONNECTION and not is_root:
            names = ", ".join(entry.names for entry in section.entries)
            yield f"{_roff(names)}: see \\fBpynats\\fR(1)."
        else:
            yield from _entries(section.entries)
    if page.notes:
        yield '.SH "NOTES"'
        for note in page.notes:
            yield from _paragraph(note)
    for section in page.appendix:
        yield from (f'.SH "{section.heading.upper()}"', *_entries(section.entries))


def _entries(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        metavar = rf" \fI{_roff(entry.metavar)}\fR" if entry.metavar else ""
        yield from (".TP", rf"\fB{_roff(entry.names)}\fR{metavar}", _roff(entry.text))


def _paragraph(text: str) -> Iterator[str]:
    yield ".PP"
    if "\n" in text:  # a table: as it is
        yield from (".nf", *map(_roff, text.splitlines()), ".fi")
    else:
        yield _roff(text)


def _see_also(ctx: click.Context) -> Iterator[str]:
    """The pages of the commands around this one."""
    paths = []
    parent = ctx.parent
    while parent is not None:
        paths.append(parent.command_path)
        parent = parent.parent
    if isinstance(ctx.command, click.Group):
        paths += [f"{ctx.command_path} {name}" for name in ctx.command.list_commands(ctx)]
    if paths:
        yield '.SH "SEE ALSO"'
        yield ",\n".join(rf"\fB{_roff(_name(path))}\fR(1)" for path in paths)


def _name(command: str) -> str:
    return command.replace(" ", "-")


def _roff(text: str) -> str:
    """`text` with what is special to roff escaped, so that it can be copied from the page as it is."""
    for character, escape in (
        ("\\", r"\e"), ("-", r"\-"), ("'", r"\(aq"), ("`", r"\(ga"), ("^", r"\(ha"), ("~", r"\(ti"),
    ):  # fmt: skip
        text = text.replace(character, escape)
    return rf"\&{text}" if text.startswith(".") else text
