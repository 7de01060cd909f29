"""An index of rules finds what a search through all of them finds, however many there are."""

from __future__ import annotations

import json
import sys
from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli.message.json_values import UNREADABLE, contains, parsed
from natscli.message.subjects import covers
from natscli.reply.responders.parts.mock_rules import ANY, Rule, Rules

SCALARS = st.sampled_from([None, True, False, 0, 1, 1.0, "", "1", "a"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab0"), inner, max_size=2),
    max_leaves=5,
)
RULES = st.lists(
    st.tuples(st.sampled_from(["s.a", "s.*", "s.>", "*.b", "t"]), VALUES | st.just(ANY)), max_size=30
)


@given(RULES, st.sampled_from(["s.a", "s.b", "t", "u"]), VALUES, st.booleans())
def test_the_first_rule_that_a_search_finds_answers(
    given_: list[tuple[str, Any]], subject: str, value: Any, readable: bool
) -> None:
    payload = json.dumps(value).encode() if readable else b"no json"
    rules = [Rule(pattern, deque(), wanted) for pattern, wanted in given_]
    value = parsed(payload)
    assert (value is UNREADABLE) != readable
    expected = next((r for r in rules if covers(r.subject, subject) and r.matches(value)), None)
    assert Rules(rules).first(subject.encode(), payload) is expected


def test_of_thousands_of_rules_on_a_subject_few_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = [Rule("s", deque(), {"kind": "order", "ids": [number, {"n": 1}]}) for number in range(5000)]
    found = Rules([*rules, Rule("s", deque())])
    looked = []

    def matches(rule: Rule, value: Any) -> bool:
        looked.append(rule)
        return contains(value, rule.json)

    monkeypatch.setattr(Rule, "matches", matches)
    assert found.first(b"s", b'{"kind":"order","ids":[4711.0,{"n":1}],"more":[]}') is rules[4711]
    assert looked == [rules[4711]]


def test_a_request_nested_as_deep_as_python_reads_it_is_compared() -> None:
    depth = sys.getrecursionlimit() - 150
    text = '{"a":' * depth + "1" + "}" * depth
    rule = Rule("s", deque(), json.loads(text))
    assert Rules([rule]).first(b"s", text.encode()) is rule
