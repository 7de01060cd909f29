"""Reads what `--mock` answers with: recorded exchanges, and rules written by hand, as JSON objects."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from natscli.errors import InputError, reason
from natscli.message import subjects
from natscli.message.json_places import JSONError, find, line_and_column, values
from natscli.reply.responders.parts.answers import (
    Answer,
    Problem,
    check_keys,
    check_text,
    parse_answer,
    parse_headers,
    parse_payload,
)

_EXCHANGE = ("subject", "request", "reply", "time", "duration_ns")
_CONTENT = ("data", "data_base64", "headers", "headers_base64")


@dataclass(frozen=True)
class MockFile:
    """The answers by subject and payload, and the rules by subject, both in the order of the file.

    `left_out` is the places of requests that were recorded, and that nobody should send.
    """

    recorded: dict[tuple[bytes, bytes], deque[Answer]] = field(default_factory=dict)
    rules: list[tuple[str, Answer]] = field(default_factory=list)
    subjects: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def read(path: str, *, templates: bool = True) -> MockFile:
    """The exchanges and rules of a file; `templates` of rules are compiled, or left as they are.

    Raises:
        InputError: it cannot be read, or is not as it should be, with line and column.
    """
    text = _read_text(path)
    mock = MockFile()
    known: list[str] = []
    for position, value in _values(path, text):
        try:
            subject, request, answer = _exchange(value, templates)
        except Problem as problem:
            place = _place(path, text, find(text, position, problem.path, key=problem.key))
            if problem.path == ("subject",) and "time" in value:
                mock.left_out.append(place)
                continue
            raise InputError(str(problem), where=place, hint=problem.hint) from None
        known.append(subject)
        if request is None:
            mock.rules.append((subject, answer))
        else:
            mock.recorded.setdefault((subject.encode(), request), deque()).append(answer)
    if not known:
        raise InputError("there is nothing to answer with", where=path)
    mock.subjects.extend(subjects.minimal(known))  # requests of the others would come twice
    return mock


def _read_text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):  # a device may never end
                raise InputError(f"cannot read {path!r}: not a file", where="--mock")
            data = file.read()
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path!r}: {reason(error)}", where="--mock") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        raise InputError("not UTF-8", where=_place(path, before, len(before))) from None


def _values(path: str, text: str) -> Iterator[tuple[int, Any]]:
    try:
        yield from values(text)
    except JSONError as error:
        if error.incomplete:
            what, hint = (
                "the file ends in the middle of an object",
                "if a recording was cut off, remove its last line",
            )
        else:
            what, hint = f"not JSON: {error}", ""
        raise InputError(what, where=_place(path, text, error.position), hint=hint) from None


def _place(path: str, text: str, position: int) -> str:
    line, column = line_and_column(text, position)
    return f"{path}, line {line}, column {column}"


# -- an exchange ---------------------------------------------------------------------------------------------


def _exchange(value: Any, templates: bool) -> tuple[str, bytes | None, Answer]:
    """The subject, the payload that is asked for (None for any: a rule), and the answer."""
    check_keys(value, (), _EXCHANGE)
    for name in ("subject", "reply"):
        if name not in value:
            raise Problem(f"{name!r} is missing", ())
    subject, literal = check_text(value["subject"], ("subject",)), "request" in value
    try:
        (subjects.check_publish_subject if literal else subjects.check_subscribe_subject)(subject)
    except InputError as error:
        raise Problem(error.what, ("subject",)) from None
    request = _request(value["request"]) if literal else None
    return subject, request, parse_answer(value["reply"], ("reply",), templates and not literal)


def _request(value: Any) -> bytes:
    if isinstance(value, str):
        return check_text(value, ("request",)).encode()
    check_keys(value, ("request",), _CONTENT)
    parse_headers(value, ("request",), templates=False)
    return parse_payload(value, ("request",), templates=False).format
