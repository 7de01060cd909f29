"""A step of the walkthrough: what it teaches, what runs beside it, and what is right."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Seen(NamedTuple):
    """What one side wrote: its standard output, its log, and its exit status, None while it runs."""

    stdout: str
    log: str
    status: int | None = None

    def json(self) -> Any:
        """Its standard output as JSON, None if that is none."""
        try:
            return json.loads(self.stdout)
        except ValueError:
            return None


class Attempt(NamedTuple):
    """A command that was typed, and what both sides wrote: its own, and the one it talks to."""

    words: list[str]
    you: Seen
    other: Seen


#: An empty text if the attempt is right, else a hint.
Check = Callable[[Attempt], str]


@dataclass(frozen=True)
class Step:
    """One thing to learn. `{url}` in any command is the URL of the server.

    Attributes:
        title: what is learnt, verb first.
        text: at most three lines that explain it.
        command: the command that is typed with --yes, and shown when asked for.
        check: what is right; see `Check`.
        shows: what the result shows, after a right answer.
        you, other: what the two sides are called, in the titles of their panes.
        beside: commands that run beside it, and are ready before the typed one starts.
        then: a command that runs once the typed one, a listener, is ready; it is the other side.
        files: files in the working folder, by name.
        url: whether the environment names the server; otherwise the selected context has to.
    """

    title: str
    text: str
    command: str
    check: Check
    shows: str
    you: str = "requester (you)"
    other: str = "responder"
    beside: tuple[str, ...] = ()
    then: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    url: bool = True
