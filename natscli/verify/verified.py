"""What became of a case."""

from __future__ import annotations

from typing import NamedTuple

from natscli.message.exchange import Answer
from natscli.message.records.compare import Difference
from natscli.verify.cases import Case


class VerifiedCase(NamedTuple):
    """What became of a case: no `differences`, and it held. `at` is when the last reply came, or would have had to, of
    `perf_counter_ns`.
    """

    case: Case
    answers: list[Answer]
    differences: list[Difference]
    no_responders: bool
    at: int
