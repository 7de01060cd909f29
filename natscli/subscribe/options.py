"""The options of `pynats subscribe`, checked before anything connects."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass

from natscli.errors import InputError, reason, refuse_alone, refuse_together
from natscli.message import subjects

#: What the files of --dump are called.
_SAVED = re.compile(r"\d+(_reply|_acknowledgement)?\.json")
#: Subjects that --report-subjects shows without --report-top.
REPORT_TOP = 10


@dataclass(frozen=True)
class SubscribeOptions:
    """What was given on the command line, by the names of its parameters. Durations in seconds."""

    subjects: tuple[str, ...] = ()
    inbox: bool = False
    queue: str = ""
    raw: bool = False
    as_json: bool = False
    translate: str | None = None
    headers_only: bool = False
    subjects_only: bool = False
    count: int = 0
    dump: str | None = None
    ignore_subject: tuple[str, ...] = ()
    wait: float = 0.0
    timestamp: bool = False
    delta_time: bool = False
    match_replies: bool = False
    report_subjects: bool = False
    report_top: int | None = None
    quiet: bool = False

    @property
    def ignored(self) -> tuple[str, ...]:
        """The subjects to ignore; as in the Go CLI, one option may hold several, with commas or spaces between."""
        return tuple(part for text in self.ignore_subject for part in re.split(r"[,\s]+", text) if part)


#: Whether an option was given, by the name that errors have for it.
_GIVEN: dict[str, Callable[[SubscribeOptions], bool]] = {
    "SUBJECT": lambda options: bool(options.subjects),
    "--inbox": lambda options: options.inbox,
    "--raw": lambda options: options.raw,
    "--json": lambda options: options.as_json,
    "--translate": lambda options: options.translate is not None,
    "--headers-only": lambda options: options.headers_only,
    "--subjects-only": lambda options: options.subjects_only,
    "--dump": lambda options: options.dump is not None,
    "--timestamp": lambda options: options.timestamp,
    "--delta-time": lambda options: options.delta_time,
    "--match-replies": lambda options: options.match_replies,
    "--report-subjects": lambda options: options.report_subjects,
    "--report-top": lambda options: options.report_top is not None,
}

#: Options of which only one can be given.
_EXCLUSIVE: tuple[tuple[str, ...], ...] = (
    ("SUBJECT", "--inbox"),
    ("--raw", "--headers-only", "--subjects-only", "--dump", "--report-subjects"),
    ("--raw", "--json"),
    ("--json", "--subjects-only"),
    ("--json", "--dump"),
    ("--translate", "--headers-only"),
    ("--translate", "--subjects-only"),
    ("--translate", "--report-subjects"),
    ("--match-replies", "--report-subjects"),
    ("--raw", "--timestamp", "--delta-time"),
    ("--json", "--timestamp", "--delta-time"),
    ("--dump", "--timestamp", "--delta-time"),
    ("--report-subjects", "--timestamp", "--delta-time"),
)


def check(options: SubscribeOptions) -> None:
    """Refuse what cannot be meant together, and subjects that nobody can subscribe to.

    Raises:
        InputError: it names the options.
    """
    given = {name: is_given(options) for name, is_given in _GIVEN.items()}
    refuse_together(given, *_EXCLUSIVE)
    refuse_alone(given, ("--report-top", ("--report-subjects",)))
    if not options.subjects and not options.inbox:
        raise InputError("a subject to subscribe to is missing", where="SUBJECT", hint="pynats subscribe '>'")
    for subject in options.subjects:
        subjects.check_subscribe_subject(subject)
    for subject in options.ignored:
        subjects.check_subscribe_subject(subject, "--ignore-subject")
    subjects.check_queue_option(options.queue)
    if options.dump not in (None, "-"):
        _check_folder(options.dump or "")


def _check_folder(folder: str) -> None:
    """Make the folder for --dump. Files are never replaced, so it must hold none of an earlier run."""
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        saved = sorted(name for name in os.listdir(folder) if _SAVED.fullmatch(name))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot save messages to {folder!r}: {reason(error)}", where="--dump") from None
    if saved:
        raise InputError(f"{folder!r} holds saved messages already: {saved[0]}", where="--dump",
                         hint="give another folder, or empty this one")  # fmt: skip
