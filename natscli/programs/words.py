"""Command lines: split into words as a shell would, checked and compiled before anything runs, filled in one by one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from natscli.errors import InputError
from natscli.message.templates import REPLY, TRANSLATE, Facts, Template, joined, parse
from natscli.text import for_people

#: Words as a shell would split them, quotes and all.
_WORD = re.compile(r"""(?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+""", re.DOTALL)
#: Words that are or have an operator of the shell: `|`, `&&`, `>`, `2>&1`, `</dev/null`, `;`, `done;`.
_OPERATOR = re.compile(r"\|\|?|&&?|\d*[<>].*|&>.*|(.*[^\\])?;", re.DOTALL)
#: Commands that work in a shell only, because they change it or are its grammar.
_BUILTINS = frozenset((
    ".", ":", "alias", "bg", "break", "case", "cd", "continue", "declare", "eval", "exec", "exit", "export", "fg",
    "for", "function", "if", "jobs", "let", "local", "read", "readonly", "return", "set", "shift", "shopt", "source",
    "times", "trap", "type", "typeset", "ulimit", "umask", "unalias", "unset", "until", "wait", "while",
))  # fmt: skip


def check_words(line: str, where: str) -> None:
    """Refuse a command line that is meant for a shell.

    Raises:
        InputError: a word is `|`, `>`, `&&`, `;` or the like, and not in quotes.
    """
    for word in _WORD.findall(line):
        if _OPERATOR.fullmatch(word):
            raise _needs_shell(f"{word!r} is for a shell, and the command is run without one", where)


def compile_command(
    line: str, where: str, *, enabled: bool = True, translate: bool = False
) -> list[Template]:
    """Split a command line as a shell would, then compile each word: a request can never become a second word.

    With `translate`, `{{Subject}}` is what can be filled in, else all that a reply can.

    Raises:
        InputError: quotes that do not close, nothing to run, a word that only a shell understands, or a template that
            is wrong.
    """
    parts = list(parse(line, where, TRANSLATE if translate else REPLY)) if enabled else [line]
    marked = "".join(part if isinstance(part, str) else f"\0{i}\0" for i, part in enumerate(parts))
    try:
        words = shlex.split(marked)
    except ValueError as error:
        raise InputError(f"cannot split the command: {str(error).lower()}", where=where) from None
    if not words:
        raise InputError("the command is empty", where=where)
    check_words(marked, where)
    # Text and the numbers of fields take turns between the marks.
    return [
        joined(parts[int(part)] if i % 2 else part for i, part in enumerate(word.split("\0")))
        for word in words
    ]


def find(program: str, path: str | None, where: str) -> str:
    """The file to run for `program`, looked up in the folders of `path`.

    Raises:
        InputError: there is none, or it is a command of the shell.
    """
    if program in _BUILTINS:
        raise _needs_shell(f"{program!r} is a command of the shell, and is run without one", where)
    import shutil  # not for everybody who compiles a template

    found = shutil.which(program, path=path)
    if found is None:
        raise InputError(f"cannot run {program!r}: not found, or not executable", where=where)
    return found


class RefusedWordError(Exception):
    """What came from the network would become an option of a command."""


def fill(words: Iterable[Template], facts: Facts) -> list[bytes]:
    """The words of a command line for one message.

    Raises:
        RefusedWordError: one that begins with what was filled in would be an option, and no `--` comes before it.
    """
    filled: list[bytes] = []
    options = True
    for word in words:
        argument = word.fill(facts)
        if options and word.begins_filled_in and argument.startswith(b"-"):
            raise RefusedWordError(f"{for_people(argument)!r} would become an option of it")
        options = options and not (word.is_static and argument == b"--")
        filled.append(argument)
    return filled


def _needs_shell(what: str, where: str) -> InputError:
    return InputError(what, where=where, hint=f"""for a shell: {where} "sh -c '...'\"""")
