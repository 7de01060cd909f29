"""Click types and the option decorators that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from natscli.contexts.kinds import PARTS, Holds
from natscli.duration import parse_duration
from natscli.errors import InputError
from natscli.system.terminal import is_same_file

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from natscli.environment import Environment
    from natscli.programs.translate import Translator
    from natscli.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])

#: Heading of the options that `connection_options` adds.
CONNECTION = "Connection"
#: Notes of the commands that send.
SENDING = """
Templates in BODY, SUBJECT and header values:
  {{Count}}          its number, from 1   {{ID}}        a unique ID
  {{Time}}           the time, 3:04PM     {{Unix}}      seconds since 1970
  {{TimeStamp}}      the time, RFC 3339   {{UnixNano}}  nanoseconds
  {{Random 10 100}}  10 to 100 random letters and digits

Without a BODY, standard input is the payload, unless it is a terminal. Templates in files and in standard input are
sent as they are.
"""


class App:
    """What the commands of one run share: the environment and the connection flags given so far."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.flags: dict[str, Any] = {}


pass_app = click.make_pass_decorator(App)


class Duration(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A Go duration (`300ms`, `1m30s`, `1d`) or a bare number of seconds; becomes seconds as a float."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, (int, float)):
            return float(value)
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = Duration()


class FileName(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A file name, or a reference to what a file would hold: completed, and not checked. It is read, or `written`.

    What is read is not stdout: with `>>` a program would read what it writes, without an end.
    """

    name = "file"

    def __init__(self, *, written: bool = False) -> None:
        self.written = written

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        app = ctx.find_object(App) if ctx is not None else None
        if app is None or ctx is None or param is None or self.written or ctx.resilient_parsing:
            return value
        environment = app.environment
        if is_same_file(environment.stdin if value == "-" else value, environment.stdout):
            option = param.param_type_name == "option"
            name = max(param.opts, key=len) if option else param.make_metavar(ctx)
            raise InputError(f"{name} and standard output are the same file")
        return value

    def shell_complete(self, *given: Any) -> list[CompletionItem]:
        """Let the shell complete file names."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(given[-1], type="file")]


#: The type of what is read, and of what is written.
READ, WRITTEN = FileName(), FileName(written=True)


class Option(click.Option):
    """An option with its place in the help: the heading it is listed under, and whether `-h` shows it."""

    def __init__(
        self, *args: Any, group: str = "Options", common: bool = False, help: str = "", **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.help = help  # as it is: click would take out the indent of a docstring, with `inspect`
        self.group = group
        self.common = common


class WholeNumber(click.IntRange):
    """An integer in a range; errors are in plain words."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            number = int(value)
        except ValueError:
            self.fail(f"{value!r} is not a whole number", param, ctx)
        if self.min is not None and number < self.min:
            self.fail(f"{number} is less than {self.min}", param, ctx)
        if self.max is not None and number > self.max:
            self.fail(f"{number} is more than {self.max}", param, ctx)
        return number


class Number(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A number, with or without decimals; infinite and undefined ones are left to the command to refuse."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number", param, ctx)


def option(*declarations: str, **attributes: Any) -> Callable[[F], F]:
    """`click.option` with a `group` (its heading in the help) and `common` (whether `-h` shows it)."""
    return _add(_made(*declarations, **attributes))


def _made(*declarations: str, **attributes: Any) -> Option:
    """The option that `option` adds."""
    kind = attributes.get("type")
    if isinstance(kind, click.IntRange) or kind is int:
        low, high = (kind.min, kind.max) if isinstance(kind, click.IntRange) else (None, None)
        attributes["type"] = WholeNumber(min=low, max=high)
    return Option(declarations, **attributes)


def _add(*options: Option) -> Callable[[F], F]:
    """Gives a command these options, which others may have too: making options is a good part of the start."""

    def decorate(command: F) -> F:
        for one in reversed(options):
            command = click.option(cls=cast(Any, lambda *_, one=one, **__: one))(command)
        return command

    return decorate


#: Connection settings that are files, of which `-` is stdin; a secret of `-` is asked for.
CONNECTION_FILES = (
    *(part.setting for part in PARTS if part.holds is Holds.FILE),
    *("tlscert", "tlskey", "tlsca"),
)
#: What `-` is for those: there they are read from, once.
STDIN = "/dev/stdin"


def _record(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Keep a connection flag for `settings.resolve`; the command's comes after the root's, so it wins."""
    if value is None or value is False:
        return
    app = ctx.find_object(App)
    if value == "-" and param.name in CONNECTION_FILES and os.name == "posix":
        value = STDIN
    if app is not None and param.name is not None:
        app.flags[param.name] = value
        app.flags.pop({"context": "no_context", "no_context": "context"}.get(param.name, ""), None)


def _set_environment(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    app = ctx.find_object(App)
    if value is not None and value is not False and app is not None and param.name is not None:
        setattr(app.environment, param.name, value)


def _set_log(ctx: click.Context, param: click.Parameter, value: str | None) -> None:  # noqa: ARG001
    app = ctx.find_object(App)
    if value is not None and app is not None:
        app.environment.write_log_as(value)


def complete_contexts(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    """Names of the known contexts, for shell completion."""
    from natscli.contexts.store import ContextStore
    from natscli.errors import InputError

    app = ctx.find_object(App)
    assert app is not None
    try:
        names = ContextStore(app.environment.config_dir, app.environment.warn).names()
    except (InputError, OSError):
        return []
    return [name for name in names if name.startswith(incomplete)]


#: declarations, environment variable, metavar, help: the connection settings of the command line, once.
_CONNECTION: tuple[tuple[tuple[str, ...], str, str, str], ...] = (
    (("-s", "--server", "server"), "NATS_URL", "URL", "Connect to URL; separate several with commas."),
    *(((f"--{p.setting}", p.setting), p.variable, p.metavar, p.help) for p in PARTS if p.help),
    (("--tlscert", "tlscert"), "NATS_CERT", "FILE", "Use this TLS client certificate."),
    (("--tlskey", "tlskey"), "NATS_KEY", "FILE", "Use this TLS private key."),
    (("--tlsca", "tlsca"), "NATS_CA", "FILE", "Trust the certificate authorities in FILE."),
    (("--inbox-prefix", "inbox_prefix"), "", "PREFIX", "Receive replies on inboxes with this prefix."),
    (("--socks-proxy", "socks_proxy"), "NATS_SOCKS_PROXY", "URL", "Connect through a SOCKS5 proxy."),
    (("--connection-name", "connection_name"), "", "NAME", "Name the connection, as the server lists it."),
)


def connection_options(command: F) -> F:
    """Add every connection option; what is given lands in `App.flags`, never in the command's arguments."""
    return _add(*_connection_options(), *_output_options())(command)


@cache
def _connection_options() -> tuple[Option, ...]:
    made: list[Option] = []

    def add(*declarations: str, **attributes: Any) -> None:
        made.append(
            _made(*declarations, expose_value=False, group=CONNECTION, callback=_record, **attributes)
        )

    for declarations, variable, metavar, text in _CONNECTION:
        files = metavar in ("FILE", "LOCATION")
        add(
            *declarations,
            metavar=metavar,
            type=READ if files else None,
            help=f"{text}  [{variable}]" if variable else text,
        )
    add("--tlsfirst", "--tls-first", "tlsfirst", is_flag=True, default=None,
        help="Start TLS before the server sends its INFO.")  # fmt: skip
    add("--timeout", "timeout", type=DURATION, metavar="DURATION",
        help="Limit the time to connect, and to wait for a reply.  [NATS_TIMEOUT; default: 5s]")  # fmt: skip
    add("--context", "context", metavar="NAME", shell_complete=complete_contexts,
        help="Use this context instead of the selected one.  [NATS_CONTEXT]")  # fmt: skip
    add("--no-context", "no_context", is_flag=True, default=None, help="Use no context.")
    return tuple(made)


def output_options(command: F) -> F:
    """Add `--color`, `--log` and `--trace`, for commands that do not connect."""
    return _add(*_output_options())(command)


@cache
def _output_options() -> tuple[Option, ...]:
    return (
        _made("--color", "color", type=click.Choice(["auto", "always", "never"]), callback=_set_environment,
              expose_value=False, group="Output", is_eager=True,
              help="Choose when to use colours.  [NO_COLOR, CLICOLOR_FORCE; default: auto]"),
        _made("--log", "log", type=click.Choice(["text", "json"]), callback=_set_log, expose_value=False,
              group="Output", is_eager=True,
              help="Write the log, stderr, as text or as lines of JSON.  [default: text]"),
        _made("--trace", "trace", is_flag=True, default=None, callback=_set_environment, expose_value=False,
              group="Output", help="Log more details to stderr, tracebacks included."),
    )  # fmt: skip


def ask_and_hide(app: App) -> None:
    """Ask for a password or token given as `-`, and keep secret arguments out of `ps` and of what is shown.

    Raises:
        InputError: there is no terminal to ask at.
    """
    from natscli.contexts.format import url_secrets

    flags = app.flags
    given = [(part, flags[part.setting]) for part in PARTS if part.setting in flags]
    secrets = [value for part, value in given if part.holds is Holds.SECRET and value != "-"]
    secrets += [value for part, value in given if part.holds is Holds.FILE and value.startswith("data:")]
    if "user" in flags and "password" not in flags:
        secrets.append(flags["user"])  # perhaps a token
    arguments = [
        *secrets,
        *(s for name in ("server", "socks_proxy") for s in url_secrets(flags.get(name) or "")),
    ]
    if arguments:
        from natscli.system import title

        title.hide(arguments)
        app.environment.redactor.add(*arguments)
    for part, value in given:
        if part.asked and value == "-":
            from natscli.secrets.prompts import ask_secret

            flags[part.setting] = ask_secret(app.environment, part.label, f"--{part.setting}")


def connection_settings(app: App) -> Settings:
    """The settings that the flags, the environment and the context of this run give.

    Asks for a password or token given as `-`, and keeps every secret out of what is shown.

    Raises:
        InputError: see `settings.resolve`; or there is no terminal to ask at.
    """
    from natscli.contexts.store import ContextStore
    from natscli.settings import resolve

    ask_and_hide(app)
    environment = app.environment
    settings = resolve(app.flags, environment.environ, ContextStore(environment.config_dir, environment.warn))
    environment.redactor.add(*settings.secrets)
    return settings


def new_translator(app: App, command: str | None) -> Translator | None:
    """What --translate COMMAND asks for.

    Raises:
        InputError: see `Translator`.
    """
    if command is None:
        return None
    from natscli.programs.translate import Translator

    return Translator(command, app.environment.environ)
