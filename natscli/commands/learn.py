"""`pynats learn`: the walkthrough inside the program."""

from __future__ import annotations

import click

from natscli.cli.groups import Command
from natscli.cli.options import App, option, output_options, pass_app
from natscli.errors import InputError

NOTES = """
A server of its own is started, and commands run for real against it, in a folder and with contexts of their own;
nothing of yours is read or changed, and nothing is left running. What counts is what a command does, not its letters.
Enter alone shows a command that is right, 'skip' goes on, 'quit' and Ctrl-D leave; what was done is remembered.

Without a terminal the commands are typed for you, as with --yes; then the exit status is 1 if one does not do what it
should.
"""


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    from natscli.learn.steps import NAMES

    return [name for name in NAMES if name.startswith(incomplete)]


@click.command(
    cls=Command,
    notes=NOTES,
    examples={
        "pynats learn": "from the beginning, or where you left",
        "pynats learn --list": "the steps",
        "pynats learn watch": "one step and those after it",
        "pynats learn --yes": "look on while it types",
    },
)
@click.argument("topic", required=False, shell_complete=_complete)
@option("-l", "--list", "listed", is_flag=True, common=True, help="List the steps, and which are done.")
@option("-y", "--yes", is_flag=True, common=True, help="Type the commands for you.")
@output_options
@pass_app
def learn(app: App, topic: str | None, listed: bool, yes: bool) -> int:
    """Learn pynats step by step, in this terminal."""
    from natscli.learn.journal import Journal
    from natscli.learn.steps import NAMES

    environment = app.environment
    done = Journal(environment.environ).done()
    if listed:
        environment.out(_table(done))
        return 0
    if topic is not None and topic not in NAMES:
        raise InputError(f"unknown step {topic!r}", where="TOPIC", hint=f"the steps: {', '.join(NAMES)}")
    types = yes or not (environment.stdin.isatty() and environment.stdout.isatty())
    left = [name for name in NAMES if name not in done] or list(NAMES)
    start = NAMES.index(topic) if topic is not None else 0 if types else NAMES.index(left[0])
    from natscli.learn.tutor import learn as teach

    return teach(NAMES[start:], environment, types=types)


def _table(done: list[str]) -> str:
    from natscli.learn.steps import NAMES, load

    rows = [(name, load(name).title, "done" if name in done else "") for name in NAMES]
    return "".join(f"{name:<10}{title:<32}{state}".rstrip() + "\n" for name, title, state in rows)
