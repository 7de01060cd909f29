"""Reads files of exchanges: one value after another, so that memory does not grow with the file."""

from __future__ import annotations

import os
import stat
from codecs import BOM_UTF8
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, BinaryIO, NamedTuple

from natscli import json_places
from natscli.duration import parse_timestamp
from natscli.errors import InputError, reason
from natscli.json_places import JSONError
from natscli.message.exchange import Answer, Exchange, Outcome
from natscli.message.records.content import (
    NoRequest,
    Path,
    RecordProblem,
    UnfitSubject,
    check_keys,
    check_text,
    parse_headers,
    parse_payload,
)
from natscli.message.status import ReplyProblem, read_problem
from natscli.message.subjects import check_publish_subject

#: The keys of an exchange; `reply` is the only reply, `replies` are several. The rest says how it was recorded.
KEYS = (
    "subject", "via", "reply_to", "request", "reply", "replies", "outcome", "time", "duration_ns", "rtt_ns",
)  # fmt: skip
#: The keys of a request, and of a reply.
REQUEST_KEYS = ("data", "data_base64", "json", "headers", "headers_base64")
REPLY_KEYS = (*REQUEST_KEYS, "status", "error", "delay", "rtt_ns")
#: Those of what is recorded, which is read without a look at every key.
_RECORDED, _PLAIN = frozenset(KEYS) - {"replies"}, frozenset({"data", "headers", "rtt_ns"})
#: Nanoseconds from which on a time is none that anything has taken: 300 years.
_LONGEST = 1 << 63
#: Bytes that are read at once.
_CHUNK = 64 * 1024


class Found(NamedTuple):
    """A value in a file, the text between it and the one before, and where it is: `name` of the file, line, column."""

    value: Any
    before: str
    name: str
    line: int
    text: str
    begin: int
    end: int

    @property
    def first_line(self) -> str:
        """Where it begins: the file and the line."""
        return f"{self.name}, line {self.line}"

    @property
    def written(self) -> str:
        """As it is in the file."""
        return self.text[self.begin : self.end]

    def place(self, path: Path = (), *, key: bool = False) -> str:
        """Where the part at `path` is, or its `key`: the file, the line and the column."""
        at = json_places.find(self.text, self.begin, path, key=key)
        line = self.line + self.text.count("\n", self.begin, at)
        return f"{self.name}, line {line}, column {at - self.text.rfind(chr(10), 0, at)}"

    def refuse(self, problem: RecordProblem) -> InputError:
        """The error that says where `problem` is."""
        return InputError(str(problem), where=self.place(problem.path, key=problem.key), hint=problem.hint)


def open_file(path: str, where: str, stdin: BinaryIO | None = None) -> BinaryIO:
    """The file at `path`, which `where` named; `-` is `stdin`.

    Raises:
        InputError: it cannot be read.
    """
    if path == "-" and stdin is not None:
        return stdin
    try:
        file = open(path, "rb")  # noqa: SIM115
        mode = os.fstat(file.fileno()).st_mode
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path!r}: {reason(error)}", where=where) from None
    if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):  # a device may never end
        file.close()
        raise InputError(f"cannot read {path!r}: not a file", where=where)
    return file


class Values:
    """The values of a file, as they are read."""

    def __init__(self, name: str, file: BinaryIO) -> None:
        self._name = name
        self._file = file
        self._text, self._line, self._ended = "", 1, False
        #: What was read of the file, and is not UTF-8.
        self._unread = b""
        #: The byte order mark at the beginning, until a value is read; None before anything is.
        self._mark: str | None = None

    def __iter__(self) -> Iterator[Found]:
        """All that follow.

        Raises:
            InputError: it cannot be read, or is not JSON, with line and column.
        """
        position = 0
        self._more(_CHUNK)
        while True:
            begin = json_places.skip(self._text, position)
            while begin == len(self._text) and not self._ended:  # a pipe may not have more yet
                self._text, position = self._text[position:], 0
                self._more(_CHUNK)
                begin = json_places.skip(self._text, position)
            before, self._mark = f"{self._mark or ''}{self._text[position:begin]}", ""
            self._line += before.count("\n")
            if begin == len(self._text):
                return
            value, begin, end = self._decode(begin)
            yield Found(value, before, self._name, self._line, self._text, begin, end)
            self._line += self._text.count("\n", begin, end)
            position = end

    def after(self, found: Found) -> Iterator[bytes]:
        """What is in the file after the value that was given last, whatever it is."""
        yield found.text[found.end :].encode() + self._unread
        yield from iter(lambda: self._file.read(_CHUNK), b"")

    def _decode(self, begin: int) -> tuple[Any, int, int]:
        while True:
            try:
                value, end = json_places.decode(self._text, begin)
            except JSONError as error:
                if error.incomplete and not self._ended:
                    self._text, begin = self._text[begin:], 0
                    self._more(max(_CHUNK, len(self._text)))
                    continue
                raise self._refuse(error, begin) from None
            return value, begin, end

    def _more(self, size: int) -> None:
        """Read `size` bytes or more, up to a line end: no token of JSON crosses one."""
        try:
            data, self._unread = self._unread or b"".join(self._file.readlines(size)), b""
        except (OSError, ValueError) as error:
            raise InputError(f"cannot read: {reason(error)}", where=self._name) from None
        if self._mark is None:
            self._mark = "\ufeff" if data.startswith(BOM_UTF8) else ""
            data = data.removeprefix(BOM_UTF8)
        self._ended = not data
        try:
            self._text += data.decode()
        except UnicodeDecodeError as error:
            good = data[: data.rfind(b"\n", 0, error.start) + 1]
            if not good:
                before = self._text + data[: error.start].decode()
                raise InputError("not UTF-8", where=self._place(before, len(before), 0)) from None
            self._text += good.decode()  # what comes before that line counts; then it is an error
            self._unread = data[len(good) :]

    def _refuse(self, error: JSONError, begin: int) -> InputError:
        what, hint = f"not JSON: {error}", ""
        if error.incomplete:
            what = "the file ends in the middle of an object"
            hint = "if a recording was cut off, remove its last line"
        return InputError(what, where=self._place(self._text, error.position, begin), hint=hint)

    def _place(self, text: str, position: int, begin: int) -> str:
        line = self._line + text.count("\n", begin, position)
        return f"{self._name}, line {line}, column {position - text.rfind(chr(10), 0, position)}"


# -- exchanges -----------------------------------------------------------------------------------------------


def as_record(value: Any) -> Any:
    """`value` as a record, if it is an exchange that --json has written; else as it is.

    Raises NoRequest, RecordProblem.
    """
    if not isinstance(value, dict):
        return value
    record = _of_json(value) if "encoding" in value and "data" in value else value
    published = "request" in record and record.get("reply_to", "unknown") in (None, "")
    if published and record.get("reply") is None and not record.get("replies"):
        raise NoRequest("it was no request", ("reply_to",))
    return record


def _of_json(value: dict[str, Any]) -> dict[str, Any]:
    """The record of what --json has written."""
    if not isinstance(value.get("replies"), list):
        raise RecordProblem(
            "a message without its exchange", (), hint="exchanges are written by watch --json, and --record"
        )
    record = {
        name: value[name]
        for name in ("subject", "reply_to", "time", "rtt_ns", "duration_ns")
        if value.get(name) is not None or (name == "reply_to" and name in value)
    }
    record["request"] = _from_json(value | {"rtt_ns": None})
    record["replies"] = [_from_json(reply) for reply in value["replies"]]
    if value.get("outcome") == Outcome.NO_RESPONDERS.value:
        record["outcome"] = Outcome.NO_RESPONDERS.value
    return record


def _from_json(message: Any) -> dict[str, Any]:
    """The content of a message that --json has written."""
    if not isinstance(message, dict) or "data" not in message:
        raise RecordProblem("a message without data", ())
    kept = {name: message[name] for name in ("headers", "headers_base64", "rtt_ns") if message.get(name)}
    return kept | {"data_base64" if message.get("encoding") == "base64" else "data": message["data"]}


def replies_of(record: dict[str, Any]) -> Iterator[tuple[Any, Path]]:
    """Each reply of a record, and where it is; none if it was not answered. Raises RecordProblem."""
    several = record.get("replies")
    if several is None:
        if record["reply"] is not None:
            yield record["reply"], ("reply",)
    elif not isinstance(several, list):
        raise RecordProblem("expected a list of replies", ("replies",))
    else:
        for index, reply in enumerate(several):
            yield reply, ("replies", index)


def check_record(record: Any) -> None:
    """Refuse what has other keys than an exchange or a rule, or not those that it needs. Raises RecordProblem."""
    if type(record) is dict and record.keys() <= _RECORDED and "subject" in record and "reply" in record:
        return
    check_keys(record, (), KEYS)
    if "subject" not in record:
        raise RecordProblem("'subject' is missing", ())
    if "reply" in record and "replies" in record:
        raise RecordProblem("reply and replies exclude each other", ("replies",), key=True)
    if "reply" not in record and "replies" not in record:
        raise RecordProblem("'reply' is missing", ())


def exchange_of(record: dict[str, Any]) -> Exchange:
    """The exchange that a record with a request stands for. Raises UnfitSubject, RecordProblem."""
    check_record(record)
    subject = check_text(record["subject"], ("subject",))
    try:
        check_publish_subject(subject)
    except InputError as error:
        raise UnfitSubject(error.what, ("subject",)) from None
    header, payload = request_of(record["request"])
    answers = tuple([_answer(reply, path, record) for reply, path in replies_of(record)])
    problems = [read_problem(answer.header, answer.payload, subject) for answer in answers]
    failed = next(filter(None, problems), None)
    return Exchange(
        0, _time(record), subject.encode(), _encoded(record, "reply_to"), header, payload, answers,
        _outcome(record, answers, failed), failed, _encoded(record, "via"),
    )  # fmt: skip


def request_of(value: Any) -> tuple[bytes | None, bytes]:
    """The header block and the payload of a request. Raises RecordProblem."""
    return _content(value, ("request",), REQUEST_KEYS)


def _answer(value: Any, path: Path, record: dict[str, Any]) -> Answer:
    rtt = record.get("rtt_ns", record.get("duration_ns", 0))
    content = _content(value, path, REPLY_KEYS)
    if type(value) is dict and "rtt_ns" in value:
        rtt = value["rtt_ns"]
    return Answer(_nanoseconds(rtt), *content)


def _content(value: Any, path: Path, keys: tuple[str, ...]) -> tuple[bytes | None, bytes]:
    """The header block and the payload; nothing in it is a template, and `json` adds no header."""
    if type(value) is dict and value.keys() <= _PLAIN and type(value.get("data")) is str:
        try:
            pairs = value.get("headers")
            if pairs is None:
                return None, value["data"].encode()
            if type(pairs) is list and all(type(pair) is list for pair in pairs):
                return _same_block(tuple(map(tuple, pairs))), value["data"].encode()
        except (UnicodeEncodeError, TypeError, RecordProblem):
            pass  # it is said below what is wrong
    if isinstance(value, str):
        return None, check_text(value, path).encode()
    check_keys(value, path, keys)
    payload = parse_payload(value, path, templates=False).format
    given = {name: part for name, part in value.items() if name != "json"}
    return parse_headers(given, path, templates=False).format or None, payload


@lru_cache(256)
def _same_block(pairs: tuple[tuple[str, str], ...]) -> bytes | None:
    """The header block of `pairs`, which may be those of many. Raises RecordProblem."""
    return parse_headers({"headers": list(map(list, pairs))}, (), templates=False).format or None


def _nanoseconds(value: Any) -> int:
    return value if type(value) is int and 0 <= value < _LONGEST else 0


def _time(record: dict[str, Any]) -> float:
    try:
        return parse_timestamp(record["time"])
    except (KeyError, ValueError, TypeError, AttributeError):
        return 0.0


def _encoded(record: dict[str, Any], name: str) -> bytes:
    return check_text(text, (name,)).encode() if (text := record.get(name)) else b""


def _outcome(record: dict[str, Any], answers: tuple[Answer, ...], error: ReplyProblem | None) -> Outcome:
    if not answers:
        none = record.get("outcome") == Outcome.NO_RESPONDERS.value
        return Outcome.NO_RESPONDERS if none else Outcome.UNANSWERED
    return Outcome.ANSWERED if error is None else Outcome.ERROR
