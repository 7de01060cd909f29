"""Body templates, as in the Go CLI: `{{Count}}`, `{{ID}}`, `{{Random 10 100}}`, `{{Request}}`, `{{1}}`, ...

A template is compiled once, into a `%`-format and the fields that fill it, so that a reply costs one call a field.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product

from natscli.errors import InputError
from natscli.frozen import Frozen
from natscli.message.payload import LARGEST
from natscli.message.subjects import check_publish_subject
from natscli.text import bytes_for_programs, exact_bytes, for_programs

_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#: A letter for each byte. The first eight come a little more often, which does not matter for filler.
_FILLER = (_LETTERS * 5)[:256]
_ACTION = r"(?s)\{\{(.*?)\}\}"
#: A token of the subject.
_TOKEN = r"\{\{\s*(\d+)\s*\}\}"


class Facts:
    """What a template can be filled with. `count` is the number of the request or reply."""

    __slots__ = ("count", "request", "subject")

    def __init__(self, count: int, subject: bytes = b"", request: bytes = b"") -> None:
        self.count = count
        self.subject = subject
        self.request = request


Field = Callable[[Facts], bytes]

# Unique IDs of 22 letters, like a NUID's: a random start for the process, then a sequence. Made of iterators that
# threads may share: commands are filled in by several at once.
_id_start = bytes(_LETTERS[b % len(_LETTERS)] for b in os.urandom(12))
_id_ends = map(bytes, product(_LETTERS, repeat=10))


def _timestamp() -> bytes:
    now = time.localtime()
    zone = time.strftime("%z", now)
    return (
        time.strftime("%Y-%m-%dT%H:%M:%S", now) + (f"{zone[:3]}:{zone[3:]}" if now.tm_gmtoff else "Z")
    ).encode()


def _kitchen() -> bytes:
    now = time.localtime()
    return b"%d:%02d%b" % (now.tm_hour % 12 or 12, now.tm_min, b"AM" if now.tm_hour < 12 else b"PM")


#: The fields of requests, of replies and of the words of --translate, by name.
REQUEST: dict[str, Field] = {
    "Count": lambda facts: b"%d" % facts.count,
    "Cnt": lambda facts: b"%d" % facts.count,
    "ID": lambda facts: _id_start + next(_id_ends),
    "Time": lambda facts: _kitchen(),
    "TimeStamp": lambda facts: _timestamp(),
    "Unix": lambda facts: b"%d" % time.time(),
    "UnixNano": lambda facts: b"%d" % time.time_ns(),
}
REPLY: dict[str, Field] = {**REQUEST, "Request": lambda facts: facts.request}
TRANSLATE: dict[str, Field] = {"Subject": lambda facts: facts.subject}


def _random(shortest: int, longest: int) -> Field:
    low, high = sorted((shortest, longest))
    import random  # only for this

    return lambda facts: random.randbytes(random.randint(low, high)).translate(_FILLER)


def _token(index: int) -> Field:
    def token(facts: Facts) -> bytes:
        tokens = facts.subject.split(b".")
        return tokens[index] if index < len(tokens) else b""

    return token


#: How the name of a field begins that gives JSON; nobody types it.
_AS_JSON = "\0json."
_WHOLE_STRING = r'"\{\{\s*\.?json\.([^\s{}"\\]+)\s*\}\}"'


def with_values(text: str) -> str:
    """A JSON text whose strings are templates: those that are nothing but `{{json.KEY}}` become the values there."""
    return re.sub(_WHOLE_STRING, lambda found: f"{{{{{_AS_JSON}{found[1]}}}}}", text)


class JSONField:
    """A part of a request that is JSON: keys of objects and indices of lists. What is not there is empty, or null."""

    def __init__(self, path: list[str], *, as_json: bool) -> None:
        self.as_json = as_json
        self._path = path

    def __call__(self, facts: Facts) -> bytes:
        try:
            value = json.loads(facts.request)
            for key in self._path:
                value = value[int(key)] if isinstance(value, list) else value[key]
            if not self.as_json and isinstance(value, str):
                return bytes_for_programs(value)
            return bytes_for_programs(json.dumps(value, ensure_ascii=False, allow_nan=False))
        except (ValueError, LookupError, TypeError, RecursionError):
            return b"null" if self.as_json else b""


class Template(Frozen):
    """A compiled template: `%`-format bytes and the fields for it."""

    format: bytes
    fields: tuple[Field, ...] = ()

    @property
    def is_static(self) -> bool:
        """Whether it always gives the same."""
        return not self.fields

    @property
    def begins_filled_in(self) -> bool:
        """Whether the first character comes from what it is filled with."""
        return bool(self.fields) and self.format.startswith(b"%b")

    def fill(self, facts: Facts) -> bytes:
        """The text for one message."""
        return self.format % tuple([f(facts) for f in self.fields]) if self.fields else self.format


def compile_template(text: str, where: str, *, reply: bool, enabled: bool = True) -> Template:
    """Compile `text`; `reply` allows `{{Request}}` and the subject's tokens; not `enabled` leaves it as it is.

    Raises:
        InputError: an unknown name or too large a number, with its position.
    """
    return joined(parse(text, where, REPLY if reply else REQUEST) if enabled else [text])


class SubjectTemplate(Frozen):
    """Where messages are sent to instead: a subject made of the tokens of the one that they came on.

    `pattern` has a `*` for each token that is filled in, `highest` is the index of the last that it takes; -1 if none.
    """

    template: Template
    pattern: str
    highest: int = -1

    def of(self, subject: bytes) -> bytes | None:
        """The subject for what came on `subject`; None if that has too few tokens."""
        return self.template.fill(Facts(0, subject)) if self.takes(subject) else None

    def takes(self, subject: bytes) -> bool:
        """Whether `subject` has the tokens that it is made of."""
        return subject.count(b".") >= self.highest

    def why_not(self, subject: bytes) -> str:
        """What to say of a subject that has not."""
        return f"too few tokens in [{for_programs(subject)}] for {{{{{self.highest}}}}}"


def compile_destination(text: str, where: str, *, enabled: bool = True) -> SubjectTemplate:
    """Compile `text`, of which only tokens of the subject are filled in; not `enabled` leaves it as it is.

    Raises:
        InputError: something else should be, or nothing can be sent there.
    """
    known = re.compile(_TOKEN if enabled else "(?!)")
    if enabled and "{{" in known.sub("", text):
        raise InputError(
            f"only tokens of the subject, such as {{{{1}}}}, can be filled in: {text!r}", where=where
        )
    try:
        check_publish_subject(known.sub("x", text))
    except InputError as error:
        error.where = where
        raise
    template = compile_template(text, where, reply=True, enabled=enabled)
    pattern = ".".join("*" if known.search(token) else token for token in text.split("."))
    return SubjectTemplate(template, pattern, max(map(int, known.findall(text)), default=-1))


def parse(text: str, where: str, known: Mapping[str, Field]) -> Iterator[str | Field]:
    """The texts and the fields that `text` is made of, in order."""
    end = 0
    for match in re.finditer(_ACTION, text) if "{{" in text else ():
        yield text[end : match.start()]
        yield _field(match.group(1), match.start() + 1, where, known)
        end = match.end()
    if "{{" in text[end:]:
        position = text.index("{{", end) + 1
        raise InputError(f"unclosed '{{{{' in the template at character {position}", where=where)
    yield text[end:]


def joined(parts: Iterable[str | Field]) -> Template:
    """The template that consists of these texts and fields."""
    texts: list[bytes] = []
    fields: list[Field] = []
    for part in parts:
        if isinstance(part, str):
            # Arguments that were not UTF-8 come as surrogates, and go out as the bytes they were.
            texts.append(exact_bytes(part))
        else:
            fields.append(part)
    if not fields:
        return Template(b"".join(texts))
    return Template(b"%b".join(text.replace(b"%", b"%%") for text in texts), tuple(fields))


def _field(action: str, position: int, where: str, known: Mapping[str, Field]) -> Field:
    words = action.replace("(", " ").replace(")", " ").replace(",", " ").split()
    name = words[0].removeprefix(".") if words else ""
    if len(words) == 1 and name in known:
        return known[name]
    if known is not TRANSLATE and name == "Random" and len(words) == 3 and "".join(words[1:]).isdecimal():
        return _random(_number(words[1], position, where), _number(words[2], position, where))
    if known is REPLY and len(words) == 1 and name.startswith(("json.", _AS_JSON)):
        return JSONField(name.split(".")[1:], as_json=name.startswith(_AS_JSON))
    if known is REPLY and len(words) == 1 and words[0].isdecimal():
        return _token(_number(words[0], position, where))
    names = [name for name in known if name != "Cnt"]
    names += ["Random MIN MAX"] if known is not TRANSLATE else []
    names += ["json.KEY", "0", "1", "..."] if known is REPLY else []
    advice = "" if known is TRANSLATE else "; --no-templates sends the text as it is"
    raise InputError(
        f"unknown template {{{{{action}}}}} at character {position}",
        where=where,
        hint=f"known templates: {', '.join(names)}{advice}",
    )


def _number(digits: str, position: int, where: str) -> int:
    # Of thousands of digits Python makes no number, and of many it takes long.
    number = int(digits) if len(digits) <= len(str(LARGEST)) else LARGEST + 1
    if number > LARGEST:
        raise InputError(
            f"too large a number in the template at character {position}",
            where=where,
            hint=f"at most {LARGEST}, the most bytes that any server takes",
        )
    return number
