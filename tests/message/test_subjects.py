"""Which subjects can be sent to and listened on."""

from __future__ import annotations

import pytest

from natscli.errors import InputError
from natscli.message.subjects import (
    check_publish_subject,
    check_queue,
    check_subscribe_subject,
    covers,
    minimal,
    overlap,
)

NEITHER = [
    "",
    "a..b",
    ".a",
    "a.",
    ".",
    "a b",
    "a\tb",
    "a\r\nPUB b 0",
    "a\0b",
    "a\x1b[2Jb",
    "a\x9bb",
    "a\udcffb",
]


@pytest.mark.parametrize("subject", NEITHER)
def test_a_broken_subject_is_refused(subject: str) -> None:
    for check in (check_publish_subject, check_subscribe_subject):
        with pytest.raises(InputError, match="subject") as caught:
            check(subject)
        assert caught.value.where == "SUBJECT"


@pytest.mark.parametrize("subject", ["a.*", "*", ">", "a.>", "a.*.b"])
def test_wildcards_are_for_listening_only(subject: str) -> None:
    check_subscribe_subject(subject)
    with pytest.raises(InputError, match="wildcard"):
        check_publish_subject(subject)


def test_what_a_consumer_filters_by_may_have_wildcards() -> None:
    for subject in ("$JS.API.CONSUMER.CREATE.S.C.orders.>", "$JS.hub.API.CONSUMER.CREATE.S.C.*.new"):
        check_publish_subject(subject)


def test_the_last_wildcard_comes_last() -> None:
    with pytest.raises(InputError, match="last token"):
        check_subscribe_subject("a.>.b")


@pytest.mark.parametrize("subject", ["a", "help.please", "größe.日本", "$SYS.x", "👩‍🚀"])
def test_any_other_text_is_a_subject(subject: str) -> None:
    check_publish_subject(subject)
    check_subscribe_subject(subject)


@pytest.mark.parametrize("subject", ["a*b", "a>b.c"])
def test_a_wildcard_within_a_token_is_none(subject: str) -> None:
    check_publish_subject(subject)
    with pytest.raises(InputError, match="token of its own"):
        check_subscribe_subject(subject)


def test_a_queue_group_has_no_spaces() -> None:
    check_queue("")
    check_queue("NATS-RPLY-22")
    for queue in ("a b", "a\n", "a\x1b"):
        with pytest.raises(InputError, match="queue group"):
            check_queue(queue)


@pytest.mark.parametrize(
    ("pattern", "other"),
    [
        ("a.b", "a.b"),
        ("a.*", "a.b"),
        ("a.>", "a.b.c"),
        (">", "a"),
        (">", "a.>"),
        ("*.*", "a.*"),
        ("a.>", "a.*"),
        ("a.>", "a.>"),
    ],
)
def test_a_pattern_covers_what_it_matches(pattern: str, other: str) -> None:
    assert covers(pattern, other)
    assert overlap(pattern, other)
    assert overlap(other, pattern)


@pytest.mark.parametrize(
    ("pattern", "other"),
    [("a.*", "a"), ("a.*", "a.b.c"), ("a.>", "a"), ("a.b", "a.*"), ("a.*", "a.>"), ("*", ">")],
)
def test_a_pattern_does_not_cover_more_than_it_matches(pattern: str, other: str) -> None:
    assert not covers(pattern, other)


@pytest.mark.parametrize(
    ("pattern", "other", "expected"),
    [
        ("a.*", "*.b", True),
        ("a.>", "*.b.c", True),
        ("a.*", "b.*", False),
        ("a.*.c", "a.b", False),
        ("a.>", "a", False),
        ("*", ">", True),
    ],
)
def test_patterns_overlap_when_one_subject_matches_both(pattern: str, other: str, expected: bool) -> None:
    assert overlap(pattern, other) is expected
    assert overlap(other, pattern) is expected


def test_the_fewest_patterns_leave_out_what_another_covers() -> None:
    given = ["a.b", "a.*", "b", "a.*", "c.>", "c.d.*", "b.c", "b"]
    assert minimal(given) == ["a.*", "b", "c.>", "b.c"]
    assert minimal(["x.y", ">", "x.*"]) == [">"]
