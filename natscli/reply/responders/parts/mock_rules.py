"""The rules of a mock, found by subject and by what they ask for, so that their number does not matter."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

from natscli.message.json_values import contains, parsed
from natscli.message.subject_tree import SubjectTree
from natscli.reply.responders.parts.answers import AnswerTemplate
from natscli.text import exact

#: What a rule asks for that takes any request.
ANY: Any = object()
_MISSING: Any = object()
#: As many rules are looked at one by one.
_FEW = 8
#: Where in a JSON value something stands: keys and indices.
_Path = tuple[Any, ...]
_Numbered = tuple[int, "Rule"]


@dataclass(eq=False)
class Rule:
    """What answers requests on `subject`, in turn; only those with `json` in theirs, if it is given.

    `place` is where it stands in the file.
    """

    subject: str
    answers: deque[AnswerTemplate]
    json: Any = ANY
    place: str = ""

    @property
    def takes_all(self) -> bool:
        """Whether it answers whatever the payload is."""
        return self.json is ANY

    def matches(self, value: Any) -> bool:
        """Whether it answers a request that is this JSON; `UNREADABLE` for one that is none."""
        return self.json is ANY or contains(value, self.json)


class Rules:
    """Finds the first rule, in the order of the file, that answers a request."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        by_subject: dict[str, list[_Numbered]] = {}
        for number, rule in enumerate(rules):
            by_subject.setdefault(rule.subject, []).append((number, rule))
        tree: SubjectTree[_SameSubject] = SubjectTree()
        for subject, same in by_subject.items():
            tree.add(subject, _SameSubject(same))
        self._on = lru_cache(4096)(lambda subject: tuple(tree.covering(exact(subject))))

    def first(self, subject: bytes, payload: bytes) -> Rule | None:
        """The rule that answers, if any does."""
        value, found = _MISSING, None
        for group in self._on(subject):
            if group.sole is not None:
                one: _Numbered | None = group.sole
            else:
                value = parsed(payload) if value is _MISSING else value
                one = group.first(value)
            if one is not None and (found is None or one[0] < found[0]):
                found = one
        return found and found[1]


class _SameSubject:
    """The rules of one subject; if they are many, by the rarest of the values that each asks for.

    `sole` is the one that takes all requests, if it is the first: rules behind it never answer.
    """

    def __init__(self, rules: list[_Numbered]) -> None:
        self._values: dict[_Path, dict[Any, list[_Numbered]]] = {}
        end = next((index for index, (_, rule) in enumerate(rules) if rule.takes_all), len(rules))
        self.sole = rules[0] if end == 0 else None
        self._others = rules[: end + 1]
        if end <= _FEW:
            return
        self._others = rules[end : end + 1]
        wanted = [list(_scalars(rule.json)) for _, rule in rules[:end]]
        often = Counter(chain.from_iterable(wanted))
        for rule, scalars in zip(rules, wanted, strict=False):
            if scalars:
                path, scalar = min(scalars, key=often.__getitem__)
                self._values.setdefault(path, {}).setdefault(scalar, []).append(rule)
            else:
                self._others.append(rule)
        self._others.sort(key=_number)

    def first(self, value: Any) -> _Numbered | None:
        """The first rule that answers a request that is this JSON, and its number."""
        candidates = self._others
        if self._values:
            lists = (by.get(_scalar(_at(value, path)), ()) for path, by in self._values.items())
            candidates = sorted(chain(candidates, *lists), key=_number)
        for one in candidates:
            if one[1].matches(value):
                return one
        return None


def _number(one: _Numbered) -> int:
    return one[0]


def _scalars(value: Any) -> Iterator[tuple[_Path, Any]]:
    """Where the texts, numbers and the like are in a JSON value, and what."""
    parts: list[tuple[_Path, Any]] = [((), value)]
    while parts:
        path, value = parts.pop()
        if isinstance(value, dict | list):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            parts += [((*path, key), part) for key, part in items]
        else:
            yield path, _scalar(value)


def _scalar(value: Any) -> Any:
    """The same for what `contains` takes for equal: true is not 1, but 1.0 is."""
    return (value,) if isinstance(value, bool) else None if isinstance(value, dict | list) else value


def _at(value: Any, path: _Path) -> Any:
    """What stands at `path`, if anything does."""
    for key in path:
        fits = isinstance(value, dict) and key in value if isinstance(key, str) else isinstance(value, list)
        if not fits or (not isinstance(key, str) and key >= len(value)):
            return _MISSING
        value = value[key]
    return value
