"""The numbers of requests, from 0 to a limit."""

from __future__ import annotations


class Numbers:
    """Numbers for requests, at most `limit` of them; 0 for no end.

    What numbers the requests of several processes derives from it; `limit` is then 0, because it is not that of one
    connection.
    """

    def __init__(self, limit: int = 0) -> None:
        self.limit = limit
        self._next = 0

    def take(self, wanted: int) -> range:
        """Numbers for `wanted` requests, or for those that are left."""
        first = self._next
        self._next = first + wanted if not self.limit else min(first + wanted, self.limit)
        return range(first, self._next)

    @property
    def exhausted(self) -> bool:
        """Whether all have been taken."""
        return self._next == self.limit > 0
