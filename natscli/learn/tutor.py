"""The walkthrough: explains a step, has a command typed, runs it, says what is right, and goes on."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from natscli.environment import Environment
from natscli.errors import ExitStatus, InputError
from natscli.learn.classroom import Classroom
from natscli.learn.journal import Journal
from natscli.learn.show import Show
from natscli.learn.step import Attempt, Step
from natscli.learn.steps import load
from natscli.programs.words import check_words

#: What can be typed instead of a command.
_LEAVE, _SKIP, _HELP = ("quit", "exit", "q"), ("skip",), ("", "help", "?", "hint")
#: Commands that are not run in the walkthrough.
_NOT_HERE = ("learn", "server")


class Left(Exception):
    """The person goes, before the end."""


def learn(names: Sequence[str], environment: Environment, *, types: bool) -> ExitStatus:
    """Teach the steps called `names`; the program `types` the commands, or a person does.

    With `types`, a step that does not work is status 1.

    Raises:
        PynatsError: there is no server to learn with.
    """
    show, progress = Show(environment), Journal(environment.environ)
    with Classroom(environment.environ) as classroom:
        for number, name in enumerate(names, 1):
            step = load(name)
            show.step(step, number, len(names), classroom.url)
            try:
                right = _typed(step, classroom, show) if types else _asked(step, classroom, show)
            except Left:
                show.left()
                return ExitStatus.OK
            if right:
                progress.add(name)
            elif types:
                return ExitStatus.FAILURE
    show.end()
    return ExitStatus.OK


def _typed(step: Step, classroom: Classroom, show: Show) -> bool:
    command = step.command.replace("{url}", classroom.url)
    show.typed(command)
    return _try(step, shlex.split(command)[1:], classroom, show)


def _asked(step: Step, classroom: Classroom, show: Show) -> bool:
    """Ask until a command is right; whether one was. Raises Left."""
    tries = 0
    while True:
        line = show.ask()
        if line is None or line in _LEAVE:
            raise Left
        if line in _SKIP:
            return False
        if line in _HELP:
            show.solution(step.command.replace("{url}", classroom.url))
            continue
        try:
            words = words_of(line)
        except InputError as error:
            show.hint(error.what)
            continue
        if _try(step, words, classroom, show):
            return True
        tries += 1
        if tries > 1:
            show.solution(step.command.replace("{url}", classroom.url))


def _try(step: Step, words: list[str], classroom: Classroom, show: Show) -> bool:
    attempt: Attempt = show.working(_bound(classroom.attempt, step, words))
    show.result(step, attempt)
    hint = step.check(attempt)
    if hint:
        show.hint(hint.replace("{url}", classroom.url))
        return False
    show.right(step.shows)
    return True


def _bound(
    attempt: Callable[[Step, list[str]], Attempt], step: Step, words: list[str]
) -> Callable[[], Attempt]:
    return lambda: attempt(step, words)


def words_of(line: str) -> list[str]:
    """The words of a command line that was typed, without `pynats`.

    Raises:
        InputError: it is none of pynats, one that is not for here, or has something that only a shell understands.
    """
    line = line.removeprefix("$ ")
    try:
        words = shlex.split(line)
    except ValueError:
        raise InputError("a quote does not close: put the text in '...'") from None
    if not words or words[0] != "pynats":
        raise InputError("type a command that begins with pynats; Enter alone shows one, 'quit' leaves")
    check_words(line, "here")
    if len(words) > 1 and words[1] in _NOT_HERE:
        raise InputError(f"'pynats {words[1]}' is not for here")
    return words[1:]
