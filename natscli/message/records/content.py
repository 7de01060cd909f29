"""Content as JSON objects: the payload and the headers of a request or a reply, as records and rules have them."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from natscli.errors import InputError
from natscli.message import headers
from natscli.message.header_lines import START, header_lines
from natscli.message.records.left_out import NO_REQUEST, UNFIT_SUBJECT
from natscli.message.templates import Facts, JSONField, Template, compile_template, with_values
from natscli.text import for_programs

Path = tuple[str | int, ...]

NOTHING = Template(b"")


class RecordProblem(Exception):
    """What is wrong with the part at `path` of an object, or with its key."""

    def __init__(self, what: str, path: Path, *, key: bool = False, hint: str = "") -> None:
        super().__init__(what)
        self.path = path
        self.key = key
        self.hint = hint


class Unfit(RecordProblem):
    """Of a record that is left out, for it may have been recorded so; `why` as `LeftOut` counts it."""

    why: ClassVar[str]


class UnfitSubject(Unfit):
    """A record of a subject that nothing can be sent to."""

    why = UNFIT_SUBJECT


class NoRequest(Unfit):
    """A record of a message that was no request."""

    why = NO_REQUEST


def parse_payload(value: dict[str, Any], path: Path, templates: bool) -> Template:
    """What `data`, `json` or `data_base64` stand for. Raises RecordProblem."""
    if "data_base64" in value:
        return Template(_base64(value["data_base64"], (*path, "data_base64")))
    if "json" in value:
        try:
            text = json.dumps(value["json"], ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        except ValueError:  # Python reads and writes them, and no other parser does
            raise RecordProblem("JSON has neither NaN nor infinity", (*path, "json")) from None
        filled = template(with_values(text) if templates else text, (*path, "json"), templates)
        return filled.replace(fields=tuple(map(_in_json, filled.fields)))
    return template(value.get("data", ""), (*path, "data"), templates)


def _in_json(fill: Callable[[Facts], bytes]) -> Callable[[Facts], bytes]:
    """Templates in JSON are in its strings: nothing from a request can end one."""
    if isinstance(fill, JSONField) and fill.as_json:
        return fill
    return lambda facts: json.dumps(for_programs(fill(facts)), ensure_ascii=False)[1:-1].encode()


def parse_headers(value: dict[str, Any], path: Path, templates: bool) -> Template:
    """The header block that `headers` and `status`, or `headers_base64`, stand for. Raises RecordProblem."""
    if "headers_base64" in value:
        block = _base64(value["headers_base64"], (*path, "headers_base64"))
        if not block:  # servers pass on any other, and so it may have been recorded
            raise RecordProblem("not a header block", (*path, "headers_base64"))
        return Template(block)
    pairs = [*_pairs(value.get("headers", {}), (*path, "headers")), *_error_pairs(value, path)]
    names = {name.lower() for name, _, _ in pairs}
    if "json" in value and "content-type" not in names:
        pairs.append(("Content-Type", "application/json", path))
    lines = header_lines(tuple((name, template(text, at, templates)) for name, text, at in pairs))
    if not lines.format and "headers" not in value:
        return NOTHING
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
                raise RecordProblem("expected a name and a value", (*path, index))
            yield _checked(check_text(pair[0], (*path, index, 0)), pair[1], (*path, index, 1))
    else:
        raise RecordProblem("expected an object, or a list of names and values", path)


def _checked(name: str, text: Any, path: Path) -> tuple[str, str, Path]:
    try:
        headers.check(name, check_text(text, path))
    except InputError as error:
        raise RecordProblem(error.what, path) from None
    return name, text, path


def is_error(value: dict[str, Any]) -> bool:
    """Whether it stands for a service error."""
    return "status" in value or "error" in value


def parse_error(value: dict[str, Any], path: Path) -> tuple[int, str]:
    """The code and the text that `status` and `error` stand for, templates as they are. Raises RecordProblem."""
    status = value.get("status", 500)
    if type(status) is not int or not 100 <= status <= 999:
        raise RecordProblem("a status is a number from 100 to 999", (*path, "status"))
    text = check_text(value["error"], (*path, "error")) if "error" in value else _phrase(status)
    return status, " ".join(text.split())


def _error_pairs(value: dict[str, Any], path: Path) -> Iterator[tuple[str, str, Path]]:
    """The headers that `status` and `error` stand for (ADR-32)."""
    if is_error(value):
        (code, text), at = parse_error(value, path), (*path, "error" if "error" in value else "status")
        yield headers.SERVICE_ERROR, text, at
        yield headers.SERVICE_ERROR_CODE, str(code), at


def _phrase(status: int) -> str:
    from http import HTTPStatus

    try:
        return HTTPStatus(status).phrase.lower()
    except ValueError:
        return f"error {status}"


# -- parts ---------------------------------------------------------------------------------------------------


def check_keys(value: Any, path: Path, known: tuple[str, ...]) -> None:
    """Refuse what is no object, has other keys, or two that exclude each other. Raises RecordProblem."""
    if not isinstance(value, dict):
        what = (
            "expected an object"
            if not path or path[-1] == "request"
            else "expected an object, a string or null"
        )
        raise RecordProblem(what, path)
    for key in value:
        if key not in known:
            raise RecordProblem(
                f"unknown key {key!r}", (*path, key), key=True, hint=f"known keys: {', '.join(known)}"
            )
    for names in (("data", "data_base64", "json"), ("headers", "headers_base64")):
        given = [name for name in names if name in value]
        if len(given) > 1:
            raise RecordProblem(f"{' and '.join(given)} exclude each other", (*path, given[1]), key=True)


def check_text(value: Any, path: Path) -> str:
    """`value`, if it is a string that UTF-8 can hold. Raises RecordProblem."""
    if not isinstance(value, str):
        raise RecordProblem("expected a string", path)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise RecordProblem("not a text: half of a character", path) from None
    return value


def template(text: Any, path: Path, enabled: bool) -> Template:
    """The template that `text` is, compiled if they are `enabled`. Raises RecordProblem."""
    try:
        return compile_template(check_text(text, path), "", reply=True, enabled=enabled)
    except InputError as error:
        raise RecordProblem(error.what, path, hint=error.hint) from None


def _base64(value: Any, path: Path) -> bytes:
    try:
        return b64decode(check_text(value, path), validate=True)
    except ValueError:
        raise RecordProblem("not base64", path) from None
