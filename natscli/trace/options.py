"""The options of `pynats trace` that say what is sent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TraceOptions:
    """A message of the command line; see `message.recipe.Described`."""

    subject: str
    body: str | None = None
    body_file: str | None = None
    header: tuple[str, ...] = ()
    templates: bool = True
    force_stdin: bool = False
    by_line: bool = False
    log_each: bool = True
