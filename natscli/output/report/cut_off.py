"""That a run did not come to its end, and why: reports say so."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from natscli.errors import ExitStatus, explain

_WORDS = {
    ExitStatus.CONNECTION: "connection lost",
    ExitStatus.REFUSED: "refused",
    ExitStatus.INTERRUPTED: "interrupted",
}


class CutOff(NamedTuple):
    """Why a run did not come to its end: the exit status, a word or two, and the message of the error."""

    status: ExitStatus
    words: str
    message: str


def cut_off(error: BaseException | None) -> CutOff | None:
    """How `error` ended a run; None if there was none."""
    if error is None:
        return None
    if isinstance(error, asyncio.CancelledError):  # by a signal
        return CutOff(ExitStatus.INTERRUPTED, "interrupted", "interrupted")
    report = explain(error)
    return CutOff(report.status, _WORDS.get(report.status, "failed"), report.message)
