"""When the next request is due: at once (a closed loop), or at a rate whatever comes back (an open loop).

In a closed loop a slow reply holds back the requests after it, and none of them shows how slow it was. In an open loop
each is due at a time of its own and its latency counts from then, so that a stall is seen by all that it delayed
(coordinated omission, as wrk2 explains it).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt


@dataclass(frozen=True)
class OpenLoop:
    """`rate` requests a second; over the first `ramp` seconds it rises to that, evenly.

    Of several processes each sends one request in `step`, from number `first` on: together they have the rate.
    """

    rate: float
    ramp: float = 0.0
    first: int = 0
    step: int = 1

    def due(self, index: int) -> int:
        """When request `index`, from 0, is due: nanoseconds after the start."""
        index = self.first + index * self.step
        while_rising = self.rate * self.ramp / 2
        if index < while_rising:
            return int(sqrt(2 * index * self.ramp / self.rate) * 1e9)
        return int((self.ramp + (index - while_rising) / self.rate) * 1e9)

    def share(self, index: int, parts: int) -> OpenLoop:
        """The loop of process number `index`, from 0, of `parts` processes."""
        return replace(self, first=index, step=parts)
