"""The options of `pynats publish`, checked before anything connects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from natscli.duration import is_rate
from natscli.errors import InputError, refuse_together
from natscli.message.subjects import check_publish_subject

#: Each message of a run is logged up to this number of messages, but for --send-on newline; as in the Go CLI.
_MOST_LOGGED = 20


@dataclass(frozen=True)
class PublishOptions:
    """What was given on the command line, by the names of its parameters. Durations in seconds."""

    subject: str
    body: str | None = None
    body_file: str | None = None
    header: tuple[str, ...] = ()
    reply: str = ""
    count: int | None = None
    sleep: float = 0.0
    rate: float | None = None
    force_stdin: bool = False
    send_on: str = "eof"
    templates: bool = True
    as_json: bool = False
    quiet: bool = False

    @property
    def by_line(self) -> bool:
        """Whether each line of standard input is a message."""
        return self.send_on == "newline"

    @property
    def many(self) -> bool:
        """Whether messages are numbered and summed up."""
        return self.count is not None or self.by_line

    @property
    def log_each(self) -> bool:
        """Whether each message is logged."""
        return not self.as_json and (self.by_line or (self.count or 1) <= _MOST_LOGGED)


#: Whether an option was given, by the name that errors have for it.
_GIVEN: dict[str, Callable[[PublishOptions], bool]] = {
    "BODY": lambda options: options.body is not None,
    "--body-file": lambda options: options.body_file is not None,
    "--force-stdin": lambda options: options.force_stdin,
    "--send-on newline": lambda options: options.by_line,
    "--sleep": lambda options: bool(options.sleep),
    "--rate": lambda options: options.rate is not None,
}

#: Options of which only one can be given.
_EXCLUSIVE: tuple[tuple[str, ...], ...] = (
    ("BODY", "--body-file", "--force-stdin"),
    ("BODY", "--body-file", "--send-on newline"),
    ("--sleep", "--rate"),
)


def check(options: PublishOptions) -> None:
    """Refuse what cannot be meant together.

    Raises:
        InputError: options that exclude each other, by their names, a reply subject or a rate that cannot be one.
    """
    refuse_together({name: is_given(options) for name, is_given in _GIVEN.items()}, *_EXCLUSIVE)
    if options.rate is not None and not is_rate(options.rate):
        raise InputError("a rate must be more than 0", where="--rate")
    if options.reply:
        check_publish_subject(options.reply, "a reply", "--reply")
