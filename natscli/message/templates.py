"""Body templates, as in the Go CLI: `{{Count}}`, `{{ID}}`, `{{Random 10 100}}`, `{{Request}}`, `{{1}}`, ...

A template is compiled once, into a `%`-format and the fields that fill it, so that a reply costs one call a field.
"""

from __future__ import annotations

import re
import secrets
import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product

from natscli.errors import InputError

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_ACTION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


@dataclass
class Facts:
    """What a template can be filled with. `count` is the number of the request or reply."""

    count: int
    subject: bytes = b""
    request: bytes = b""


Field = Callable[[Facts], bytes]


def _ids() -> Iterator[bytes]:
    """Unique IDs of 22 letters, like a NUID's: a random prefix for the process, then a sequence."""
    prefix = "".join(secrets.choice(_LETTERS) for _ in range(12)).encode()
    for tail in product(_LETTERS, repeat=10):
        yield prefix + "".join(tail).encode()


_next_id = _ids().__next__


def _timestamp() -> bytes:
    now = time.localtime()
    zone = time.strftime("%z", now)
    return (
        time.strftime("%Y-%m-%dT%H:%M:%S", now) + (f"{zone[:3]}:{zone[3:]}" if now.tm_gmtoff else "Z")
    ).encode()


def _kitchen() -> bytes:
    now = time.localtime()
    return b"%d:%02d%b" % (now.tm_hour % 12 or 12, now.tm_min, b"AM" if now.tm_hour < 12 else b"PM")


_FIELDS: dict[str, Field] = {
    "Count": lambda facts: b"%d" % facts.count,
    "Cnt": lambda facts: b"%d" % facts.count,
    "ID": lambda facts: _next_id(),
    "Time": lambda facts: _kitchen(),
    "TimeStamp": lambda facts: _timestamp(),
    "Unix": lambda facts: b"%d" % time.time(),
    "UnixNano": lambda facts: b"%d" % time.time_ns(),
}
_REPLY_FIELDS: dict[str, Field] = {"Request": lambda facts: facts.request}


def _random(shortest: int, longest: int) -> Field:
    import random

    low, high = sorted((shortest, longest))
    letters = _LETTERS.encode()
    return lambda facts: bytes(random.choices(letters, k=random.randint(low, high)))


def _token(index: int) -> Field:
    def token(facts: Facts) -> bytes:
        tokens = facts.subject.split(b".")
        return tokens[index] if index < len(tokens) else b""

    return token


@dataclass(frozen=True)
class Template:
    """A compiled template: `%`-format bytes and the fields for it."""

    format: bytes
    fields: tuple[Field, ...] = field(default=())

    @property
    def is_static(self) -> bool:
        """Whether it always gives the same."""
        return not self.fields

    def fill(self, facts: Facts) -> bytes:
        """The text for one message."""
        return self.format % tuple([f(facts) for f in self.fields]) if self.fields else self.format


def compile_template(text: str, where: str, *, reply: bool, enabled: bool = True) -> Template:
    """Compile `text`; `reply` allows `{{Request}}` and the subject's tokens; not `enabled` leaves it as it is.

    Raises:
        InputError: an unknown name, with its position.
    """
    parts, fields, end = [], [], 0
    for match in _ACTION.finditer(text) if enabled else ():
        parts.append(_escape(text[end : match.start()]))
        parts.append(b"%b")
        fields.append(_field(match.group(1), match.start() + 1, where, reply))
        end = match.end()
    if enabled and "{{" in text[end:]:
        position = text.index("{{", end) + 1
        raise InputError(f"unclosed '{{{{' in the template at character {position}", where=where)
    parts.append(_escape(text[end:]))
    return Template(b"".join(parts), tuple(fields)) if fields else Template(_encode(text))


def compile_command(line: str, where: str, *, enabled: bool = True) -> list[Template]:
    """Split a command line as a shell would, then compile each word: a request can never become a second word.

    Raises:
        InputError: quotes that do not close, nothing to run, or an unknown name in a template.
    """
    actions: list[str] = []

    def stash(match: re.Match[str]) -> str:
        actions.append(match.group(0))
        return f"\0{len(actions) - 1}\0"

    try:
        words = shlex.split(_ACTION.sub(stash, line) if enabled else line)
    except ValueError as error:
        raise InputError(f"cannot split the command: {str(error).lower()}", where=where) from None
    if not words:
        raise InputError("the command is empty", where=where)
    restored = [re.sub("\0(\\d+)\0", lambda m: actions[int(m.group(1))], word) for word in words]
    return [compile_template(word, where, reply=True, enabled=enabled) for word in restored]


def _field(action: str, position: int, where: str, reply: bool) -> Field:
    words = action.replace("(", " ").replace(")", " ").replace(",", " ").split()
    name = words[0].removeprefix(".") if words else ""
    if name == "Random" and len(words) == 3 and words[1].isdecimal() and words[2].isdecimal():
        return _random(int(words[1]), int(words[2]))
    if len(words) == 1:
        known = _FIELDS | _REPLY_FIELDS if reply else _FIELDS
        if name in known:
            return known[name]
        if reply and name.isdecimal():
            return _token(int(name))
    known_names = "Count ID Time TimeStamp Unix UnixNano Random" + (" Request 0 1 ..." if reply else "")
    raise InputError(
        f"unknown template {{{{{action}}}}} at character {position}",
        where=where,
        hint=f"known are: {known_names}; --no-templates sends the text as it is",
    )


def _encode(text: str) -> bytes:
    """Arguments that were not UTF-8 come as surrogates, and go out as the bytes they were."""
    return text.encode("utf-8", "surrogateescape")


def _escape(text: str) -> bytes:
    return _encode(text).replace(b"%", b"%%")
