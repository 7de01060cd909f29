"""All commands of the program, for what is written of each."""

from __future__ import annotations

from collections.abc import Iterator

import click

from natscli.cli.groups import Group


def walk(
    ctx: click.Context, aliases: tuple[str, ...] = ()
) -> Iterator[tuple[click.Context, tuple[str, ...]]]:
    """Every listed command's context with the command's aliases, parents first."""
    yield ctx, aliases
    group = ctx.command
    if not isinstance(group, Group):
        return
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        if command is not None and not command.hidden:
            child = click.Context(command, parent=ctx, info_name=name)
            yield from walk(child, tuple(alias for alias, of in group.aliases.items() if of == name))
