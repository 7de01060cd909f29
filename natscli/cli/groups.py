"""Commands and groups of commands: their help, what they say to mistyped words, tables of lazily imported commands."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import click

from natscli.cli.explained import Explained, Listed
from natscli.cli.options import STDIN, App, Option
from natscli.environment import Environment
from natscli.errors import InputError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Helped(Explained):
    """What `Command` and `Group` have in common: help in two sizes, and plain words for a mistyped option."""

    params: list[click.Parameter]

    def __init__(
        self, *args: Any, examples: Mapping[str, str] | None = None, notes: str = "", names_exits: bool = False,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        kwargs.setdefault("add_help_option", False)
        super().__init__(*args, **kwargs)
        self.examples = examples or {}
        self.notes = notes
        self.names_exits = names_exits
        self.params = [
            *self.params,
            _help_option("-h", "Show short help."),
            _help_option("--help", "Show full help."),
        ]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)  # type: ignore[misc,no-any-return]
        except click.UsageError as error:
            from natscli.cli.mistyped import explained

            raise explained(error, ctx) from None


def show_help(ctx: click.Context, *, everything: bool) -> None:
    """Write the help of the command that `ctx` is for to stdout: all of it, or one screen."""
    from natscli.cli import help as layout
    from natscli.cli.pages import page_of

    app = ctx.find_object(App)
    environment = app.environment if app is not None else Environment.current()
    lines = (layout.full if everything else layout.short)(page_of(ctx), layout.width_of(environment))
    layout.show(environment, lines)


def show_topics(ctx: click.Context) -> None:
    """Write the list of topics to stdout."""
    from natscli.cli import help as layout
    from natscli.cli.pages import Entry
    from natscli.cli.topics import TOPICS

    environment = ctx.ensure_object(App).environment
    entries = [Entry(name, topic.text) for name, topic in TOPICS.items()]
    layout.show(
        environment, layout.table("Topics (pynats help TOPIC)", entries, layout.width_of(environment))
    )


@cache
def _help_option(name: str, text: str) -> click.Option:
    def callback(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001
        if value and not ctx.resilient_parsing:
            show_help(ctx, everything=name == "--help")
            ctx.exit()

    kept_as = f"_show_{'all' if name == '--help' else 'short'}"
    return Option([name, kept_as], is_flag=True, is_eager=True, expose_value=False, help=text,
                        callback=callback)  # fmt: skip


class Command(Helped, click.Command):
    """A command of pynats. Everything its help says is declared beside it:

        @click.command(
            cls=Command,
            examples={"pynats request help.please 'I need help!'": "send a request", ...},
            notes="Templates in BODY:\\n  {{Count}}  request, from 1",
        )
        @click.argument("subject")
        @option("-r", "--raw", is_flag=True, common=True, help="Show the payloads and nothing else.")
        @connection_options
        @pass_app
        def request(app: App, ...) -> int:
            '''Send a request and show the replies.

            More about it, in paragraphs.
            '''

    - The first paragraph of the docstring is the one line that stands for the command; the rest is its description.
    - `examples`: command lines, each with what it does, the two that explain most first. At least two.
    - `common=True` puts an option into `-h`, which must fit 24 lines of 80 columns (a test holds this): usage, one
      line, two examples, the common options, and one line for the connection options.
    - `names_exits` puts the exit statuses into `-h`.
    - `notes` come last. A paragraph that has an indented line is shown line by line, its first line as a heading.

    `-h`, `--help`, docs/commands.md and the man pages are all made of it; `make docs` writes the last two.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)
        ctx.allow_extra_args = True  # to say more about them than click does
        extra = super().parse_args(ctx, args)
        if ctx.resilient_parsing:
            return extra
        if extra:
            raise _unexpected(ctx, extra, given)
        app = ctx.find_object(App)
        if app is not None and (STDIN in app.flags.values() or any(word.endswith("-") for word in given)):
            from natscli.cli.dashes import check_streams

            app.environment.stdin_is_for = check_streams(ctx, app.flags)
        return extra


def _unexpected(ctx: click.Context, extra: list[str], given: list[str]) -> click.ClickException | InputError:
    """The error for words after the last argument, which are most often a body without quotes."""
    body = ctx.params.get("body")
    first = given.index(extra[0])
    what = f"unexpected argument {extra[0]!r}"
    if not isinstance(body, str) or body not in given[:first]:
        return click.UsageError(what, ctx)
    text = " ".join([body, *extra])
    quoted = "'" + text.replace("'", "'\\''") + "'"
    return InputError(what, hint=f"put a body of several words in quotes: {quoted}")


class Group(Helped, Listed, click.Group):
    """A group of commands with aliases, which suggests the near name for a mistyped one.

    Its commands are in a `table` as `COMMANDS` is one, or added as in any click group. Its help is declared as that of
    `Command`. Without a command it shows `-h`.
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

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            show_help(ctx, everything=False)
            ctx.exit()
        return super().parse_args(ctx, args)

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
            from natscli.cli.mistyped import near, no_such_command

            known = [*self.list_commands(ctx), *self.aliases]
            subject = no_such_command(name, (), known) if ctx.parent is None else None
            raise subject or click.UsageError(f"no such command {name!r}{near(name, known)}", ctx)
        return super().resolve_command(ctx, [name, *args[1:]])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        from natscli.cli.pages import short_help_of

        def item(name: str, of: str) -> CompletionItem:
            return CompletionItem(name, help=short_help_of(ctx, self, of))

        items = [item(name, name) for name in self.list_commands(ctx) if name.startswith(incomplete)]
        if not items and incomplete:  # aliases would only double the list
            items = [item(alias, of) for alias, of in self.aliases.items() if alias.startswith(incomplete)]
        return items + click.Command.shell_complete(self, ctx, incomplete)
