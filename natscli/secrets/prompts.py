"""Asking a person at the terminal; without one, an error that names the option to give instead."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from natscli.errors import InputError, InterruptedByUserError
from natscli.text import exact, exact_bytes, visible_line

if TYPE_CHECKING:
    from natscli.environment import Environment


def require_terminal(environment: Environment, what: str, hint: str) -> None:
    """Raises InputError with `what` and the `hint`, unless there is a terminal to ask at."""
    if not environment.interactive():
        raise InputError(f"{what}: there is no terminal to ask on", hint=hint)


def confirm(environment: Environment, question: str, *, default: bool = False) -> bool:
    """Ask a yes-or-no question until it is answered; Enter is the `default`.

    Raises:
        InterruptedByUserError: the input ended.
    """
    while True:
        answer = _ask(environment, f"{question} [{'Y/n' if default else 'y/N'}] ").lower()
        if not answer:
            return default
        if answer in ("y", "yes", "n", "no"):
            return answer.startswith("y")


def choose(environment: Environment, title: str, choices: Sequence[str], marked: str | None = None) -> str:
    """Let the person pick one of `choices` by number or name; Enter keeps the `marked` one.

    Raises:
        InterruptedByUserError: the input ended.
    """
    lines = [f"{title}:"]
    for number, choice in enumerate(choices, 1):
        lines.append(
            f"  {number:>{len(str(len(choices)))}}  {visible_line(choice)}{' *' if choice == marked else ''}"
        )
    _tell(environment, "\n".join(lines) + "\n")
    while True:
        answer = _ask(environment, f"Number or name{' [*]' if marked in choices else ''}: ")
        if answer in choices:
            return answer
        if answer.isdecimal() and 1 <= int(answer) <= len(choices):
            return choices[int(answer) - 1]
        if not answer and marked is not None and marked in choices:
            return marked


def ask_secret(environment: Environment, label: str, option: str) -> str:
    """Ask for a secret without echo, and keep it out of everything that is shown.

    Raises:
        InputError: there is no terminal, or nothing was entered.
        InterruptedByUserError: the input ended.
    """
    from getpass import getpass

    try:
        # A payload may come on stdin meanwhile: what counts is the terminal itself.
        os.close(os.open("CONIN$" if sys.platform == "win32" else "/dev/tty", os.O_RDWR))
    except OSError:
        require_terminal(environment, f"cannot ask for the {label.lower()}", f"{option} env://NAME")

    try:
        secret = getpass(f"{label}: ")
    except EOFError:
        raise InterruptedByUserError("interrupted") from None
    if not secret:
        raise InputError("nothing was entered", where=option)
    environment.redactor.add(secret)
    return secret


def _ask(environment: Environment, prompt: str) -> str:
    _tell(environment, prompt)
    line = environment.stdin.readline()
    if not line:
        _tell(environment, "\n")
        raise InterruptedByUserError("interrupted")
    return exact(line).strip()


def _tell(environment: Environment, text: str) -> None:
    environment.stderr.write(exact_bytes(text))
    environment.stderr.flush()
