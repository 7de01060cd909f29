"""Subjects: which may be sent to, which may be listened on, what wildcards match."""

from __future__ import annotations

import re
from collections.abc import Iterable

from natscli.errors import InputError

#: Spaces and control characters, and arguments that were not UTF-8 (they come as surrogates).
_UNFIT = "[\\s\x00-\x1f\x7f-\x9f\ud800-\udfff]"

#: After it, in a request to JetStream, come stream, consumer and the subject that the consumer filters by.
_FILTERED = ".API.CONSUMER.CREATE."
#: Where messages of JetStream are acknowledged: what names such a subject for replies is no request.
ACKNOWLEDGED = (b"$JS.ACK.", b"$JS.FC.")
#: Where requests are answered that came through the import of a service from another account.
IMPORTERS = "_R_.>"


def check_publish_subject(subject: str, what: str = "a request", where: str = "SUBJECT") -> None:
    """Refuse a subject that nothing can be sent to; `what` was to be sent.

    Raises:
        InputError: empty, with spaces or control characters, with an empty token, or with a wildcard; that which a
            consumer filters by may have some.
    """
    _check_tokens(subject, where)
    for token in () if _FILTERED in subject else subject.split("."):
        if token in ("*", ">"):
            raise InputError(
                f"{what} needs one subject, and {subject!r} has the wildcard {token!r}", where=where
            )


def check_subscribe_subject(subject: str, where: str = "SUBJECT") -> None:
    """Refuse a subject that cannot be listened on; `*` and a last `>` are wildcards.

    Raises:
        InputError: as for `check_publish_subject`, or a `>` that is not the last token.
    """
    _check_tokens(subject, where)
    for token in subject.split("."):
        if len(token) > 1 and ("*" in token or ">" in token):
            raise InputError(f"a wildcard is a token of its own, not a part of one: {subject!r}", where=where)
    if ">" in subject.split(".")[:-1]:
        raise InputError(f"the wildcard '>' must be the last token in {subject!r}", where=where)


def check_queue(queue: str) -> None:
    """Refuse a queue group name that the protocol cannot carry; an empty one is no group.

    Raises:
        InputError: spaces or control characters in it.
    """
    if _is_unfit(queue):
        raise InputError(f"a queue group has no spaces or control characters: {queue!r}", where="--queue")


def check_queue_option(queue: str) -> None:
    """Refuse what `check_queue` does, and an option: the one after a -q that was taken for --quiet.

    Raises:
        InputError: see above.
    """
    check_queue(queue)
    if queue.startswith("-"):
        raise InputError(f"a queue group cannot begin with '-': {queue!r}", where="--queue",
                         hint="-q is --queue GROUP; --quiet writes no log")  # fmt: skip


def covers(pattern: str, other: str) -> bool:
    """Whether `pattern` matches `other`: a subject, or everything that a pattern matches."""
    mine, others = pattern.split("."), other.split(".")
    for token, theirs in zip(mine, others, strict=False):
        if token == ">":
            return True
        if theirs == ">" or token not in ("*", theirs):
            return False
    return len(mine) == len(others)


def is_pull(subject: str) -> bool:
    """Whether a message of a JetStream consumer is asked for, which comes with the subject of its stream.

    An API prefix or a domain may stand before. An acknowledgement can ask for the next one too (`+NXT`).
    """
    return ".CONSUMER.MSG.NEXT." in subject or subject.startswith("$JS.ACK.")


def is_direct_get(subject: str) -> bool:
    """Whether messages of a stream are asked for, which come as they were stored, but with headers."""
    return ".DIRECT.GET." in subject


def is_internal(subject: str) -> bool:
    """Whether the server itself may take it: its own subscriptions are neither in traces nor in CONNZ."""
    return subject.startswith(("$JS.", "$SYS."))


def has_wildcard(subject: str) -> bool:
    """Whether `*` or `>` is one of its tokens."""
    return not {"*", ">"}.isdisjoint(subject.split("."))


def minimal(patterns: Iterable[str]) -> list[str]:
    """`patterns` without those that another one covers, or that are there twice."""
    from natscli.message.subject_tree import SubjectTree

    unique = list(dict.fromkeys(patterns))
    tree: SubjectTree[str] = SubjectTree()
    for pattern in filter(has_wildcard, unique):
        tree.add(pattern, pattern)
    return [p for p in unique if set(tree.covering(p)) <= {p}]


def meeting(patterns: Iterable[str]) -> tuple[str, str] | None:
    """The first two patterns that match a subject both, if there are any; `patterns` are different ones."""
    from natscli.message.subject_tree import SubjectTree

    tree: SubjectTree[str] = SubjectTree()
    known = list(patterns)
    for pattern in known:
        tree.add(pattern, pattern)
    for pattern in filter(has_wildcard, known):
        others = [other for other in tree.overlapping(pattern) if other != pattern]
        if others:
            return pattern, others[0]
    return None


def overlap(pattern: str, other: str) -> bool:
    """Whether there are subjects that both match; both may have wildcards."""
    mine, others = pattern.split("."), other.split(".")
    for token, theirs in zip(mine, others, strict=False):
        if ">" in (token, theirs):
            return True
        if token != theirs and "*" not in (token, theirs):
            return False
    return len(mine) == len(others)


def _is_unfit(name: str) -> bool:
    """Whether a subject or a queue group has spaces, control characters or what is not UTF-8."""
    if name.isascii():  # as most are: to compile the pattern is a hundredth of the start
        return not name.isprintable() or " " in name
    return re.search(_UNFIT, name) is not None


def _check_tokens(subject: str, where: str) -> None:
    if not subject:
        raise InputError("a subject cannot be empty", where=where)
    if _is_unfit(subject):
        raise InputError(f"a subject has no spaces or control characters: {subject!r}", where=where)
    if "" in subject.split("."):
        raise InputError(f"a subject has no empty token: {subject!r}", where=where)
