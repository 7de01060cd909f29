"""The root command: a static table of commands, each imported only when it runs."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from natscli import __version__
from natscli.cli.groups import Group, show_help, show_topics
from natscli.cli.options import App, connection_options, option, pass_app
from natscli.environment import Environment
from natscli.errors import EXIT_STATUS_HELP, ExitStatus, PynatsError, Report, Terminated, explain
from natscli.system.signals import run_exit_functions, when_done

if TYPE_CHECKING:
    from natscli.cli.pages import Section

#: name -> (module below natscli.commands, one line of help). The help is repeated here so that `pynats --help` imports
#: none of them; a test holds the two together.
COMMANDS: dict[str, tuple[str, str]] = {
    "learn": ("learn", "Learn pynats step by step, in this terminal."),
    "reply": ("reply", "Answer requests with a body, a command or Python code."),
    "request": ("request", "Send a request and show the replies."),
    "watch": ("watch", "Show the requests of others and their replies."),
    "compare": ("compare", "Compare two runs of requests."),
    "verify": ("verify", "Send recorded requests again and compare the replies."),
    "service": ("service", "Find services, show their endpoints and statistics."),
    "publish": ("publish", "Publish messages to a subject."),
    "subscribe": ("subscribe", "Receive messages and show them."),
    "trace": ("trace", "Show where a message goes: servers, accounts, receivers."),
    "rtt": ("rtt", "Measure the RTT to the servers."),
    "context": ("context", "Manage contexts: named connection settings."),
    "server": ("server", "Run a local nats-server, or look at the connected one."),
    "completion": ("completion", "Print or install shell completion."),
}
ALIASES: dict[str, str] = {
    "req": "request",
    "pub": "publish",
    "sub": "subscribe",
    "ctx": "context",
    "svc": "service",
}


class RootGroup(Group):
    """The root, whose help also has what holds for all commands."""

    short_examples = 1

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise click.Abort from error  # as click has it, but for the empty line that it writes
        except EOFError as error:  # of a file, as of a module that is cut off: click would take it for Ctrl-D
            raise RuntimeError(f"a file ends too early: {error}") from error

    def appendix(self) -> tuple[Section, ...]:
        from natscli.cli.pages import Entry, Section

        return (
            Section("Exit status", tuple(Entry(str(int(s)), text) for s, text in EXIT_STATUS_HELP.items())),
            Section(
                "Environment",
                (
                    Entry("NATS_*", "the connection options, as in the brackets above"),
                    Entry("XDG_CONFIG_HOME", "where contexts are kept, default ~/.config"),
                    Entry("NO_COLOR, CLICOLOR_FORCE", "never, or always, use colours"),
                ),
            ),
        )


def _show_version(app: App, *, verbose: bool) -> None:
    if not verbose:
        app.environment.out(f"pynats {__version__}\n")
        return
    from natscli.cli.versions import versions

    app.environment.out(versions(app.environment.environ))


def _version_asked(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001
    verbose = "--verbose" in ctx.meta
    if ctx.resilient_parsing:
        return
    if value:
        _show_version(ctx.ensure_object(App), verbose=verbose)
        ctx.exit()
    if verbose:
        from natscli.cli.mistyped import explained

        raise explained(click.NoSuchOption("--verbose", ctx=ctx), ctx)


def _verbose_asked(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001
    if value:
        ctx.meta["--verbose"] = True


@click.command(
    cls=RootGroup,
    table=COMMANDS,
    aliases=ALIASES,
    examples={
        "pynats server run": "start a server to try it on",
        "pynats reply help.please 'OK, I CAN HELP!!!'": "answer requests",
        "pynats request help.please 'I need help!'": "send a request",
        "pynats context add local -s 127.0.0.1 --select": "save a server",
    },
)
@option("--version", is_flag=True, expose_value=False, callback=_version_asked,
              help="Show the version; with --verbose those of nats-py, Python and nats-server too.")  # fmt: skip
@option("--verbose", is_flag=True, is_eager=True, expose_value=False, callback=_verbose_asked, hidden=True,
              help="Show more versions with --version.")  # fmt: skip
@connection_options
def cli() -> None:
    """NATS request/reply for the terminal; 'pynats learn' shows it step by step.

    Answers requests, sends them, measures them, and shares its contexts with the nats CLI. Connection options can be
    given before or after the command; the later one wins.
    """


@cli.command(
    "help",
    hidden=True,
    examples={
        "pynats help": "list the commands and topics",
        "pynats help reply": "one in full",
        "pynats help credentials": "a page about a topic",
    },
)
@click.argument("command", nargs=-1, metavar="COMMAND|TOPIC")
@click.pass_context
def help_(ctx: click.Context, command: tuple[str, ...]) -> None:
    """Show the help of a command or a topic, or list them."""
    from natscli.cli.help import width_of
    from natscli.cli.mistyped import near, no_such_command
    from natscli.cli.topics import TOPICS, show_topic

    shown = ctx.find_root()
    name = command[0].lower() if len(command) == 1 else ""
    if name in TOPICS and name not in COMMANDS:
        environment = ctx.ensure_object(App).environment
        show_topic(environment, TOPICS[name], width_of(environment))
        return
    known = {*cli.commands, *COMMANDS, *ALIASES}
    if command and command[0] not in known:
        subject = no_such_command(command[0], command[1:], {*known, *TOPICS})
        if subject is not None:
            raise subject
    if name and name not in known and not near(name, known):
        raise click.UsageError(f"no such command or topic {command[0]!r}{near(name, TOPICS)}", ctx)
    if not command:
        show_help(shown, everything=False)
        show_topics(shown)
        return
    for name in command:
        group = shown.command
        if not isinstance(group, Group):
            raise click.UsageError(f"{shown.command_path} has no commands", shown)
        found, child, _ = group.resolve_command(shown, [name])
        assert child is not None
        shown = click.Context(child, parent=shown, info_name=found)
    show_help(shown, everything=bool(command))


@cli.command(hidden=True, examples={"pynats version": "show it", "pynats --version": "the same"})
@option("-v", "--verbose", is_flag=True, help="Show the versions of nats-py, Python and nats-server too.")
@pass_app
def version(app: App, verbose: bool) -> None:
    """Show the version."""
    _show_version(app, verbose=verbose)


def run(arguments: list[str], environment: Environment) -> int:
    """Run one command line and return its exit status; never raises, shows errors on `environment.stderr`."""
    if "_PYNATS_COMPLETE" in environment.environ:
        from natscli.cli import completion

        environment.out(completion.answer(cli, App(environment)))
        return ExitStatus.OK
    app = App(environment)
    environment.arguments = arguments
    report: Report | None = None
    try:
        result = cli.main(arguments, prog_name="pynats", standalone_mode=False, obj=app)
        status = result if isinstance(result, int) else ExitStatus.OK
        environment.stdout.flush()
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except SystemExit as stop:  # click does this when the reader of stdout went away
        return stop.code if isinstance(stop.code, int) else ExitStatus.FAILURE
    except BaseException as error:
        if not isinstance(error, PynatsError):
            environment.log_traceback(error)
        report = explain(error)
        status = report.status
        if status == ExitStatus.USAGE and not environment.log_json and _wants_json(arguments):
            environment.write_log_as("json")
        cause = error.__cause__ if isinstance(error, click.Abort) else error
        environment.interrupted = type(cause) is KeyboardInterrupt
        if environment.interrupted and environment.stderr.isatty():
            environment.sink(b"\n")  # the terminal shows ^C at the beginning of the line
    if report is not None:
        environment.error(report)
    return status


def _wants_json(arguments: list[str]) -> bool:
    """Whether `--log json` is given, where a mistake kept the options from being read."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--log json" in " ".join(options).replace("--log=json", "--log json")


def _interrupted(*_: object) -> NoReturn:
    # Python's own handler does the same; but that one asyncio replaces by another, at a price.
    raise KeyboardInterrupt


def _terminated(*_: object) -> NoReturn:
    raise Terminated


def main() -> None:
    """The `pynats` command."""
    environment = Environment.current()
    signal.signal(signal.SIGINT, _interrupted)
    # A SIGTERM ends like Ctrl-C does, cleaning up; `reply` and `server run` have their own way.
    signal.signal(signal.SIGTERM, _terminated)
    status = run(sys.argv[1:], environment)
    when_done(lambda: os._exit(status or ExitStatus.INTERRUPTED))
    run_exit_functions()
    try:
        environment.stdout.flush()
        environment.stderr.flush()
    except OSError:  # the reader went away (`pynats ... | head -1`)
        status = status or ExitStatus.FAILURE
    credentials = sys.modules.get("natscli.contexts.credentials")
    if credentials is not None:
        credentials.end_programs()
    # `exit()` in a handler closes stdin.
    on_terminal = any(not s.closed and s.isatty() for s in (environment.stdin, environment.stderr))
    if environment.interrupted and on_terminal and sys.platform != "win32":
        # To a shell this is 130 too, and only so does it leave the loop that pynats was run in.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    # All is written and closed: taking the interpreter apart would be a sixth of the time of a request.
    os._exit(status)
