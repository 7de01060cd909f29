"""The options of `pynats verify`, checked before anything connects."""

from __future__ import annotations

from dataclasses import dataclass

from natscli.duration import is_rate
from natscli.errors import InputError, refuse_together
from natscli.message.headers import check_name
from natscli.message.templates import SubjectTemplate, compile_destination

#: Options of which only one can be given.
_EXCLUSIVE = (
    ("--json", "--quiet"),
    ("--match exact", "--ignore"),
    ("standard input", "--update"),
    ("--update", "--fail-fast"),
    ("--report -", "--json"),
    ("--junit -", "--json"),
)


@dataclass(frozen=True, repr=False)
class VerifyOptions:
    """What was given on the command line, by the names of its parameters. Durations in seconds."""

    files: tuple[str, ...]
    ignore: tuple[str, ...] = ()
    ignore_header: tuple[str, ...] = ()
    match: str = "json"
    to: str | None = None
    max_rtt: float | None = None
    concurrency: int = 1
    rate: float | None = None
    reply_timeout: float = 0.3
    fail_fast: bool = False
    update: bool = False
    junit: str | None = None
    report: str | None = None
    as_json: bool = False
    quiet: bool = False


def check(options: VerifyOptions) -> None:
    """Refuse what cannot be meant together, and values that are wrong.

    Raises:
        InputError: options that exclude each other, by their names, or a value that is wrong.
    """
    given = {
        "--json": options.as_json,
        "--quiet": options.quiet,
        "--match exact": options.match == "exact",
        "--ignore": bool(options.ignore),
        "standard input": "-" in options.files,
        "--update": options.update,
        "--fail-fast": options.fail_fast,
        "--report -": options.report == "-",
        "--junit -": options.junit == "-",
    }
    refuse_together(given, *_EXCLUSIVE)
    for name in options.ignore_header:
        check_name(name, "--ignore-header")
    if options.rate is not None and not is_rate(options.rate):
        raise InputError(f"{options.rate:g} is not a number of requests a second", where="--rate")
    if options.junit is not None or options.report is not None or options.update:
        _check_files(options)


def _check_files(options: VerifyOptions) -> None:
    """Refuse files that cannot be written, and those that are something else as well."""
    from natscli.system.files import check_apart, check_replaceable, check_target

    for target, where in ((options.junit, "--junit"), (options.report, "--report")):
        if target is not None and target != "-":
            check_target(target, where)
    for path in options.files if options.update else ():
        check_replaceable(path, "--update")
    if options.update:  # once, or it would be twice what was updated
        check_apart((), ((repr(path), path) for path in options.files))
    check_apart(
        (("FILE", path) for path in options.files),
        (("--junit", options.junit), ("--report", options.report)),
    )


def destination(options: VerifyOptions) -> SubjectTemplate | None:
    """Where --to sends requests: a template of the tokens of the recorded subject.

    Raises:
        InputError: nothing can be sent there.
    """
    if options.to is None:
        return None
    return compile_destination(options.to, "--to")
