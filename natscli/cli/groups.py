"""Groups of commands: tables of lazily imported commands, aliases, help in sections, near names for mistyped ones."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import click

from natscli.cli.options import GroupedOption

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class HelpMixin:
    """Lists options under the headings of their groups, and suggests near names for mistyped options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {"Options": []}
        for param in self.get_params(ctx):  # type: ignore[attr-defined]
            record = param.get_help_record(ctx)  # from click 8.4 on also of arguments, which the usage shows
            if record is not None and isinstance(param, click.Option):
                heading = param.group if isinstance(param, GroupedOption) else "Options"
                groups.setdefault(heading, []).append(record)
        for heading, records in groups.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)


class Command(HelpMixin, click.Command):
    """A command of pynats."""


class Group(HelpMixin, click.Group):
    """A group of commands with aliases, which suggests the near name for a mistyped one.

    Its commands are in a `table` as `COMMANDS` is one, or added as in any click group.
    """

    command_class = Command

    def __init__(
        self,
        *args: Any,
        table: dict[str, tuple[str, str]] | None = None,
        aliases: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.table = table or {}
        self.aliases = aliases or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table) or super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.table:
            return super().get_command(ctx, cmd_name)
        command = getattr(importlib.import_module(f"natscli.commands.{self.table[cmd_name][0]}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = self.aliases.get(args[0], args[0])
        if not ctx.resilient_parsing and self.get_command(ctx, name) is None and not name.startswith("-"):
            import difflib

            near = difflib.get_close_matches(name, [*self.list_commands(ctx), *self.aliases], n=1, cutoff=0.5)
            hint = f", did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"no such command {name!r}{hint}", ctx)
        return super().resolve_command(ctx, [name, *args[1:]])

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        other_names: dict[str, list[str]] = {}
        for alias, name in self.aliases.items():
            other_names.setdefault(name, []).append(alias)
        rows = []
        for name in self.list_commands(ctx):
            names = ", ".join([name, *other_names.get(name, [])])
            rows.append((names, self.short_help_of(ctx, name)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        def item(name: str, of: str) -> CompletionItem:
            return CompletionItem(name, help=self.short_help_of(ctx, of))

        items = [item(name, name) for name in self.list_commands(ctx) if name.startswith(incomplete)]
        if not items and incomplete:  # aliases would only double the list
            items = [item(alias, of) for alias, of in self.aliases.items() if alias.startswith(incomplete)]
        return items + click.Command.shell_complete(self, ctx, incomplete)

    def short_help_of(self, ctx: click.Context, name: str) -> str:
        """The one line that lists the command."""
        if name in self.table:
            return self.table[name][1]
        command = self.get_command(ctx, name)
        return command.get_short_help_str(limit=60) if command is not None else ""
