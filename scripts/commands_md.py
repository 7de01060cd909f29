"""Write docs/commands.md: every command with its usage, options and examples, taken from the click tree.

The text is laid out here, not by click, so that every click and every Python writes the same file.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from natscli.cli.groups import Group
from natscli.cli.options import GroupedOption
from natscli.cli.root import cli
from natscli.errors import EXIT_STATUS_HELP

PATH = Path(__file__).resolve().parent.parent / "docs" / "commands.md"
WIDTH = 80
_COLUMN = 30

HEADER = """\
# Commands

<!-- Written by `make docs` from the program itself; a test fails when it is out of date. -->

What `--help` says, for all commands. The [connection options](#pynats) are listed once: every command that
connects takes them too, and the later one wins.
"""


def render() -> str:
    """The whole file."""
    root = click.Context(cli, info_name="pynats", **cli.context_settings)
    parts = [HEADER]
    parts += [_section(context, names) for context, names in _walk(root, [])]
    parts.append(_exit_statuses())
    return "\n".join(parts)


def _walk(ctx: click.Context, aliases: list[str]) -> Iterator[tuple[click.Context, list[str]]]:
    """Every command's context with the command's aliases, parents first."""
    yield ctx, aliases
    group = ctx.command
    if not isinstance(group, click.Group):
        return
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        if command is None or command.hidden:
            continue
        child = click.Context(command, parent=ctx, info_name=name, **command.context_settings)
        known = group.aliases if isinstance(group, Group) else {}
        yield from _walk(child, [alias for alias, of in known.items() if of == name])


def _section(ctx: click.Context, aliases: list[str]) -> str:
    command = ctx.command
    blocks = [f"Usage: {ctx.command_path} {_usage(command)}"]
    blocks += _paragraphs(command.help)
    blocks += _options(ctx)
    if isinstance(command, click.Group):
        rows = [(name, _short_help(ctx, command, name)) for name in command.list_commands(ctx)]
        blocks.append("\n".join(["Commands:", *_table(rows)]))
    blocks += _paragraphs(command.epilog)
    also = f"Also: {', '.join(f'`{alias}`' for alias in aliases)}.\n\n" if aliases else ""
    return f"## {ctx.command_path}\n\n{also}```text\n" + "\n\n".join(blocks) + "\n```\n"


def _usage(command: click.Command) -> str:
    words = ["[OPTIONS]"]
    for param in command.params:
        if isinstance(param, click.Argument):
            word = param.metavar or (param.name or "").upper()
            word += "..." if param.nargs != 1 else ""
            words.append(word if param.required else f"[{word}]")
    if isinstance(command, click.Group):
        words.append("COMMAND [ARGS]...")
    return " ".join(words)


def _paragraphs(text: str | None) -> list[str]:
    """Paragraphs of help wrapped to the width; one that starts with a `\\b` line is kept as it is."""
    cleaned = inspect.cleandoc((text or "").partition("\f")[0])
    paragraphs = []
    for paragraph in cleaned.split("\n\n"):
        lines = paragraph.strip("\n").splitlines()
        if lines and lines[0].strip() == "\b":
            paragraphs.append("\n".join(line.rstrip() for line in lines[1:]))
        elif lines:
            paragraphs.append(textwrap.fill(" ".join(paragraph.split()), WIDTH, break_on_hyphens=False))
    return paragraphs


def _options(ctx: click.Context) -> Iterator[str]:
    """The tables of options, by heading; the connection options only for the root."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for param in ctx.command.get_params(ctx):
        if isinstance(param, click.Option) and not param.hidden:
            heading = param.group if isinstance(param, GroupedOption) else "Options"
            groups.setdefault(heading, []).append((_names(param), _description(param)))
    if "Options" in groups:
        yield "\n".join(["Options:", *_table(groups.pop("Options"))])
    for heading, rows in groups.items():
        if heading == "Connection" and ctx.parent is not None:
            yield "Connection: the options of pynats."
        else:
            yield "\n".join([f"{heading}:", *_table(rows)])


def _names(param: click.Option) -> str:
    short_first = sorted(param.opts, key=lambda name: name.startswith("--"))
    names = ", ".join(short_first)
    if param.secondary_opts:
        names += " / " + ", ".join(param.secondary_opts)
    return names if param.is_flag or param.count else f"{names} {_metavar(param)}"


def _metavar(param: click.Option) -> str:
    if param.metavar:
        return param.metavar
    if isinstance(param.type, click.Choice):
        return "|".join(map(str, param.type.choices))
    return {"integer": "N", "float": "X", "integer range": "N"}.get(param.type.name, param.type.name.upper())


def _description(param: click.Option) -> str:
    text = " ".join((param.help or "").split())
    if param.show_default is True and not param.is_flag and isinstance(param.default, (str, int, float)):
        text += f" [default: {param.default}]"
    elif isinstance(param.show_default, str):
        text += f" [default: {param.show_default}]"
    return text


def _short_help(ctx: click.Context, group: click.Group, name: str) -> str:
    if isinstance(group, Group):
        return group.short_help_of(ctx, name)
    command = group.get_command(ctx, name)
    return command.get_short_help_str() if command is not None else ""


def _table(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Two columns; a name that is too long has its description on the next line."""
    rows = list(rows)
    column = min(_COLUMN, max(len(name) for name, _ in rows) + 4)
    for name, text in rows:
        lines = textwrap.wrap(text, WIDTH - column, break_on_hyphens=False) or [""]
        if len(name) + 4 > column:
            yield f"  {name}".rstrip()
        else:
            yield f"  {name:<{column - 2}}{lines.pop(0)}".rstrip()
        yield from (f"{'':{column}}{line}".rstrip() for line in lines)


def _exit_statuses() -> str:
    rows = [f"| {int(status)} | {text} |" for status, text in EXIT_STATUS_HELP.items()]
    return "\n".join(["## Exit statuses", "", "| status | meaning |", "|---|---|", *rows, ""])


def main() -> None:
    """Write the file, or with `-` show it."""
    if sys.argv[1:] == ["-"]:
        sys.stdout.write(render())
        return
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
