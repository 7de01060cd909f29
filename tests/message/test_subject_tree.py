"""A tree of patterns finds what a search through all of them finds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from natscli.message.subject_tree import SubjectTree
from natscli.message.subjects import covers, overlap

TOKENS = st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=4)
PATTERNS = st.builds(
    lambda tokens, rest: ".".join([*tokens, *rest]), TOKENS, st.sampled_from([[], [">"]])
) | st.just(">")


@given(st.lists(PATTERNS, max_size=12), PATTERNS)
def test_the_same_is_found_in_the_same_order(patterns: list[str], subject: str) -> None:
    tree: SubjectTree[int] = SubjectTree()
    for index, pattern in enumerate(patterns):
        tree.add(pattern, index)
    assert tree.covering(subject) == [i for i, pattern in enumerate(patterns) if covers(pattern, subject)]


@given(st.lists(PATTERNS, max_size=12), PATTERNS)
def test_what_overlaps_is_found(patterns: list[str], subject: str) -> None:
    tree: SubjectTree[int] = SubjectTree()
    for index, pattern in enumerate(patterns):
        tree.add(pattern, index)
    assert tree.overlapping(subject) == [i for i, pattern in enumerate(patterns) if overlap(pattern, subject)]
