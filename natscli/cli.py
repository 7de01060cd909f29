"""The root command: a static table of commands, each imported only when it runs."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from natscli import __version__
from natscli.environment import Environment
from natscli.errors import EXIT_STATUS_HELP, ExitStatus, PynatsError, Report, Terminated, explain
from natscli.params import App, GroupedOption, connection_options

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: name -> (module below natscli.commands, one line of help). The help is repeated here so that `pynats --help` imports
#: none of them; a test holds the two together.
COMMANDS: dict[str, tuple[str, str]] = {
    "reply": ("reply", "Answer requests with a body, an echo, or a command."),
    "request": ("request", "Send a request and show the replies."),
    "context": ("context", "Manage contexts: named connection settings."),
    "server": ("server", "Run a local nats-server for development."),
    "completion": ("completion", "Print or install shell completion."),
}
ALIASES: dict[str, str] = {"req": "request", "ctx": "context"}

EXAMPLES = """\b
Examples:
  pynats server run                                a server to try it on
  pynats reply help.please 'OK, I CAN HELP!!!'     answer requests
  pynats request help.please 'I need help!'        send one
  pynats context add local -s 127.0.0.1 --select   remember the server
"""


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


class RootGroup(Group):
    """The root, whose help also tells what holds for all commands."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        with formatter.section("Exit status"):
            formatter.write_dl([(str(int(status)), text) for status, text in EXIT_STATUS_HELP.items()])
        with formatter.section("Environment"):
            formatter.write_dl(
                [
                    ("NATS_*", "the connection options, as in the brackets above"),
                    ("XDG_CONFIG_HOME", "where contexts are kept, default ~/.config"),
                    ("NO_COLOR, CLICOLOR_FORCE", "never, or always, colour"),
                ]
            )


@click.command(
    cls=RootGroup,
    table=COMMANDS,
    aliases=ALIASES,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@connection_options
@click.version_option(__version__, message="pynats %(version)s")
def cli() -> None:
    """NATS request/reply for the terminal.

    Answers requests, sends them, times them, and shares its contexts with the nats CLI. Connection
    options may be given before or after the command; the later one wins.
    """


def run(arguments: list[str], environment: Environment) -> int:
    """Run one command line and return its exit status; never raises, shows errors on `environment.stderr`."""
    app = App(environment)
    report: Report | None = None
    try:
        result = cli.main(arguments, prog_name="pynats", standalone_mode=False, obj=app)
        status = result if isinstance(result, int) else ExitStatus.OK
        environment.stdout.flush()
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except SystemExit as stop:  # click does this after a completion, and when the reader of stdout went away
        return stop.code if isinstance(stop.code, int) else ExitStatus.FAILURE
    except click.exceptions.NoArgsIsHelpError as error:
        environment.stderr.write(f"{error.format_message()}\n".encode())
        return ExitStatus.USAGE
    except BaseException as error:
        if environment.trace and not isinstance(error, PynatsError):
            import traceback

            for line in "".join(traceback.format_exception(error)).splitlines():
                environment.warn(f"trace: {line}")
        report = explain(error)
        status = report.status
        cause = error.__cause__ if isinstance(error, click.Abort) else error
        environment.interrupted = type(cause) is KeyboardInterrupt
    if report is not None:
        environment.error(report)
    return status


def _terminated(*_: object) -> NoReturn:
    raise Terminated


def main() -> None:
    """The `pynats` command."""
    environment = Environment.current()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A SIGTERM ends like Ctrl-C does, cleaning up; `reply` and `server run` have their own way.
    signal.signal(signal.SIGTERM, _terminated)
    status = run(sys.argv[1:], environment)
    try:
        environment.stdout.flush()
        environment.stderr.flush()
    except OSError:  # the reader went away (`pynats ... | head -1`)
        status = status or ExitStatus.FAILURE
    if environment.interrupted and (environment.stdin.isatty() or environment.stderr.isatty()):
        # To a shell this is 130 too, and only so does it leave the loop that pynats was run in.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    # All is written and closed: taking the interpreter apart would be a sixth of the time of a request.
    os._exit(status)
