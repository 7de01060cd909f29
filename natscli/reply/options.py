"""The options of `pynats reply`, checked before anything connects."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

from natscli.errors import InputError, refuse_alone, refuse_together
from natscli.message import headers, subjects
from natscli.message.header_lines import HeaderTemplates
from natscli.message.templates import compile_template


@dataclass(frozen=True)
class ReplyOptions:
    """What was given on the command line, by the names of its parameters. Durations in seconds."""

    subject: str | None = None
    body: str | None = None
    echo: bool = False
    command: str | None = None
    pipe: str | None = None
    handler: str | None = None
    reload: bool = False
    upstream: str | None = None
    candidate: str | None = None
    ignore: tuple[str, ...] = ()
    ignore_header: tuple[str, ...] = ()
    match: str | None = None
    replies: int = 1
    reply_timeout: float = 0.3
    mock: str | None = None
    record: str | None = None
    service: str | None = None
    service_version: str = "0.0.0"
    endpoint: str = ""
    description: str = ""
    metadata: tuple[str, ...] = ()
    queue: str | None = None
    sleep: str | None = None
    fail: str | None = None
    drop: str | None = None
    random_seed: int | None = None
    header: tuple[str, ...] = ()
    count: int = 0
    concurrency: int | None = None
    command_timeout: float = 30.0
    wait: float = 0.0
    format: str | None = None
    templates: bool = True
    as_json: bool = False
    quiet: bool = False
    verbose: bool = False
    stats: bool = False
    processes: int = 1

    @property
    def responder(self) -> ResponderOption:
        """The option that says what to answer with; without any, it is --echo."""
        return next((row for row in RESPONDERS if row.is_given(self)), ECHO)

    @property
    def title(self) -> str:
        """What runs, as the heading of its statistics."""
        without = f"--mock {self.mock}" if self.handler is None else f"--handler {self.handler}"
        return f"pynats reply {self.subject or without}"

    @property
    def group(self) -> str:
        """The queue group: the one given, else that of the Go CLI's responders, or that of services (ADR-32)."""
        if self.queue is not None:
            return self.queue
        if self.service is None:
            return "NATS-RPLY-22"
        from natscli.message.micro import DEFAULT_QUEUE  # only services need it

        return DEFAULT_QUEUE

    @property
    def commands_at_once(self) -> int:
        """Commands that may run at once: two more than cores, so that none is idle while others start or end."""
        return self.concurrency or (os.cpu_count() or 1) + 2

    @property
    def handlers_at_once(self) -> int:
        """Requests that a handler may be called for at once: it is expected to wait more than to compute."""
        return self.concurrency or 100


@dataclass(frozen=True)
class ResponderOption:
    """An option that says what requests are answered with; only one of them can be given.

    `field` is its field of `ReplyOptions`, `module` the one below `reply/` whose `build(options, environment)` makes
    the responder. It `excludes` other options, and those that it `allows` mean nothing without it.
    """

    name: str
    field: str
    module: str
    excludes: tuple[str, ...] = ()
    allows: tuple[str, ...] = ()

    def is_given(self, options: ReplyOptions) -> bool:
        """Whether it is among the options."""
        return bool(getattr(options, self.field) != getattr(ReplyOptions, self.field))


#: What answers when nothing else is asked for.
ECHO = ResponderOption("--echo", "echo", "responders.echo")
#: All of them: a new responder is a row here.
RESPONDERS = (
    ResponderOption("BODY", "body", "responders.static"),
    ECHO,
    ResponderOption("--command", "command", "responders.command"),
    ResponderOption("--pipe", "pipe", "responders.pipe"),
    ResponderOption("--handler", "handler", "python.build", allows=("--reload",)),
    ResponderOption(
        "--upstream",
        "upstream",
        "responders.proxy.upstream",
        excludes=("--header", "--format"),
        allows=("--candidate", "--replies"),
    ),
    ResponderOption("--mock", "mock", "responders.mock", excludes=("--header",), allows=("--reload",)),
)

#: Whether any other option was given, by the name that errors have for it.
_GIVEN: dict[str, Callable[[ReplyOptions], bool]] = {
    "--header": lambda options: bool(options.header),
    "--format": lambda options: options.format is not None,
    "--mock -": lambda options: options.mock == "-",
    "--record -": lambda options: options.record == "-",
    "--json": lambda options: options.as_json,
    "--processes": lambda options: options.processes > 1,
    "--candidate": lambda options: options.candidate is not None,
    "--replies": lambda options: options.replies != 1,
    "--replies other than 1": lambda options: options.replies != 1,
    "--reply-timeout": lambda options: options.reply_timeout != ReplyOptions.reply_timeout,
    "--verbose": lambda options: options.verbose,
    "--ignore": lambda options: bool(options.ignore),
    "--ignore-header": lambda options: bool(options.ignore_header),
    "--match": lambda options: options.match is not None,
    "--match exact": lambda options: options.match == "exact",
    "--reload": lambda options: options.reload,
    "--stats": lambda options: options.stats,
    "--quiet": lambda options: options.quiet,
    "--service": lambda options: options.service is not None,
    "--service-version": lambda options: options.service_version != ReplyOptions.service_version,
    "--endpoint": lambda options: bool(options.endpoint),
    "--description": lambda options: bool(options.description),
    "--metadata": lambda options: bool(options.metadata),
}

#: Options of which only one can be given, apart from those of responders.
_EXCLUSIVE: tuple[tuple[str, ...], ...] = (
    ("--stats", "--quiet"),
    ("--stats", "--verbose"),
    ("--quiet", "--verbose"),
    ("--candidate", "--replies"),
    ("--match exact", "--ignore"),
    ("--mock -", "--processes"),
    ("--mock -", "--reload"),
    ("--record -", "--processes"),
    ("--record -", "--json"),
)

#: Options that mean nothing without --candidate.
_OF_CANDIDATES = ("--ignore", "--ignore-header", "--match")
#: Options that mean nothing without --service.
_OF_SERVICES = ("--service-version", "--endpoint", "--description", "--metadata")


def _check_together(options: ReplyOptions) -> None:
    """Refuse options that exclude each other, or mean nothing alone.

    Raises:
        InputError: it names them.
    """
    given = {row.name: row.is_given(options) for row in RESPONDERS}
    given |= {name: is_given(options) for name, is_given in _GIVEN.items()}
    excluded = [(row.name, other) for row in RESPONDERS for other in row.excludes]
    refuse_together(given, tuple(row.name for row in RESPONDERS), *excluded, *_EXCLUSIVE)
    needs: dict[str, tuple[str, ...]] = dict.fromkeys(_OF_SERVICES, ("--service",))
    for row in RESPONDERS:
        for option in row.allows:
            needs[option] = (*needs.get(option, ()), row.name)
    needs |= dict.fromkeys(_OF_CANDIDATES, ("--candidate",))
    refuse_alone(given, *needs.items(), ("--reply-timeout", ("--replies other than 1",)))


def check(options: ReplyOptions) -> None:
    """Refuse what cannot be meant together, and subjects that cannot be listened on.

    Raises:
        InputError: options that exclude each other, by their names, or a value that is wrong.
    """
    _check_together(options)
    if options.subject is not None:
        subjects.check_subscribe_subject(options.subject)
    elif options.mock is None and options.handler is None:
        raise InputError("missing argument 'SUBJECT'", hint="try 'pynats reply --help'")
    subjects.check_queue_option(options.group)
    for name in options.ignore_header:
        headers.check_name(name, "--ignore-header")
    if options.service is not None:
        _check_service(options, options.service)
    if options.processes > 1 and not options.group:
        raise InputError("several processes need a queue group, or each of them would answer every request",
                         where="--queue")  # fmt: skip
    if options.command is not None and sys.platform == "win32":
        raise InputError("Windows cannot run a command for each request", where="--command")
    if options.command_timeout == 0:
        raise InputError("a timeout must be more than 0", where="--command-timeout")
    if options.reply_timeout == 0:
        raise InputError("a timeout must be more than 0", where="--reply-timeout")
    if options.record is not None:
        from natscli.system.files import check_apart

        handler = options.handler or ""
        read = [("--mock", options.mock), ("--handler", handler), ("--handler", handler.rpartition(":")[0])]
        check_apart(read, [("--record", options.record)])


def _check_service(options: ReplyOptions, name: str) -> None:
    """Refuse what a service of that name cannot be (ADR-32).

    Raises:
        InputError: a name, a version or metadata that is wrong.
    """
    from natscli.message import micro

    micro.check_name(name, "--service")
    micro.check_version(options.service_version, "--service-version")
    if options.endpoint:
        micro.check_name(options.endpoint, "--endpoint")
    for pair in options.metadata:
        if not pair.partition("=")[0] or "=" not in pair:
            raise InputError(f"expected KEY=VALUE, not {pair!r}", where="--metadata")


def header_templates(options: ReplyOptions) -> HeaderTemplates:
    """The headers of all replies.

    Raises:
        InputError: a header that cannot be sent, or a template that is wrong.
    """
    return tuple(
        (name, compile_template(value, "--header", reply=True, enabled=options.templates))
        for name, value in headers.parse(options.header)
    )
