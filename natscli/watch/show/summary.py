"""The last lines of watching: what was seen, and what was not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from natscli.message.exchange import Outcome
from natscli.watch.matcher import Counts

_NAMES = {
    Outcome.ANSWERED: "answered",
    Outcome.ERROR: "with errors",
    Outcome.UNANSWERED: "unanswered",
    Outcome.NO_RESPONDERS: "without responders",
}
#: Why requests were not followed to their end, as `Counts` has it.
_NOT_FOLLOWED = {
    "sampled": "outside the sample",
    "shed": "that came too fast",
    "crowded": "because too many were open",
    "shared": "with the reply subject of another",
    "outside": "whose replies go elsewhere, such as [{unseen}]",
    "interrupted": "open at an interruption or at the end",
}
#: Why replies belong to no exchange.
_NOT_MATCHED = {"strays": "to requests that were not seen", "late": "too late"}


def lines(outcomes: Counter[Outcome], shown: int, counts: Counts, unseen: str) -> Iterator[str]:
    """What became of what was seen: `outcomes` of exchanges, how many were `shown`, and `counts` of the rest.

    `unseen` is a subject where replies go that cannot be seen.
    """
    kinds = ", ".join(
        f"{outcomes[outcome]:,} {name}" for outcome, name in _NAMES.items() if outcomes[outcome]
    )
    total = sum(outcomes.values())
    said = f", shown {shown:,}" if shown != total else ""
    yield f"Seen {total:,} exchange{'s' * (total != 1)}{f' ({kinds})' if kinds else ''}{said}"
    missed = _counted(counts, _NOT_FOLLOWED)
    if missed:
        yield f"Requests not followed to the end: {missed.format(unseen=unseen)}"
    unmatched = _counted(counts, _NOT_MATCHED)
    if unmatched:
        yield f"Replies not matched: {unmatched}"


def record(outcomes: Counter[Outcome], shown: int, counts: Counts) -> dict[str, Any]:
    """The same for programs; outcomes have the names that records have."""
    return {
        "seen": sum(outcomes.values()),
        "shown": shown,
        **{outcome.value: outcomes[outcome] for outcome in _NAMES},
        "not_followed": {name: getattr(counts, name) for name in _NOT_FOLLOWED},
        "not_matched": {name: getattr(counts, name) for name in _NOT_MATCHED},
    }


def _counted(counts: Counts, reasons: dict[str, str]) -> str:
    numbers = ((getattr(counts, name), why) for name, why in reasons.items())
    return ", ".join(f"{count:,} {why}" for count, why in numbers if count)
