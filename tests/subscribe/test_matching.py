"""Requests that wait for a reply: bounded, and as fast when they are as many as may be."""

from __future__ import annotations

from statistics import median
from time import process_time
from types import SimpleNamespace
from typing import Any

from natscli.message.message import Message
from natscli.subscribe.matching import _MOST, Matching


def test_giving_up_the_one_that_waits_longest_takes_no_search() -> None:
    shown: list[Message] = []
    destination: Any = SimpleNamespace(show=lambda batch, *_: shown.extend(batch))
    matching = Matching(destination, ("_INBOX.>",))

    def seconds(first: int) -> float:
        """Of a 64th, the median: what the collector of garbage takes is not counted."""
        pieces = []
        for begin in range(first, first + _MOST, _MOST // 64):
            began = process_time()
            for number in range(begin, begin + _MOST // 64):
                matching.show([(b"a", b"_INBOX.%d" % number, None, b"%d" % number)], number, 0.0)
            pieces.append(process_time() - began)
        return median(pieces)

    filling, _, full = (seconds(first) for first in (0, _MOST, 2 * _MOST))
    assert [payload for _, _, _, payload in shown] == [b"%d" % number for number in range(2 * _MOST)]
    assert full < 4 * filling, (filling, full)
