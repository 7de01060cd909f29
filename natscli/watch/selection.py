"""Which exchanges are shown."""

from __future__ import annotations

from dataclasses import dataclass

from natscli.message.exchange import Exchange, Outcome


@dataclass(frozen=True)
class Selection:
    """Those that any of the conditions holds for; all, if there is none. `slow` in nanoseconds to the first reply."""

    slow: int | None = None
    errors: bool = False
    unanswered: bool = False

    def __call__(self, exchange: Exchange) -> bool:
        """Whether `exchange` is shown."""
        if self.slow is None and not self.errors and not self.unanswered:
            return True
        rtt, outcome = exchange.rtt_ns, exchange.outcome
        return (
            (self.slow is not None and rtt is not None and rtt >= self.slow)
            or (self.errors and outcome is Outcome.ERROR)
            or (self.unanswered and outcome in (Outcome.UNANSWERED, Outcome.NO_RESPONDERS))
        )
