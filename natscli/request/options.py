"""The options of `pynats request`, checked before anything connects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from natscli.errors import InputError, refuse_together

#: Seconds to the next of several replies, without --reply-timeout; as in the Go CLI.
_DEFAULT_GAP = 0.3


@dataclass(frozen=True)
class RequestOptions:
    """What was given on the command line, by the names of its parameters. Durations in seconds."""

    subject: str
    body: str | None = None
    body_file: str | None = None
    raw: bool = False
    header: tuple[str, ...] = ()
    count: int | None = None
    concurrency: int = 1
    replies: int = 1
    reply_timeout: float | None = None
    wait_for_empty: bool = False
    translate: str | None = None
    force_stdin: bool = False
    send_on: str = "eof"
    templates: bool = True
    as_json: bool = False
    quiet: bool = False

    @property
    def by_line(self) -> bool:
        """Whether each line of standard input is a request."""
        return self.send_on == "newline"

    @property
    def many_requests(self) -> bool:
        """Whether requests are numbered and summed up."""
        return self.count is not None or self.by_line

    @property
    def many_replies(self) -> bool:
        """Whether a request may have more than one reply."""
        return self.replies != 1 or self.wait_for_empty

    @property
    def log_each(self) -> bool:
        """Whether each request is logged."""
        return not (self.raw or self.as_json)


#: Whether an option was given, by the name that errors have for it.
_GIVEN: dict[str, Callable[[RequestOptions], bool]] = {
    "BODY": lambda options: options.body is not None,
    "--body-file": lambda options: options.body_file is not None,
    "--force-stdin": lambda options: options.force_stdin,
    "--send-on newline": lambda options: options.by_line,
    "--raw": lambda options: options.raw,
    "--json": lambda options: options.as_json,
}

#: Options of which only one can be given.
_EXCLUSIVE: tuple[tuple[str, ...], ...] = (
    ("--raw", "--json"),
    ("BODY", "--body-file", "--force-stdin"),
    ("BODY", "--body-file", "--send-on newline"),
)


def check(options: RequestOptions) -> None:
    """Refuse what cannot be meant together.

    Raises:
        InputError: options that exclude each other, by their names, or a value that is out of range.
    """
    refuse_together({name: is_given(options) for name, is_given in _GIVEN.items()}, *_EXCLUSIVE)
    if options.reply_timeout == 0:
        raise InputError("a timeout must be more than 0", where="--reply-timeout")


@dataclass(frozen=True)
class Expectation:
    """When a request is done. Times in seconds.

    `replies` many replies, the first within `first`, each later one within `gap` of the one before; 0 for all that
    come within `first`; with `until_empty`, as many as come until an empty one.
    """

    replies: int
    first: float
    gap: float
    until_empty: bool = False


def expectation(options: RequestOptions, timeout: float) -> Expectation:
    """What every request of the run waits for; `timeout` is that of the connection settings."""
    given = options.reply_timeout
    return Expectation(
        replies=options.replies,
        first=timeout if options.many_replies or given is None else given,
        gap=_DEFAULT_GAP if given is None else given,
        until_empty=options.wait_for_empty,
    )
