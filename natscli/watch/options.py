"""The options of `pynats watch`, checked before anything connects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from natscli.errors import InputError, refuse_alone, refuse_together
from natscli.message.subjects import check_subscribe_subject
from natscli.watch.grouping import grouping
from natscli.watch.selection import Selection

#: Options of which only one can be given.
_EXCLUSIVE: tuple[tuple[str, ...], ...] = (
    ("--verbose", "--json"),
    ("--stats", "--verbose"),
    ("--stats", "--slow"),
    ("--stats", "--errors"),
    ("--stats", "--unanswered"),
    ("--record -", "--json"),
    ("--record -", "--verbose"),
    ("--record -", "--stats"),
    *(("--read", live) for live in ("--sample", "--reply-timeout", "--answer-no-responders")),
    ("--report -", "--json"),
)
#: Seconds.
_REPLY_TIMEOUT = 0.3
#: How the connections of watchers are named, unless --connection-name is given; what follows is the version.
WATCHER = "pynats watch"


@dataclass(frozen=True)
class WatchOptions:
    """What was given on the command line, by the names of its parameters. Durations in seconds."""

    subject: tuple[str, ...]
    slow: float | None = None
    errors: bool = False
    unanswered: bool = False
    sample: str = "1"
    count: int | None = None
    reply_timeout: float = _REPLY_TIMEOUT
    stats: bool = False
    format: str | None = None
    by: str | None = None
    where: str | None = None
    read: str | None = None
    record: str | None = None
    report: str | None = None
    answer_no_responders: bool = False
    verbose: bool = False
    as_json: bool = False
    quiet: bool = False

    @property
    def selection(self) -> Selection:
        """Which exchanges are shown."""
        slow = None if self.slow is None else round(self.slow * 1e9)
        return Selection(slow, self.errors, self.unanswered)

    @property
    def share(self) -> float:
        """The part of the exchanges that is followed, more than 0 and up to 1.

        Raises:
            InputError: --sample is no such part.
        """
        text = self.sample.strip()
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            share = 0.0
        if not 0 < share <= 1:
            raise InputError(f"{self.sample!r} is not a share, such as 0.01 or 1%", where="--sample")
        return share

    @property
    def title(self) -> str:
        """What is shown, as a heading."""
        where = [
            *([f"on {', '.join(self.subject)}"] if self.subject else []),
            *([f"in {self.read}"] if self.read else []),
        ]
        return " ".join(["Exchanges", *where])


def check(options: WatchOptions) -> None:
    """Refuse what cannot be meant together.

    Raises:
        InputError: a subject that cannot be subscribed to, options that exclude each other, a value out of range.
    """
    for subject in options.subject:
        check_subscribe_subject(subject)
    given = {
        "--verbose": options.verbose,
        "--json": options.as_json,
        "--record -": options.record == "-",
        "--stats": options.stats,
        "--report": options.report is not None,
        "--report -": options.report == "-",
        "--slow": options.slow is not None,
        "--errors": options.errors,
        "--unanswered": options.unanswered,
        "--by": options.by is not None,
        "--read": options.read is not None,
        "--sample": options.sample != "1",
        "--reply-timeout": options.reply_timeout != _REPLY_TIMEOUT,
        "--answer-no-responders": options.answer_no_responders,
    }
    refuse_together(given, *_EXCLUSIVE)
    refuse_alone(given, ("--by", ("--stats",)))
    grouping(options.by)
    refuse_alone(given, ("--report", ("--stats",)))
    _check_files(options)
    if options.where is not None:
        from natscli.watch.where import where

        where(options.where)
    if options.share and options.reply_timeout == 0:
        raise InputError("a timeout must be more than 0", where="--reply-timeout")


def check_nothing_connects(flags: Iterable[str]) -> None:
    """Refuse settings of a connection, by the names that they have as `flags`, for --read.

    Raises:
        InputError: there is one.
    """
    for name in flags:
        raise InputError(f"--{name.replace('_', '-')} means nothing with --read: nothing connects")


def _check_files(options: WatchOptions) -> None:
    """Refuse a page that cannot be written, and to write to what is read, or twice to the same."""
    if options.record is None and options.report is None:
        return
    from natscli.system.files import check_apart, check_target

    if options.report not in (None, "-"):
        check_target(options.report, "--report")
    check_apart((("--read", options.read),), (("--record", options.record), ("--report", options.report)))
