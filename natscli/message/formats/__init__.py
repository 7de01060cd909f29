"""What frameworks make of messages: envelopes and headers, one file each; `load` gives one by its name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from natscli.message.formats.format import Format

#: The names of all, as --format takes them.
NAMES = ("nestjs", "faststream", "json", "raw")


def load(name: str) -> Format:
    """The format of that name, which is one of `NAMES`; a new one for each run, as it may hold ids."""
    made: Format = import_module(f"natscli.message.formats.{name}").new()
    return made


def subject_of(name: str | None) -> Callable[[str], str]:
    """What gives the subject that one as it was given stands for in the format of that name, if there is one."""
    return str if name is None else load(name).subject
