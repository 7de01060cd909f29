"""Which of many patterns match a subject: a walk along its tokens, whatever the number of patterns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class _Node(Generic[T]):
    """What follows the same tokens: by the next token, nothing more, or anything (`>`)."""

    __slots__ = ("ends", "next", "rest")

    def __init__(self) -> None:
        self.next: dict[str, _Node[T]] = {}
        self.ends: list[tuple[int, T]] = []
        self.rest: list[tuple[int, T]] = []


class SubjectTree(Generic[T]):
    """Values by pattern."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()
        self._count = 0

    def add(self, pattern: str, value: T) -> None:
        """Keep a value, after those that are kept already."""
        node = self._root
        *tokens, last = pattern.split(".")
        for token in tokens if last == ">" else (*tokens, last):
            node = node.next.setdefault(token, _Node())
        (node.rest if last == ">" else node.ends).append((self._count, value))
        self._count += 1

    def covering(self, subject: str) -> list[T]:
        """The values of all patterns that match `subject`, or all that it matches, in the order they were added."""
        found: list[tuple[int, T]] = []
        nodes = [self._root]
        for token in subject.split("."):
            for node in nodes:
                found += node.rest
            names = () if token == ">" else ("*",) if token == "*" else (token, "*")
            nodes = [node.next[name] for node in nodes for name in names if name in node.next]
            if not nodes:
                break
        return _in_order(found, nodes)

    def overlapping(self, pattern: str) -> list[T]:
        """The values of all patterns that match a subject that `pattern` matches too, in the order they were added."""
        found: list[tuple[int, T]] = []
        nodes = [self._root]
        for token in pattern.split("."):
            for node in nodes:
                found += node.rest
            if token == "*":
                nodes = [following for node in nodes for following in node.next.values()]
            elif token == ">":
                nodes = [
                    below for node in nodes for following in node.next.values() for below in _all(following)
                ]
                found += [pair for node in nodes for pair in node.rest]
            else:
                nodes = [node.next[name] for node in nodes for name in (token, "*") if name in node.next]
        return _in_order(found, nodes)


def _all(node: _Node[T]) -> Iterator[_Node[T]]:
    """A node, and all below it."""
    nodes = [node]
    while nodes:
        node = nodes.pop()
        nodes += node.next.values()
        yield node


def _in_order(found: list[tuple[int, T]], ends: list[_Node[T]]) -> list[T]:
    """What was found, and what ends here, as it was added."""
    for node in ends:
        found += node.ends
    return [value for _, value in sorted(found, key=lambda pair: pair[0])]
