"""Pauses before something is tried again: each twice the one before, up to a longest."""

from __future__ import annotations

import random

from natscli.frozen import Frozen

#: Doublings after which any pause is the longest.
_MOST = 30


def jitter() -> float:
    """A factor for a pause, so that those who have failed together do not try again together."""
    return random.uniform(0.75, 1.25)


class Backoff(Frozen):
    """Pauses in seconds, from the `first` to the `longest`."""

    first: float
    longest: float

    def pause(self, failures: int) -> float:
        """Seconds to wait after `failures` tries in a row, at least one, have failed."""
        return min(self.first * 2.0 ** min(failures - 1, _MOST), self.longest)

    def together(self, failures: int) -> float:
        """Seconds of the first `failures` pauses together; their number may be huge: try for ever."""
        rising = min(failures, _MOST)
        return sum(map(self.pause, range(1, rising + 1))) + (failures - rising) * self.longest
