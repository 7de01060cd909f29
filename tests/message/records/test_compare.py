"""Replies beside recorded ones: several in any order, and what many of them may take."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonpath import JSONPath, JSONPathEnvironment

from natscli.errors import InputError
from natscli.message import headers
from natscli.message.exchange import Answer, Exchange, Outcome
from natscli.message.json_values import canonical, value_of
from natscli.message.records import values
from natscli.message.records.compare import Comparison, Difference, Match
from natscli.message.records.paths import finder
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
    return comparison.differences(exchange, came)


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
    compared, rows = 0, [{"a": None}] * 1000 + [{"a": 1}] * 1000
    one, other = json.dumps(rows).encode(), json.dumps(rows[::-1]).encode()
    assert values.compare_json(one, other, None, shape=True) == ""
    assert compared < 10_000  # of 1,000,000


def text_of(recorded: bytes, came: bytes, *ignored: str, match: Match = Match.JSON, **more: Any) -> str:
    """What is said of the payload of a reply."""
    comparison = Comparison(match, Ignored(ignored) if ignored else None, **more)
    return "; ".join(found.text for found in differences(comparison, [answer(recorded)], [answer(came)]))


def nested(depth: int, inner: str = "1") -> bytes:
    return f'{{"id": {"[" * depth}{inner}{"]" * depth}}}'.encode()


@pytest.mark.parametrize("match", [Match.JSON, Match.SHAPE])
def test_what_is_nested_too_deeply_to_ignore_a_part_is_compared_whole(match: Match) -> None:
    note, path = " (nothing is left out: nested too deeply for --ignore)", "$..[?@.u]"
    assert text_of(b'{"id": 1}', nested(150), path, match=match).endswith(note)
    assert text_of(nested(150), b" " + nested(150), path, match=match) == ""
    assert text_of(b'[{"u": 2}, 1]', b'[{"u": 3}, 1]', path, match=match) == ""
    several = (
        [answer(nested(150)), answer(b'[{"u": 1}]')],
        [answer(b'[{"u": 2}]'), answer(b" " + nested(150))],
    )
    assert differences(Comparison(match, Ignored([path])), *several) == []


@pytest.mark.parametrize("path", ["$..u", "$..*", "$..[0]", "$.id..['u', 'v']", "$..id[-1]"])
def test_plain_paths_find_at_any_depth(path: str) -> None:
    one, other = (nested(200, f'{{"u": {n}}}') for n in (1, 2))
    assert text_of(one, other, path) == ""
    assert text_of(one, other, "$..v").endswith(".u is 2, not 1")


PATHS = (
    "$.a",
    "$..a",
    "$.*",
    "$..*",
    "$[0]",
    "$[-1]",
    "$[5]",
    "$.b..a",
    "$['a','b',0]",
    "$..[0]['a']",
    "$[*].a",
    "$",
)
DOCUMENTS = st.recursive(
    st.integers(0, 2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
)


@given(DOCUMENTS.filter(lambda value: isinstance(value, dict | list)), st.sampled_from(PATHS))
def test_plain_paths_find_what_the_library_finds(value: Any, path: str) -> None:
    compiled = JSONPathEnvironment(strict=True).compile(path)
    assert isinstance(compiled, JSONPath)
    expected = sorted(str(match.obj) for match in compiled.finditer(value) if match.parent)
    found = finder(compiled)(value)
    assert sorted(str(holder[key]) for holder, key in found if holder is not None) == expected


def test_what_is_nested_too_deeply_to_read_is_compared_as_bytes() -> None:
    for ignored in ((), ("$..u",)):
        said = text_of(nested(50_000), nested(50_000, "2"), *ignored)
        assert said == "byte 50007 is 0x32, not 0x31 (compared as bytes: nested too deeply)"


@pytest.mark.parametrize("path", ["$", "$..a", "$[?@.a]", "$.*"])
def test_a_text_is_no_document_for_paths(path: str) -> None:
    assert text_of(b'"see [1"', b' "see [1"', path) == ""
    said = text_of(b'"[1]"', b'"{2}"', path)
    assert said == ("" if path == "$" else '$ is "{2}", not "[1]"')


def test_all_paths_see_the_whole_value() -> None:
    assert text_of(b'[{"a": 1}, 5, 6]', b'[{"a": 2}, 7, 6]', "$[0]", "$[?@ > 4]", "$[0].a", "$[0]") == ""


def test_a_failure_of_a_path_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    ignored = Ignored(["$.a"])

    def fail(value: Any) -> Any:
        raise KeyError("odd")

    monkeypatch.setattr(ignored, "_finders", [fail])
    [found] = differences(Comparison(ignored=ignored), [answer(b'{"a":1}')], [answer(b'{"a":2}')])
    assert found.text == "$.a is 2, not 1 (nothing is left out: --ignore failed with KeyError)"


@pytest.mark.parametrize("match", [Match.JSON, Match.SHAPE])
@pytest.mark.parametrize(
    ("recorded", "came", "why"),
    [
        (b'{"a":1e400}', b'{"a":1e401}', "the number 1e400 is too large"),
        (b'{"a":1e-400}', b'{"a":0}', "the number 1e-400 is too small"),
        (b'{"a":1,"a":2}', b'{"a":2}', 'the name "a" is there twice'),
        (b'{"a":2}', b'{"a":1,"a":2}', 'the name "a" is there twice'),
        (b'{"a":2}', b'{"a":' + b"9" * 5000 + b"}", "a number has too many digits"),
    ],
)
def test_what_parsers_do_not_agree_on_is_compared_as_bytes(
    match: Match, recorded: bytes, came: bytes, why: str
) -> None:
    assert text_of(recorded, came, match=match).endswith(f" (compared as bytes: {why})")
    assert text_of(recorded, recorded, match=match) == ""
    both = [answer(recorded), answer(b"1")], [answer(b"1"), answer(came)]
    assert len(differences(Comparison(match), *both)) == 1


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-32-be", "utf-8-sig"])
def test_json_is_utf_8(encoding: str) -> None:
    other = '{"a": 1}'.encode(encoding)
    assert text_of(b'{"a": 1}', other) == "JSON was recorded, this is none"
    assert text_of(other, b'{"a": 1}').startswith(f"{len(other)} bytes recorded")
    assert canonical(other) is None


@pytest.mark.parametrize(
    ("recorded", "came", "said"),
    [
        ("[]", "[1]", "$[0] was not recorded"),
        ('{"a":[]}', '{"a":[{"b":1}]}', "$.a[0] was not recorded"),
        ('[{"a":[]},{"a":[1]}]', '[{"a":[2]}]', ""),
        ("[1]", "[]", ""),
        ("[[]]", "[[],[1]]", "$[1][0] was not recorded"),
        ("[1]", '[2, "x"]', "$[1] is a string, not a number"),
    ],
)
def test_elements_have_the_shape_of_one_that_was_recorded(recorded: str, came: str, said: str) -> None:
    assert text_of(recorded.encode(), came.encode(), match=Match.SHAPE) == said


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("k.x", "$['k.x']"),
        ("plain_2", "$.plain_2"),
        ("größe", "$.größe"),
        ("2x", "$['2x']"),
        ("", "$['']"),
        ("a-b", "$['a-b']"),
        ('it\'s "so" \\', "$['it\\'s \"so\" \\\\']"),
    ],
)
def test_paths_that_are_said_can_be_ignored(name: str, path: str) -> None:
    recorded, came = (json.dumps({name: [0, {name: n}], "b": 1}).encode() for n in (1, 2))
    inner = path.removeprefix("$")
    said = text_of(recorded, came)
    assert said == f"{path}[1]{inner} is 2, not 1"
    assert text_of(recorded, came, said.partition(" is ")[0]) == ""


def test_large_json_is_compared_by_value_up_to_a_limit() -> None:
    members = {f"name {number}": number for number in range(60_000)}
    recorded = json.dumps(members).encode()
    other = json.dumps(dict(reversed(members.items()))).encode()
    assert len(recorded) > 1_200_000
    assert text_of(recorded, other) == ""
    assert text_of(recorded, other.replace(b": 59999,", b": 1,")) == ("$['name 59999'] is 1, not 59999")
    most = 1024 * 1024
    assert (
        text_of(recorded, other, largest_json=most) == "too large to compare by value: 1.24 MB, bytes differ"
    )
    text = b"x" * 1_999_999
    assert text_of(text + b"x", text + b"y", largest_json=most) == "byte 1999999 is 0x79, not 0x78"


@pytest.mark.parametrize("match", [Match.JSON, Match.SHAPE])
def test_large_replies_in_another_order_are_the_same(match: Match) -> None:
    recorded = [json.dumps({name: list(range(160_000))}).encode() for name in "abc"]
    came = [json.dumps({name: list(range(160_000))}, separators=(",", ":")).encode() for name in "cba"]
    assert len(recorded[0]) > 1_100_000
    assert differences(Comparison(match), list(map(answer, recorded)), list(map(answer, came))) == []
    came[0] = came[0].replace(b"159999]", b"true]")
    [different] = differences(Comparison(match), list(map(answer, recorded)), list(map(answer, came)))
    assert different.text == "$.c[159999] is true, not 159999" or match is Match.SHAPE


@pytest.mark.parametrize("value", ["0", "-0", "0.0", "-0.0e5", "0e1", "1e-300", "1E300"])
def test_numbers_that_all_parsers_read_have_a_value(value: str) -> None:
    assert value_of(value.encode()) == float(value)


@pytest.mark.parametrize("path", ["list", ".list", "@.list", "[0]", "-"])
def test_a_path_begins_with_a_dollar(path: str) -> None:
    with pytest.raises(InputError, match=r"not a JSONPath: .*: a path begins with \$"):
        Ignored([path])
