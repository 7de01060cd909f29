"""The root command: a static table of commands, each imported only when it runs."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

import click

from natscli import __version__
from natscli.cli.groups import Group
from natscli.cli.options import App, connection_options
from natscli.environment import Environment
from natscli.errors import EXIT_STATUS_HELP, ExitStatus, PynatsError, Report, Terminated, explain

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
