"""The options of `pynats request`, checked before anything connects."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from natscli.duration import is_rate
from natscli.errors import InputError, refuse_alone, refuse_together
from natscli.frozen import Frozen
from natscli.request.load import RETRYABLE, Load, Retries

if TYPE_CHECKING:
    from natscli.request.schedule import OpenLoop

#: Seconds to the next of several replies, without --reply-timeout; as in the Go CLI.
_DEFAULT_GAP = 0.3
#: Requests in flight at a --rate without --concurrency: a bound for the memory.
MOST_IN_FLIGHT = 65_536


class RequestOptions(Frozen):
    """What was given on the command line, by the names of its parameters. Durations in seconds."""

    subject: str
    body: str | None = None
    body_file: str | None = None
    raw: bool = False
    header: tuple[str, ...] = ()
    count: int | None = None
    concurrency: int | None = None
    duration: float | None = None
    rate: float | None = None
    ramp: float | None = None
    warmup: int | None = None
    processes: int | None = None
    retries: int | None = None
    retry_on: str | None = None
    wait_for_responders: float | None = None
    fail_fast: bool = False
    replies: int = 1
    first: int | None = None
    reply_timeout: float | None = None
    wait_for_empty: bool = False
    translate: str | None = None
    force_stdin: bool = False
    send_on: str = "eof"
    format: str | None = None
    templates: bool = True
    output: str | None = None
    summary_json: str | None = None
    hdr: str | None = None
    report: str | None = None
    record: str | None = None
    timings: bool = False
    fail_if: tuple[str, ...] = ()
    baseline: str | None = None
    expect: tuple[str, ...] = ()
    expect_service: str | None = None
    query: str | None = None
    verbose: bool = False
    as_json: bool = False
    quiet: bool = False

    @property
    def by_line(self) -> bool:
        """Whether each line of standard input is a request."""
        return self.send_on == "newline"

    @property
    def many_requests(self) -> bool:
        """Whether requests are numbered and summed up."""
        return self.count is not None or self.duration is not None or self.by_line

    @property
    def is_load(self) -> bool:
        """Whether there are more requests than a person reads."""
        return ((self.count or 1) > 1 or self.duration is not None) and not self.by_line

    @property
    def many_replies(self) -> bool:
        """Whether a request may have more than one reply."""
        return self.replies != 1 or self.first is not None or self.wait_for_empty

    @property
    def log_each(self) -> bool:
        """Whether each request is logged."""
        return not (self.raw or self.as_json)


#: Whether an option was given, by the name that errors have for it.
_GIVEN: dict[str, Callable[[RequestOptions], bool]] = {
    "BODY": lambda options: options.body is not None,
    "--body-file": lambda options: options.body_file is not None,
    "--force-stdin": lambda options: options.force_stdin,
    "--record": lambda options: options.record is not None,
    "--record -": lambda options: options.record == "-",
    "--send-on newline": lambda options: options.by_line,
    "--format": lambda options: options.format is not None,
    "--raw": lambda options: options.raw,
    "--json": lambda options: options.as_json,
    "--translate": lambda options: options.translate is not None,
    "--output": lambda options: options.output is not None,
    "--replies": lambda options: options.replies != 1,
    "--replies other than 1": lambda options: options.replies != 1,
    "--first": lambda options: options.first is not None,
    "--wait-for-empty": lambda options: options.wait_for_empty,
    "--count": lambda options: options.count is not None,
    "--duration": lambda options: options.duration is not None,
    "--rate": lambda options: options.rate is not None,
    "--ramp": lambda options: options.ramp is not None,
    "--warmup": lambda options: options.warmup is not None,
    "--processes": lambda options: options.processes is not None,
    "--timings": lambda options: options.timings,
    "--summary-json -": lambda options: options.summary_json == "-",
    "--hdr -": lambda options: options.hdr == "-",
    "--report": lambda options: options.report is not None,
    "--report -": lambda options: options.report == "-",
    "--expect": lambda options: bool(options.expect),
    "--expect-service": lambda options: options.expect_service is not None,
    "--query": lambda options: options.query is not None,
    "--retries": lambda options: options.retries is not None,
    "--retry-on": lambda options: options.retry_on is not None,
    "--quiet": lambda options: options.quiet,
    "--verbose": lambda options: options.verbose,
    "--fail-fast": lambda options: options.fail_fast,
}

#: Options of which only one can be given.
_EXCLUSIVE: tuple[tuple[str, ...], ...] = (
    ("--quiet", "--verbose"),
    ("--raw", "--json", "--output"),
    ("--translate", "--output"),
    *(("--query", other) for other in ("--json", "--translate", "--processes")),
    ("BODY", "--body-file", "--force-stdin"),
    ("BODY", "--body-file", "--send-on newline"),
    ("--replies", "--first"),
    ("--wait-for-empty", "--first"),
    ("--rate", "--send-on newline"),
    ("--processes", "--raw", "--json"),
    ("--processes", "--format"),
    ("--processes", "--translate", "--output"),
    ("--processes", "--timings"),
    ("--processes", "--record"),
    *(("--record -", other) for other in ("--json", "--raw", "--output", "--query")),
    *(("--report -", other) for other in ("--json", "--raw", "--output", "--query")),
    *((own, other) for own in ("--summary-json -", "--hdr -") for other in ("--json", "--raw", "--query")),
    *(("--expect-service", other) for other in ("--count", "--duration", "--send-on newline", "--format")),
    ("--processes", "--verbose"),
    ("--processes", "--send-on newline"),
    ("--processes", "--fail-fast"),
)

#: Options that mean nothing without one of the others.
_NEEDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("--rate", ("--count", "--duration")),
    ("--ramp", ("--rate",)),
    ("--processes", ("--count", "--duration")),
    ("--warmup", ("--count", "--duration", "--send-on newline")),
    ("--fail-fast", ("--count", "--duration", "--send-on newline")),
    ("--retry-on", ("--retries",)),
    ("--expect-service", ("--first", "--wait-for-empty", "--replies other than 1")),
    ("--report", ("--count", "--duration", "--send-on newline")),
)

#: Options that take time, and what of them; it must be more than 0.
_TIMES: dict[str, tuple[str, Callable[[RequestOptions], float | None]]] = {
    "--reply-timeout": ("a timeout", lambda options: options.reply_timeout),
    "--duration": ("a duration", lambda options: options.duration),
    "--wait-for-responders": ("a duration", lambda options: options.wait_for_responders),
}


def check(options: RequestOptions) -> None:
    """Refuse what cannot be meant together.

    Raises:
        InputError: options that exclude each other, by their names, or a value that is out of range.
    """
    given = {name: is_given(options) for name, is_given in _GIVEN.items()}
    refuse_together(given, *_EXCLUSIVE)
    refuse_alone(given, *_NEEDS)
    for name, (kind, time_of) in _TIMES.items():
        seconds = time_of(options)
        if seconds is not None and not seconds > 0:
            raise InputError(f"{kind} must be more than 0", where=name)
    if options.rate is not None and not is_rate(options.rate):
        raise InputError("a rate must be more than 0", where="--rate")
    if options.processes is not None and (options.concurrency or options.processes) < options.processes:
        raise InputError(
            "--concurrency is for all processes: give at least one for each", where="--processes"
        )
    several = options.many_requests or options.many_replies
    if options.output not in (None, "-") and several and "{n}" not in options.output:
        raise InputError("the name of the file needs {n} for the number of each reply", where="--output")
    if options.expect_service is not None:
        from natscli.message.micro import check_name

        check_name(options.expect_service, "--expect-service")
    retries(options)


def retries(options: RequestOptions) -> Retries:
    """What is sent again, and how often.

    Raises:
        InputError: --retry-on names something else than a failure that can be retried.
    """
    if options.retry_on is None:
        return Retries(options.retries or 0)
    names = [name.strip() for name in options.retry_on.split(",")]
    for name in names:
        if name not in RETRYABLE:
            raise InputError(f"{name!r} is not one of {', '.join(RETRYABLE)}", where="--retry-on")
    return Retries(options.retries or 0, frozenset(RETRYABLE[name] for name in names))


def load(options: RequestOptions) -> Load:
    """How the requests of the run are sent."""
    schedule = _schedule(options.rate, options.ramp or 0.0) if options.rate is not None else None
    return Load(
        concurrency=options.concurrency or (MOST_IN_FLIGHT if schedule else options.processes or 1),
        schedule=schedule,
        duration=options.duration or 0.0,
        warmup=options.warmup or 0,
        retries=retries(options),
        wait_for_responders=options.wait_for_responders or 0.0,
        fail_fast=options.fail_fast,
    )


def _schedule(rate: float, ramp: float) -> OpenLoop:
    from natscli.request.schedule import OpenLoop

    return OpenLoop(rate, ramp)


class Expectation(Frozen):
    """When a request is done. Times in seconds.

    `replies` many replies, the first within `first`, each later one within `gap` of the one before; 0 for all that
    come within `first`, up to `most` of them if that is not 0; with `until_empty`, all until an empty one.
    `last` is how errors call that one, `silence` is a hint for when no reply comes.
    """

    replies: int
    first: float
    gap: float
    until_empty: bool = False
    most: int = 0
    last: str = "empty one"
    silence: str = ""

    @property
    def several(self) -> bool:
        """Whether there may be more than one reply."""
        return self.replies != 1 or self.until_empty


def expectation(options: RequestOptions, timeout: float) -> Expectation:
    """What every request of the run waits for; `timeout` is that of the connection settings."""
    given = options.reply_timeout
    return Expectation(
        replies=options.replies if options.first is None else 0,
        first=timeout if options.many_replies or given is None else given,
        gap=_DEFAULT_GAP if given is None else given,
        until_empty=options.wait_for_empty,
        most=options.first or 0,
    )
