"""JSON values in a text, and where their parts are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli.json_places import JSONError, find, line_and_column, values

TEXT = """\
# recorded on a Monday
{"a": 1, "b": {"list": [10, {"deep": "x"}],
   "a" : "}{]["}}

{"second": []}   # and a remark
{"third":{}}"""


def test_values_follow_each_other_and_remarks_are_skipped() -> None:
    assert [value for _, value in values(TEXT)] == [
        {"a": 1, "b": {"list": [10, {"deep": "x"}], "a": "}{]["}},
        {"second": []},
        {"third": {}},
    ]
    assert [line_and_column(TEXT, position) for position, _ in values(TEXT)] == [(2, 1), (5, 1), (6, 1)]
    assert list(values("")) == list(values(" \n# only a remark")) == []


@pytest.mark.parametrize(
    ("path", "key", "place"),
    [
        ((), False, (2, 1)),
        (("a",), False, (2, 7)),
        (("a",), True, (2, 2)),
        (("b", "a"), False, (3, 10)),
        (("b", "a"), True, (3, 4)),
        (("b", "list", 1, "deep"), False, (2, 38)),
    ],
)
def test_the_place_of_a_part_is_found(path: tuple[str | int, ...], key: bool, place: tuple[int, int]) -> None:
    position, _ = next(values(TEXT))
    assert line_and_column(TEXT, find(TEXT, position, path, key=key)) == place


@pytest.mark.parametrize(
    ("text", "place", "incomplete"),
    [
        ('{"a": 1}\n{"b": x}', (2, 7), False),
        ('{"a": 1}\n{"b": "un', (2, 7), True),
        ('{"a": 1}\n{"b": ', (2, 7), True),
        ('{"a": 1', (1, 8), True),
        ('{"a": "\n"}', (1, 8), False),
        ("{'a': 1}", (1, 2), False),
        ("[1] x", (1, 5), False),
        ("[" * 100_000, (1, 1), False),
        ("1" * 100_000, (1, 1), False),
    ],
)
def test_what_is_not_json_has_a_place(text: str, place: tuple[int, int], incomplete: bool) -> None:
    with pytest.raises(JSONError) as caught:
        list(values(text))
    assert line_and_column(text, caught.value.position) == place
    assert caught.value.incomplete == incomplete


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.sampled_from([None, 2]))
def test_the_value_at_any_place_is_the_part(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)

    def check(part: Any, path: tuple[str | int, ...]) -> None:
        position = find(text, 0, path)
        assert json.JSONDecoder().raw_decode(text, position)[0] == part
        inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
        for step, below in inner:
            check(below, (*path, step))

    check(value, ())
