"""What the help of a command says, as data: one page for `-h`, `--help`, docs/commands.md and the man pages."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import click

from natscli.cli.explained import Explained, Listed
from natscli.cli.options import CONNECTION, Option
from natscli.cli.topics import topics_of


@dataclass(frozen=True)
class Entry:
    """A row: an option with its metavar, or a command with its aliases, and what it does."""

    names: str
    text: str
    metavar: str = ""
    common: bool = False

    @property
    def label(self) -> str:
        """The left column."""
        return f"{self.names} {self.metavar}" if self.metavar else self.names


@dataclass(frozen=True)
class Section:
    """Rows under a heading."""

    heading: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Page:
    """The help of one command.

    `description` and `notes` are paragraphs; one that holds an indented line is shown line by line, as it is.
    `examples` are command lines, each with what it does.
    """

    command: str
    usage: str
    summary: str
    description: tuple[str, ...]
    commands: tuple[Entry, ...]
    examples: tuple[tuple[str, str], ...]
    options: tuple[Section, ...]
    notes: tuple[str, ...]
    appendix: tuple[Section, ...]
    short_examples: int
    topics: tuple[str, ...]
    names_exits: bool = False

    @property
    def connects(self) -> bool:
        """Whether it takes the connection options."""
        return any(section.heading == CONNECTION for section in self.options)


def page_of(ctx: click.Context) -> Page:
    """The page of the command that `ctx` is for."""
    command = ctx.command
    summary, *description = _paragraphs(command.help) or [""]
    examples = command.examples if isinstance(command, Explained) else {}
    return Page(
        command=ctx.command_path,
        usage=f"{ctx.command_path} {_usage(command)}",
        summary=summary,
        description=tuple(description),
        commands=tuple(_commands(ctx)),
        examples=tuple(examples.items()),
        options=tuple(_sections(command.params)),
        notes=tuple(_paragraphs(command.notes if isinstance(command, Explained) else "")),
        appendix=command.appendix() if isinstance(command, Explained) else (),
        short_examples=command.short_examples if isinstance(command, Explained) else 2,
        topics=tuple(topics_of(ctx.command_path.partition(" ")[2])),
        names_exits=isinstance(command, Explained) and command.names_exits,
    )


def _usage(command: click.Command) -> str:
    words = ["[OPTIONS]"]
    for param in command.params:
        if isinstance(param, click.Argument):
            word = param.metavar or (param.name or "").upper()
            word = word if param.required else f"[{word}]"
            words.append(word if param.nargs == 1 else f"{word}...")
    if isinstance(command, click.Group):
        words.append("COMMAND ...")
    return " ".join(words)


def _paragraphs(text: str | None) -> list[str]:
    """The paragraphs of a text; lines are joined unless one of them is indented."""
    paragraphs = []
    for paragraph in inspect.cleandoc(text or "").split("\n\n"):
        lines = [line.rstrip() for line in paragraph.strip("\n").splitlines()]
        kept = any(line.startswith("  ") for line in lines)
        if lines:
            paragraphs.append("\n".join(lines) if kept else " ".join(" ".join(lines).split()))
    return paragraphs


def _commands(ctx: click.Context) -> Iterator[Entry]:
    group = ctx.command
    if not isinstance(group, click.Group):
        return
    aliases = group.aliases if isinstance(group, Listed) else {}
    for name in group.list_commands(ctx):
        names = [name, *(alias for alias, of in aliases.items() if of == name)]
        yield Entry(", ".join(names), short_help_of(ctx, group, name))


def short_help_of(ctx: click.Context, group: click.Group, name: str) -> str:
    """The one line that lists a command: of the group's table, which needs no import, or of the command."""
    if isinstance(group, Listed) and name in group.table:
        return group.table[name][1]
    command = group.get_command(ctx, name)
    return command.get_short_help_str(limit=60) if command is not None else ""


def _sections(params: Iterable[click.Parameter]) -> Iterator[Section]:
    """The options by heading, `Options` first."""
    groups: dict[str, list[Entry]] = {"Options": []}
    for param in params:
        if isinstance(param, click.Option) and not param.hidden:
            heading, common = (param.group, param.common) if isinstance(param, Option) else ("Options", False)
            entry = Entry(_names(param), _description(param), _metavar(param), common)
            groups.setdefault(heading, []).append(entry)
    for heading, entries in groups.items():
        if entries:
            yield Section(heading, tuple(entries))


def _names(param: click.Option) -> str:
    short_first = sorted(param.opts, key=lambda name: name.startswith("--"))
    names = ", ".join(short_first)
    return f"{names} / {', '.join(param.secondary_opts)}" if param.secondary_opts else names


def _metavar(param: click.Option) -> str:
    return (
        "|".join(map(str, param.type.choices))
        if isinstance(param.type, click.Choice)
        else param.metavar or ""
    )


def _description(param: click.Option) -> str:
    text = " ".join((param.help or "").split())
    if param.show_default is True and not param.is_flag and isinstance(param.default, (str, int, float)):
        text += f" [default: {param.default}]"
    elif isinstance(param.show_default, str):
        text += f" [default: {param.show_default}]"
    return text
