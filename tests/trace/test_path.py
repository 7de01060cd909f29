"""Reports become a path, whatever the order they come in, and whatever they hold."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli.trace.path import Path, read_report
from natscli.trace.tree import to_json, tree

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(("server", "events", "type", "kind", "cid", "hop", "name", "request", "header", "in", "eg")),
        inner, max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


def report(server: str, hop: str, *events: dict[str, Any], cid: int = 0) -> bytes:
    request = {"header": {"Nats-Trace-Hop": [hop]} if hop else {}}
    ingress = {"type": "in", "kind": 1 if hop else 0, "cid": cid, "acc": "$G", "subj": "x"}
    return json.dumps(
        {"server": {"name": server, "id": server}, "request": request, "events": [ingress, *events]}
    ).encode()


REPORTS = [
    report("a", "", {"type": "eg", "kind": 1, "cid": 2, "name": "b", "hop": "1"}, cid=7),
    report("b", "1", {"type": "eg", "kind": 4, "cid": 3, "name": "c", "hop": "1.1"}),
    report("c", "1.1", {"type": "eg", "kind": 0, "cid": 4, "name": "me\x1b[31m", "sub": "x"}),
]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_order_of_reports_does_not_matter(order: tuple[int, ...]) -> None:
    path = Path("a", 7)
    for number, which in enumerate(order):
        assert not path.is_complete
        path.add(REPORTS[which])
        path.add(REPORTS[which])
        assert len(path.reports) == number + 1
    assert path.is_complete
    assert [event.name for event in path.events if event.receives] == ["me\x1b[31m"]
    shown = tree(path, "x", colored=False, times=True)
    assert "\x1b" not in shown
    assert "me\\x1b[31m" in shown


def test_a_server_that_does_not_report_is_missing_unless_it_was_told_why() -> None:
    path = Path("a", 7)
    path.add(REPORTS[0])
    assert [event.name for event in path.missing] == ["b"]
    assert "no report came from it" in tree(path, "x", colored=False, times=False)
    refused = Path("a", 7)
    refused.add(
        report("a", "", {"type": "eg", "kind": 1, "name": "b", "hop": "1", "error": "too old"}, cid=7)
    )
    assert refused.is_complete


def test_an_interest_stream_that_does_not_store_it_is_no_receiver() -> None:
    found = read_report(report("a", "", {"type": "js", "stream": "S", "subject": "x", "nointerest": True}))
    assert found is not None
    assert [event.receives for event in found.events] == [False, False]


@given(JSON)
def test_whatever_comes_is_a_report_or_left_out(value: object) -> None:
    path = Path("a", 7)
    path.add(json.dumps(value).encode())
    path.add(json.dumps({"events": [value], "server": value, "request": value}).encode())
    assert isinstance(tree(path, "x", colored=True, times=True), str)
    json.loads(to_json(path, "x", delivered=False, ascii_only=True))


@pytest.mark.parametrize("payload", [b"", b"{", b"[" * 100_000, b"\xff", b'{"events": 7}'])
def test_what_is_no_report_is_left_out(payload: bytes) -> None:
    assert read_report(payload) is None
