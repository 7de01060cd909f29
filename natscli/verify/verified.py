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

    @property
    def updates(self) -> bool:
        """Whether what came can take the place of what was recorded: neither silence nor what was too slow can."""
        return bool(self.answers) and all(difference.kind != "rtt" for difference in self.differences)
