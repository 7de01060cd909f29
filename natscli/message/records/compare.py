"""Compares replies with recorded ones: pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from natscli.duration import format_duration
from natscli.message import headers
from natscli.message.exchange import Answer, Exchange, Outcome
from natscli.message.status import read_status
from natscli.text import format_bytes

if TYPE_CHECKING:
    from natscli.message.records.values import Ignored

#: Bytes of the largest payload that any server takes, and of a part that is compared at once.
_LARGEST, _PART = 64 * 1024 * 1024, 4096
#: What comparing each with each may take, where several replies are left: bytes, or so often what they have, and as
#: many for a comparison itself.
_MOST_EFFORT, _TIMES, _EACH = 5_000_000, 4, 500
_ERROR_CODE = headers.SERVICE_ERROR_CODE.lower()


class Match(str, Enum):
    """How payloads are compared: byte by byte, JSON by value, or JSON by its members and their types."""

    EXACT = "exact"
    JSON = "json"
    SHAPE = "shape"


class Difference(NamedTuple):
    """A way in which a reply is not as recorded: `kind` is a word, `text` a line. Payloads that differ go with it."""

    kind: str
    text: str
    recorded: bytes | None = None
    came: bytes | None = None


@dataclass(frozen=True)
class Comparison:
    """How replies are compared. `ignored` are members of JSON, `ignored_headers` names in lower case, `max_rtt_ns` the
    longest time to the first reply, or None for any. Payloads of more than `largest_json` bytes are not compared by
    value.
    """

    match: Match = Match.JSON
    ignored: Ignored | None = None
    ignored_headers: frozenset[str] = frozenset()
    max_rtt_ns: int | None = None
    largest_json: int = _LARGEST

    def differences(
        self, exchange: Exchange, answers: Sequence[Answer], *, no_responders: str = ""
    ) -> list[Difference]:
        """What is not as `exchange` has it; `answers` came, or the server said, in these words, `no_responders`."""
        recorded = exchange.answers
        found = []
        if len(recorded) == len(answers) == 1:
            found = self._reply(recorded[0], answers[0])
        elif len(recorded) == len(answers):
            found = self._replies(recorded, answers)
        if len(recorded) != len(answers) or bool(no_responders) != (
            exchange.outcome is Outcome.NO_RESPONDERS
        ):
            found.append(Difference("replies", _count(exchange, len(answers), no_responders)))
        if self.max_rtt_ns is not None and answers and answers[0].rtt_ns > self.max_rtt_ns:
            took, most = (format_duration(ns / 1e9) for ns in (answers[0].rtt_ns, self.max_rtt_ns))
            found.append(Difference("rtt", f"the reply took {took}, more than {most}"))
        return found

    def _replies(self, recorded: Sequence[Answer], answers: Sequence[Answer]) -> list[Difference]:
        """Several services answer in any order: each reply is compared with one that is the same, if there is one."""
        rest, left = _unpaired(recorded, answers, lambda answer: (answer.header, answer.payload))
        rest, left = _unpaired(rest, left, self._key, self._is_same)
        unmatched, effort = [], 0
        most = max(_MOST_EFFORT, _TIMES * sum(len(answer.payload) for answer in (*rest, *left)))
        for one in rest:
            for place, answer in enumerate(left):
                effort += _EACH + len(one.payload) + len(answer.payload)
                if effort > most:
                    unmatched.append(one)
                    break
                if self._is_same(one, answer):
                    del left[place]
                    break
            else:
                unmatched.append(one)
        return [d for one, answer in zip(unmatched, left, strict=True) for d in self._reply(one, answer)]

    def _key(self, answer: Answer) -> bytes:
        """The same for payloads that are the same by value; where they are compared in another way, the payload."""
        if self.match is not Match.JSON or len(answer.payload) > self.largest_json:
            return answer.payload
        from natscli.message.records.values import canonical_without

        return canonical_without(answer.payload, self.ignored)

    def _is_same(self, recorded: Answer, came: Answer) -> bool:
        return not self._reply(recorded, came)

    def _reply(self, recorded: Answer, came: Answer) -> list[Difference]:
        found = [] if recorded.header == came.header else self._headers(recorded.header, came.header)
        if recorded.payload != came.payload:
            text = self._payload(recorded.payload, came.payload)
            if text:
                found.append(Difference("payload", text, recorded.payload, came.payload))
        return found

    def _payload(self, recorded: bytes, came: bytes) -> str:
        """How payloads differ that are not the same bytes; an empty string if they are the same even so."""
        why = ""
        if self.match is not Match.EXACT:
            size = max(len(recorded), len(came))
            if size > self.largest_json and _may_be_json(recorded):
                return f"too large to compare by value: {format_bytes(size)}, bytes differ"
            text, why = self._by_value(recorded, came) if size <= self.largest_json else (None, "")
            if text is not None:
                return text
        return _bytes(recorded, came) + (f" (compared as bytes: {why})" if why else "")

    def _by_value(self, recorded: bytes, came: bytes) -> tuple[str | None, str]:
        """How payloads of JSON differ; None if they have no value, and perhaps why."""
        from natscli.message.records.values import compare_json

        try:
            return compare_json(recorded, came, self.ignored, shape=self.match is Match.SHAPE), ""
        except ValueError as error:
            return None, str(error)
        except RecursionError:
            return None, "nested too deeply"
        except MemoryError:
            return None, "too large for the memory"

    def _headers(self, recorded: bytes | None, came: bytes | None) -> list[Difference]:
        found = []
        codes = [(headers.read_service_error(block) or (None,))[0] for block in (recorded, came)]
        if codes[0] != codes[1] and _ERROR_CODE not in self.ignored_headers:
            found.append(Difference("error", f"{_error(came)}, not {_error(recorded)}"))
        before, after = read_status(recorded), read_status(came)
        if (before and before.code) != (after and after.code):
            found.append(Difference("status", f"{_or_none(after)}, not {_or_none(before)}"))
        expected, actual = self._named(recorded), self._named(came)
        if self.match is Match.EXACT:
            more = [name for name in actual if name not in expected]
            found += [Difference("header", f"header {name} was not recorded") for name in more]
        for name, values in expected.items():
            if name not in actual:
                found.append(Difference("header", f"header {name} is missing"))
            elif values != actual[name] and self.match is not Match.SHAPE:
                shown = [", ".join(map(repr, texts)) for texts in (actual[name], values)]
                found.append(Difference("header", f"header {name} is {shown[0]}, not {shown[1]}"))
        return found

    def _named(self, block: bytes | None) -> dict[str, list[str]]:
        """The values by name, but for the error code, which is compared by itself, and ignored ones."""
        named: dict[str, list[str]] = {}
        for name, value in headers.decode(block):
            if name.lower() != _ERROR_CODE and name.lower() not in self.ignored_headers:
                named.setdefault(name, []).append(value)
        return named


def _may_be_json(payload: bytes) -> bool:
    return payload[:64].lstrip()[:1] in (b"{", b"[")


def _bytes(recorded: bytes, came: bytes) -> str:
    """How payloads differ byte by byte."""
    if len(recorded) != len(came):
        return f"{len(recorded)} {'byte' if len(recorded) == 1 else 'bytes'} recorded, {len(came)} came"
    parts = range(0, len(came), _PART)
    start = next(at for at in parts if recorded[at : at + _PART] != came[at : at + _PART])
    position = next(at for at in range(start, len(came)) if recorded[at] != came[at])
    return f"byte {position} is {came[position]:#04x}, not {recorded[position]:#04x}"


def _unpaired(
    recorded: Sequence[Answer],
    answers: Sequence[Answer],
    key: Callable[[Answer], object],
    is_same: Callable[[Answer, Answer], bool] = lambda recorded, came: True,
) -> tuple[list[Answer], list[Answer]]:
    """What is left of both without pairs that have the same key and are the same: each is looked at once."""
    came: dict[object, deque[int]] = {}
    for place, answer in enumerate(answers):
        came.setdefault(key(answer), deque()).append(place)
    left, rest = dict(enumerate(answers)), []
    for one in recorded:
        places = came.get(key(one))
        if places and is_same(one, answers[places[0]]):
            del left[places.popleft()]
        else:
            rest.append(one)
    return rest, list(left.values())


def _error(block: bytes | None) -> str:
    error = headers.read_service_error(block)
    if error is None:
        return "no error"
    return f"error {error[0]}" + (f" ({error[1]})" if error[1] else "")


def _or_none(status: object) -> str:
    return f"status {status}" if status else "no status"


def _count(exchange: Exchange, came: int, no_responders: str) -> str:
    recorded = len(exchange.answers)
    replies = f"{came} repl{'y' if came == 1 else 'ies'}" if came else "no reply"
    what = no_responders or replies
    if exchange.outcome is Outcome.NO_RESPONDERS:
        return f"{what}, recorded without responders"
    return f"{what}, {recorded if recorded else 'none'} recorded"
