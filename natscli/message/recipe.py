"""Messages made from templates: the subject, the headers and the body, compiled once."""

from __future__ import annotations

import os
from functools import cached_property
from itertools import repeat
from typing import NamedTuple, Protocol

from natscli.environment import Environment
from natscli.errors import InputError
from natscli.frozen import Frozen
from natscli.message import headers, payload
from natscli.message.subjects import check_publish_subject
from natscli.message.templates import Facts, Template, compile_template
from natscli.system.terminal import is_same_file
from natscli.text import exact


class Outgoing(NamedTuple):
    """One message to send; its subject and its size are still to be checked."""

    number: int
    subject: str
    header: bytes | None
    payload: bytes


class Recipe(Frozen):
    """How to make messages: subject and headers as templates, and the body, unless it comes from elsewhere."""

    subject: Template
    header: tuple[tuple[str, Template], ...]
    body: Template

    @property
    def is_static(self) -> bool:
        """Whether all messages are the same, but for their numbers."""
        return self._same is not None

    def make(self, number: int, payload: bytes | None = None) -> Outgoing:
        """Message `number`, which counts from 1."""
        if self._same is not None:
            subject, header, body = self._same
            return Outgoing(number, subject, header, body if payload is None else payload)
        return self._make(number, payload)

    def make_all(self, numbers: range) -> list[Outgoing]:
        """The messages with these numbers."""
        if self._same is None:
            return [self._make(number, None) for number in numbers]
        # Without a call into Python for each: most runs send the same again and again.
        parts = zip(numbers, *map(repeat, self._same), strict=False)
        return list(map(tuple.__new__, repeat(Outgoing), parts))

    @cached_property
    def _same(self) -> tuple[str, bytes | None, bytes] | None:
        """What is the same for all messages, if everything is; made once."""
        templates = (self.subject, self.body, *(template for _, template in self.header))
        return self._make(1, None)[1:] if all(template.is_static for template in templates) else None

    def _make(self, number: int, payload: bytes | None) -> Outgoing:
        facts = Facts(number)
        pairs = [(name, exact(template.fill(facts))) for name, template in self.header]
        return Outgoing(
            number,
            exact(self.subject.fill(facts)),
            headers.encode(pairs) or None,
            self.body.fill(facts) if payload is None else payload,
        )


class Described(Protocol):
    """The options of `request` and `publish` that say what is sent."""

    @property
    def subject(self) -> str:
        """SUBJECT."""

    @property
    def body(self) -> str | None:
        """BODY."""

    @property
    def body_file(self) -> str | None:
        """--body-file."""

    @property
    def header(self) -> tuple[str, ...]:
        """--header."""

    @property
    def templates(self) -> bool:
        """--templates."""

    @property
    def force_stdin(self) -> bool:
        """--force-stdin."""

    @property
    def by_line(self) -> bool:
        """Whether each line of standard input is a message."""

    @property
    def log_each(self) -> bool:
        """Whether each message is logged."""


def compile_recipe(options: Described, what: str = "a request") -> Recipe:
    """The subject, headers and BODY of `options`, compiled; `what` is sent.

    Raises:
        InputError: a template, a subject or a header that cannot be sent.
    """

    def compiled(text: str, where: str) -> Template:
        return compile_template(text, where, reply=False, enabled=options.templates)

    subject = compiled(options.subject, "SUBJECT")
    check_publish_subject(exact(subject.fill(Facts(1))), what)
    header = tuple((name, compiled(value, "--header")) for name, value in headers.parse(options.header))
    return Recipe(subject, header, compiled(options.body or "", "BODY"))


def read_body(recipe: Recipe, options: Described, environment: Environment) -> Recipe:
    """`recipe` with the body from --body-file or standard input, where that is where it comes from.

    Raises:
        InputError: it cannot be read, or is larger than any server takes.
    """
    if options.body_file is not None and options.body_file != "-":
        return recipe.replace(body=Template(payload.read_file(options.body_file)))
    asked = (
        options.force_stdin or options.body_file or (options.body is None and not environment.stdin.isatty())
    )
    _check_file(options.body or "")
    if environment.stdin_is_for and (options.by_line or (asked and options.body_file is None)):
        raise InputError(
            f"{environment.stdin_is_for} reads standard input, which cannot be the payload too",
            hint="give BODY, or --body-file FILE",
        )
    if options.by_line and is_same_file(environment.stdin, environment.stdout):
        raise InputError("standard input and standard output are the same file")
    if options.by_line or not asked:
        return recipe
    if options.log_each:
        environment.log("Reading payload from standard input")

    def on_wait() -> None:
        end = (
            "Ctrl-D ends it" if environment.stdin.isatty() else "for an empty payload, give '' or </dev/null"
        )
        environment.log(f"Waiting for standard input ({end})")

    return recipe.replace(body=Template(payload.read_stdin(environment.stdin, on_wait)))


def _check_file(body: str) -> None:
    """Refuse a body that names a file as curl does: its name would be sent, not what is in it."""
    if body.startswith("@") and os.path.isfile(body[1:]):
        from shlex import quote

        name = quote(body[1:])
        raise InputError(f"{body!r} is text, and there is a file of that name", where="BODY",
                         hint=f"--body-file {name} sends the file; the text can come from standard input")  # fmt: skip
