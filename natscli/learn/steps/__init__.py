"""The steps in order, one file each: a file with a STEP and its name in this table is a new one."""

from __future__ import annotations

from importlib import import_module

from natscli.learn.step import Step

#: The files, in the order in which they are taught.
NAMES = ("reply", "request", "context", "replies", "errors", "handler", "watch", "mock")


def load(name: str) -> Step:
    """The step called `name`, one of `NAMES`."""
    step: Step = import_module(f"{__name__}.{name}").STEP
    return step
