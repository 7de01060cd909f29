"""Reads what `--mock` answers with: recorded exchanges, and rules written by hand, as JSON objects."""

from __future__ import annotations

import json
from base64 import b64decode
from binascii import Error as NotBase64Error
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from natscli.duration import parse_duration
from natscli.errors import InputError
from natscli.message import headers, subjects
from natscli.message.json_places import JSONError, find, line_and_column, values
from natscli.message.templates import Facts, Template, compile_template
from natscli.reply.header_lines import START, header_lines
from natscli.reply.responder import Failure
from natscli.wire.protocol import Message

Path = tuple[str | int, ...]

_EXCHANGE = ("subject", "request", "reply", "time", "duration_ns")
_CONTENT = ("data", "data_base64", "headers", "headers_base64")
_REPLY = ("data", "json", "data_base64", "headers", "headers_base64", "status", "error", "delay")
_NOTHING = Template(b"")


@dataclass(frozen=True)
class Answer:
    """A header block, which may be empty for none, and a payload, after `delay` seconds; or no reply at all.

    `failure` is the error that it reports, if it does.
    """

    block: Template = _NOTHING
    payload: Template = _NOTHING
    delay: float = 0.0
    failure: Failure | None = None
    silent: bool = False

    def reply(self, request: Message, number: int) -> Message:
        """The reply to a request."""
        subject, to, _, payload = request
        facts = Facts(number, subject, payload)
        return to, b"", self.block.fill(facts) or None, self.payload.fill(facts)


@dataclass(frozen=True)
class MockFile:
    """The answers by subject and payload, and the rules by subject, both in the order of the file.

    `left_out` is the places of requests that were recorded, and that nobody should send.
    """

    recorded: dict[tuple[bytes, bytes], deque[Answer]] = field(default_factory=dict)
    rules: list[tuple[str, Answer]] = field(default_factory=list)
    subjects: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


class _Problem(Exception):
    """What is wrong with the part at `path` of an exchange, or with its key."""

    def __init__(self, what: str, path: Path, *, key: bool = False, hint: str = "") -> None:
        super().__init__(what)
        self.path = path
        self.key = key
        self.hint = hint


def read(path: str, *, templates: bool = True) -> MockFile:
    """The exchanges and rules of a file; `templates` of rules are compiled, or left as they are.

    Raises:
        InputError: it cannot be read, or is not as it should be, with line and column.
    """
    text = _read_text(path)
    mock = MockFile()
    known: dict[str, None] = {}
    for position, value in _values(path, text):
        try:
            subject, request, answer = _exchange(value, templates)
        except _Problem as problem:
            place = _place(path, text, find(text, position, problem.path, key=problem.key))
            if problem.path == ("subject",) and "time" in value:
                mock.left_out.append(place)
                continue
            raise InputError(str(problem), where=place, hint=problem.hint) from None
        known[subject] = None
        if request is None:
            mock.rules.append((subject, answer))
        else:
            mock.recorded.setdefault((subject.encode(), request), deque()).append(answer)
    if not known:
        raise InputError("there is nothing to answer with", where=path)
    mock.subjects.extend(_widest(list(known)))
    return mock


def _read_text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot read {path!r}: {reason.lower()}", where="--mock") from None
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


def _widest(known: list[str]) -> Iterator[str]:
    """The subjects without those that another covers: their requests would come twice."""
    patterns = [subject for subject in known if {"*", ">"}.intersection(subject.split("."))]
    for subject in known:
        if not any(subjects.covers(pattern, subject) for pattern in patterns if pattern != subject):
            yield subject


# -- an exchange ---------------------------------------------------------------------------------------------


def _exchange(value: Any, templates: bool) -> tuple[str, bytes | None, Answer]:
    """The subject, the payload that is asked for (None for any: a rule), and the answer."""
    _check_keys(value, (), _EXCHANGE)
    for name in ("subject", "reply"):
        if name not in value:
            raise _Problem(f"{name!r} is missing", ())
    subject, literal = _text(value["subject"], ("subject",)), "request" in value
    try:
        (subjects.check_publish_subject if literal else subjects.check_subscribe_subject)(subject)
    except InputError as error:
        raise _Problem(error.what, ("subject",)) from None
    request = _request(value["request"]) if literal else None
    return subject, request, _answer(value["reply"], ("reply",), templates and not literal)


def _request(value: Any) -> bytes:
    if isinstance(value, str):
        return _text(value, ("request",)).encode()
    _check_keys(value, ("request",), _CONTENT)
    _header(value, ("request",), templates=False)
    return _payload(value, ("request",), templates=False).format


def _answer(value: Any, path: Path, templates: bool) -> Answer:
    if value is None:
        return Answer(silent=True)
    if isinstance(value, str):
        return Answer(payload=_template(value, path, templates))
    _check_keys(value, path, _REPLY)
    block = _header(value, path, templates)
    failure = _failure(value, path) if _is_error(value) else _recorded_failure(block)
    return Answer(block, _payload(value, path, templates), _delay(value, path), failure)


def _payload(value: dict[str, Any], path: Path, templates: bool) -> Template:
    if "data_base64" in value:
        return Template(_base64(value["data_base64"], (*path, "data_base64")))
    if "json" in value:
        text = json.dumps(value["json"], ensure_ascii=False, separators=(",", ":"))
        template = _template(text, (*path, "json"), templates)
        return replace(template, fields=tuple(map(_in_json, template.fields)))
    return _template(value.get("data", ""), (*path, "data"), templates)


def _in_json(fill: Callable[[Facts], bytes]) -> Callable[[Facts], bytes]:
    """Templates in JSON are in its strings: nothing from a request can end one."""
    return lambda facts: json.dumps(fill(facts).decode("utf-8", "replace"), ensure_ascii=False)[1:-1].encode()


def _header(value: dict[str, Any], path: Path, templates: bool) -> Template:
    if "headers_base64" in value:
        block = _base64(value["headers_base64"], (*path, "headers_base64"))
        if not block.startswith(headers.LINE) or not block.endswith(b"\r\n\r\n"):
            raise _Problem("not a header block", (*path, "headers_base64"))
        return Template(block)
    pairs = [*_pairs(value.get("headers", {}), (*path, "headers")), *_error_pairs(value, path)]
    names = {name.lower() for name, _, _ in pairs}
    if "json" in value and "content-type" not in names:
        pairs.append(("Content-Type", "application/json", path))
    lines = header_lines(tuple((name, _template(text, at, templates)) for name, text, at in pairs))
    if not lines.format and "headers" not in value:
        return _NOTHING
    return Template(b"%b%b\r\n" % (START, lines.format), lines.fields)


def _pairs(value: Any, path: Path) -> Iterator[tuple[str, Any, Path]]:
    """Name, value and its place of each header, from `{name: value or values}` or from `[[name, value], ...]`."""
    if isinstance(value, dict):
        for name, texts in value.items():
            for index, text in enumerate(texts if isinstance(texts, list) else [texts]):
                at = (*path, name, index) if isinstance(texts, list) else (*path, name)
                yield _checked(name, text, at)
    elif isinstance(value, list):
        for index, pair in enumerate(value):
            if not isinstance(pair, list) or len(pair) != 2:
                raise _Problem("expected a name and a value", (*path, index))
            yield _checked(_text(pair[0], (*path, index, 0)), pair[1], (*path, index, 1))
    else:
        raise _Problem("expected an object, or a list of names and values", path)


def _checked(name: str, text: Any, path: Path) -> tuple[str, str, Path]:
    try:
        headers.check(name, _text(text, path))
    except InputError as error:
        raise _Problem(error.what, path) from None
    return name, text, path


def _is_error(value: dict[str, Any]) -> bool:
    return "status" in value or "error" in value


def _failure(value: dict[str, Any], path: Path) -> Failure:
    """What `status` and `error` stand for, templates as they are."""
    status = value.get("status", 500)
    if type(status) is not int or not 100 <= status <= 999:
        raise _Problem("a status is a number from 100 to 999", (*path, "status"))
    text = _text(value["error"], (*path, "error")) if "error" in value else _phrase(status)
    return Failure(status, " ".join(text.split()), notice="")


def _error_pairs(value: dict[str, Any], path: Path) -> Iterator[tuple[str, str, Path]]:
    """The headers that `status` and `error` stand for (ADR-32)."""
    if _is_error(value):
        failure, at = _failure(value, path), (*path, "error" if "error" in value else "status")
        yield headers.SERVICE_ERROR, failure.text, at
        yield headers.SERVICE_ERROR_CODE, str(failure.code), at


def _phrase(status: int) -> str:
    from http import HTTPStatus

    try:
        return HTTPStatus(status).phrase.lower()
    except ValueError:
        return f"error {status}"


def _recorded_failure(block: Template) -> Failure | None:
    error = headers.read_service_error(block.format)
    if error is None:
        return None
    code, text = error
    return Failure(int(code) if code.isascii() and code.isdecimal() else 500, text, notice="")


def _delay(value: dict[str, Any], path: Path) -> float:
    delay = value.get("delay", 0)
    try:
        if isinstance(delay, str) or type(delay) in (int, float):
            return parse_duration(str(delay))
        raise ValueError("a delay is a duration such as 200ms, or a number of seconds")
    except ValueError as error:
        raise _Problem(str(error), (*path, "delay")) from None


# -- parts ---------------------------------------------------------------------------------------------------


def _check_keys(value: Any, path: Path, known: tuple[str, ...]) -> None:
    if not isinstance(value, dict):
        what = (
            "expected an object"
            if not path or path[-1] == "request"
            else "expected an object, a string or null"
        )
        raise _Problem(what, path)
    for key in value:
        if key not in known:
            raise _Problem(
                f"unknown key {key!r}", (*path, key), key=True, hint=f"known are: {', '.join(known)}"
            )
    for names in (("data", "data_base64", "json"), ("headers", "headers_base64")):
        given = [name for name in names if name in value]
        if len(given) > 1:
            raise _Problem(f"{' and '.join(given)} exclude each other", (*path, given[1]), key=True)


def _text(value: Any, path: Path) -> str:
    if not isinstance(value, str):
        raise _Problem("expected a string", path)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _Problem("not a text: half of a character", path) from None
    return value


def _template(text: Any, path: Path, enabled: bool) -> Template:
    try:
        return compile_template(_text(text, path), "", reply=True, enabled=enabled)
    except InputError as error:
        raise _Problem(error.what, path, hint=error.hint) from None


def _base64(value: Any, path: Path) -> bytes:
    try:
        return b64decode(_text(value, path), validate=True)
    except (NotBase64Error, ValueError):
        raise _Problem("not base64", path) from None
