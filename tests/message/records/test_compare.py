"""Replies beside recorded ones: several in any order, and what many of them may take."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli.message import headers
from natscli.message.exchange import Answer, Exchange, Outcome
from natscli.message.records import values
from natscli.message.records.compare import Comparison, Difference, Match
from natscli.message.records.values import Ignored

PAYLOADS = (
    b"",
    b"x",
    b"[1]",
    b"[ 1.0]",
    b'{"a":1,"b":2}',
    b'{"b": 2, "a": 1}',
    b'{"a":1,"b":3}',
    b'{"a":"x"}',
    b"{",
)
BLOCKS = (None, headers.encode([("X", "1")]), headers.encode([("X", "1"), ("Y", "2")]))


def answer(payload: bytes, block: bytes | None = None) -> Answer:
    return Answer(1000, block, payload)


def differences(
    comparison: Comparison, recorded: Sequence[Answer], came: Sequence[Answer]
) -> list[Difference]:
    exchange = Exchange(1, 0.0, b"a", b"r", None, b"", tuple(recorded), Outcome.ANSWERED, None)
    return comparison.differences(exchange, came, no_responders=False)


@given(
    st.lists(st.tuples(st.sampled_from(PAYLOADS), st.sampled_from(BLOCKS)), min_size=2, max_size=6),
    st.randoms(use_true_random=False),
    st.sampled_from(Match),
    st.sampled_from([None, "$.b", "$[0]"]),
)
def test_replies_in_any_order_are_the_same(
    replies: list[tuple[bytes, bytes | None]], random: Any, match: Match, ignored: str | None
) -> None:
    comparison = Comparison(match, Ignored([ignored]) if ignored else None)
    recorded = [answer(*reply) for reply in replies]
    assert differences(comparison, recorded, random.sample(recorded, len(recorded))) == []


@pytest.mark.parametrize(
    ("match", "ignored", "came"),
    [
        (Match.JSON, [], [b'{"n": 2, "at": "b"}', b'{"at": "a", "n": 1}']),
        (Match.JSON, ["$.at"], [b'{"at": "z", "n": 2.0}', b'{"at": "y", "n": 1}']),
        (Match.SHAPE, [], [b'{"at": "z", "n": 7}', b'{"at": "y", "n": 8}']),
    ],
)
def test_what_is_written_in_another_way_is_the_same_in_another_order(
    match: Match, ignored: list[str], came: list[bytes]
) -> None:
    recorded = [answer(b'{"n":1,"at":"a"}'), answer(b'{"n":2,"at":"b"}')]
    comparison = Comparison(match, Ignored(ignored) if ignored else None)
    assert differences(comparison, recorded, [answer(payload) for payload in came]) == []
    [different] = differences(comparison, recorded, [answer(came[0]), answer(b'{"n": "1", "at": "a"}')])
    assert different.kind == "payload"


class Counting(Comparison):
    """Counts comparisons."""

    compared = 0

    def _reply(self, recorded: Answer, came: Answer) -> list[Difference]:
        Counting.compared += 1
        return super()._reply(recorded, came)


@pytest.mark.parametrize("kind", ["all differ", "the other way round", "written in another way"])
def test_a_thousand_replies_are_not_compared_each_with_each(kind: str) -> None:
    recorded = [answer(b'{"id": %d, "at": "a"}' % number) for number in range(1000)]
    came = {
        "all differ": [answer(b'{"id": %d, "at": "b"}' % number) for number in range(1000)],
        "the other way round": recorded[::-1],
        "written in another way": [answer(b'{"at":"a","id":%d.0}' % number) for number in range(999, -1, -1)],
    }[kind]
    Counting.compared = 0
    found = differences(Counting(), recorded, came)
    assert len(found) == (1000 if kind == "all differ" else 0)
    assert Counting.compared < 15_000  # of 1,000,000


def test_shapes_of_elements_are_not_compared_each_with_each(monkeypatch: pytest.MonkeyPatch) -> None:
    compared, places = 0, values._places

    def count(*arguments: Any) -> Any:
        nonlocal compared
        compared += 1
        return places(*arguments)

    monkeypatch.setattr(values, "_places", count)
    recorded = json.dumps([{f"a{number}": 1} for number in range(1000)]).encode()
    came = json.dumps([{f"b{number}": 1} for number in range(1000)]).encode()
    text = values.compare_json(recorded, came, None, shape=True)
    assert text is not None
    assert text.startswith("$[0].a0 is missing")
    assert values.compare_json(recorded, recorded, None, shape=True) == ""
    assert compared < 5000  # of 1,000,000
