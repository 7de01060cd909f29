"""Which requests were passed on on a connection that was lost."""

from __future__ import annotations

from typing import Any


class Losses:
    """Which requests were under way when the connection was lost, so that they or their replies may never have come.

    It is to `look` before requests are sent, and when their time is over; times are nanoseconds of one clock.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._reconnects = client.stats["reconnects"]
        self._at = -1

    def look(self, now: int) -> None:
        """Note whether the connection was lost, since the last look and not after `now`."""
        reconnects = self._client.stats["reconnects"]
        if reconnects != self._reconnects or not self._client.is_connected:
            self._reconnects, self._at = reconnects, now

    def since(self, sent: int) -> bool:
        """Whether it was after `sent`."""
        return self._at >= sent
