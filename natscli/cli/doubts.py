"""Subjects that are likely meant to be something else: said, and listened on all the same."""

from __future__ import annotations

import os

from natscli.environment import Environment

#: What the command that takes a file is, by how the file's name ends.
_READERS = {
    ".py": "pynats reply SUBJECT --handler {}",
    ".json": "pynats reply --mock {}",
    ".jsonl": "pynats reply --mock {}, or pynats watch --read {}",
    ".ndjson": "pynats reply --mock {}, or pynats watch --read {}",
}


def question(environment: Environment, subject: str, several: str) -> None:
    """Warn of a `subject` with a comma, or that is the name of a file; `several` is how subjects are given.

    A pattern of NestJS that is an object may have commas.
    """
    if "," in subject and not subject.startswith("{"):
        environment.warn(f"{subject!r} is one subject with a comma in it; {several}")
    reader = _READERS.get(os.path.splitext(subject)[1])
    if reader is not None and os.path.isfile(subject):
        environment.warn(
            f"{subject!r} is listened on as a subject; for the file: {reader.format(*[subject] * 2)}"
        )
