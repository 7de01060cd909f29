"""What of a file of records is left out: how many, why, and where the first is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

#: Why a record is left out that was, or could have been, recorded of a subject such as `a b` or `a.*`.
UNFIT_SUBJECT = "with a subject that nothing can be sent to"
#: Why one is left out that was published, and not requested.
NO_REQUEST = "that asked for no reply"


class LeftOut:
    """Records that are left out, by why. As texts, each has their number, why, and where the first of them is."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def add(self, why: str, place: str = "") -> None:
        """Count one; `place` is where it is, unless that is said otherwise."""
        self.counts[why] += 1
        if place:
            self._first.setdefault(why, place)

    def __iter__(self) -> Iterator[str]:
        for why, count in self.counts.items():
            place = self._first.get(why)
            where = f" ({'the first: ' if count > 1 else ''}{place})" if place else ""
            yield f"{count:,} {why}{where}"

    def __bool__(self) -> bool:
        return bool(self.counts)

    def __str__(self) -> str:
        return ", ".join(self)
