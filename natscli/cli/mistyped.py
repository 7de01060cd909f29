"""What is said of words and options that a command does not have: a near one, or what does the same here."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

import click

from natscli.errors import InputError

#: How alike two words must be (0 to 1) for one to be suggested for the other.
_NEAR = 0.75

_DATA = ("-d", "--data", "--data-raw", "--data-binary", "--body", "--payload", "-m", "--message")
_SENT = "the payload is the argument after SUBJECT; --body-file FILE sends a file"
#: Hints for options, as curl, HTTPie or another command has them: the command, the options, what it is here.
_HABITS = (
    ("request", _DATA, _SENT),
    ("publish", _DATA, _SENT),
    ("reply", _DATA, "the body of replies is the argument after SUBJECT"),
    ("pynats", ("-v", "-V"), "--version shows the version; --trace, with a command, logs more"),
    ("", ("-v", "--verbose"), "--trace logs more; -v is --verbose of request, reply, watch and server run"),
    ("", ("-q",), "--quiet writes no log; -q is --queue of reply and subscribe"),
)


def near(word: str, known: Iterable[str]) -> str:
    """A hint that names the one or two of `known` that are near `word`, or nothing."""
    import difflib

    bare = {name.lstrip("-"): name for name in known}
    word = word.lstrip("-")
    names = [name for name in bare if len(word) > 2 and name.startswith(word)]
    names += [name for name in difflib.get_close_matches(word, bare, n=2, cutoff=_NEAR) if name not in names]
    return f", did you mean {' or '.join(repr(bare[name]) for name in names[:2])}?" if names else ""


def explained(error: click.UsageError, ctx: click.Context) -> Exception:
    """`error`, of the command line of `ctx`, with more to say where there is more."""
    if isinstance(error, click.NoSuchOption):
        return _no_such_option(error.option_name, ctx)
    what = error.format_message().rstrip(".")
    what = what[:1].lower() + what[1:]
    if isinstance(error, click.BadOptionUsage) and error.option_name == "-q":
        return InputError(what, hint="-q is --queue GROUP here; --quiet writes no log")
    if ctx.command.name == "request" and what.endswith("'--count': 0 is less than 1"):
        return InputError(what, hint="--duration sends requests for a time, as many as there will be")
    return error


def no_such_command(word: str, words: Iterable[str], known: Iterable[str]) -> Exception | None:
    """What is said of a `word` that is no command and may be a subject, with the `words` after it; else None."""
    rest = [*words]
    if near(word, known) or not (rest or "." in word):
        return None
    body = rest if len(rest) == 1 else ["BODY"]
    return InputError(
        f"no such command {word!r}",
        hint=f"to send a request: {shlex.join(['pynats', 'request', word, *body])}",
    )


def _no_such_option(option: str, ctx: click.Context) -> Exception:
    what = f"no such option {option!r}"
    for command, options, hint in _HABITS:
        if option == "-q" and all("--quiet" not in param.opts for param in ctx.command.params):
            continue
        if option in options and command in ("", ctx.command.name or "", ctx.info_name or ""):
            return InputError(what, hint=hint)
    known = [name for param in ctx.command.params for name in (*param.opts, *param.secondary_opts)]
    known = [name for name in known if name.startswith("--")]
    return click.UsageError(f"{what}{near(option, known) if option.startswith('--') else ''}", ctx)
