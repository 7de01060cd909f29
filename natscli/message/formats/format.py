"""What a format is: how requests and replies are wrapped for a framework, and what is in those that come."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from natscli.message import headers
from natscli.message.status import ReplyProblem

#: Arrays and objects in each other: more than this, and writing them again may fail.
_DEEPEST = 200


class Content(NamedTuple):
    """The headers and the payload of a message."""

    header: bytes | None
    payload: bytes


class Piece(NamedTuple):
    """What a reply is in its format: the `payload` to show, None for nothing; whether it is the `last` of its request;
    and what makes it a failure.
    """

    payload: bytes | None
    last: bool = True
    problem: ReplyProblem | None = None


class Asked(NamedTuple):
    """What a request is in its format: the payload for who answers, and what the format has to remember for that."""

    payload: bytes
    memory: Any = None


class Format(ABC):
    """Wraps and unwraps messages. All functions are pure, but for the ids that they give out."""

    #: Whether a request has replies until one says that it is the last.
    several = False
    #: What may be the reason when no reply comes, as the end of a line; nothing if the format gives none.
    silence = ""

    def subject(self, subject: str) -> str:
        """The subject that what was given as one stands for.

        Raises:
            InputError: it stands for none.
        """
        return subject

    @abstractmethod
    def request(self, subject: str, number: int, content: Content) -> Content:
        """Request `number` of a run, wrapped.

        Raises:
            InputError: the format cannot hold the payload.
        """

    @abstractmethod
    def read_reply(self, number: int, content: Content) -> Piece | None:
        """What a reply to request `number` is; None if it belongs to another request."""

    @abstractmethod
    def read_request(self, content: Content) -> Asked:
        """What a request is.

        Raises:
            ValueError: it is none in this format; the text says why.
        """

    @abstractmethod
    def reply(self, asked: Asked, answer: Content, *, first: bool = True, last: bool = True) -> Content:
        """One of the replies to a request, the `first` and the `last` of them or not, wrapped.

        An answer may have the headers of a service error (ADR-32); an empty last one after others says that there are
        no more.

        Raises:
            ValueError: the format cannot hold it; the text says why.
        """

    def asked_by(self, reply: Content) -> Asked | None:  # noqa: ARG002
        """What a wrapped reply has from its request, for an error in its place; None if it is not in this format."""
        return Asked(b"")

    def belongs(self, request: Content, reply: Content) -> bool:  # noqa: ARG002
        """Whether what came to the reply subject of `request`, as seen from outside, is a reply to it."""
        return True

    def shown(self, content: Content) -> bytes:
        """The payload of a request or a reply that is seen from outside."""
        return content.payload

    def recorded(self, reply: Content) -> Content:
        """A reply as recordings have it: what a responder in this format answers, so that it is wrapped to `reply`.

        An error has the headers of a service error; nothing is what only says that there are no more replies.
        """
        return reply


def only_ends(answer: Content, *, first: bool, last: bool) -> bool:
    """Whether an answer is none, and says that there are no more; see `Format.reply`."""
    return last and not first and answer == Content(None, b"")


def is_json(payload: bytes) -> bool:
    """Whether `payload` is a JSON text as any parser reads it."""
    try:
        parse_json(payload)
    except ValueError:
        return False
    return True


def parse_json(payload: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is none; NaN and infinity are none either.
    """
    if max(payload.count(b"["), payload.count(b"{")) > _DEEPEST and _depth(payload) > _DEEPEST:
        raise ValueError("nested too deep")
    return json.loads(payload.decode(), parse_constant=_refuse)


def _depth(payload: bytes) -> int:
    """The most brackets that are open at once, in strings too."""
    depth = deepest = 0
    for byte in payload:
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


def _refuse(name: str) -> Any:
    raise ValueError(f"JSON has no {name}")


def with_headers(block: bytes | None, *pairs: tuple[str, str]) -> bytes:
    """`block` with those of `pairs` whose names it has in no case."""
    present = headers.decode(block)
    names = {name.lower() for name, _ in present}
    return headers.encode([*present, *(pair for pair in pairs if pair[0].lower() not in names)])


def without_headers(block: bytes | None, *pairs: tuple[str, str]) -> bytes | None:
    """`block` without `pairs`, the same bytes if it has none of them; None when nothing is left."""
    present = headers.decode(block)
    left = [pair for pair in present if pair not in pairs]
    return block if len(left) == len(present) else headers.encode(left) or None


def header_value(block: bytes | None, name: str) -> str:
    """The first value of a header, whatever the case of its name; an empty string without one."""
    return next((value for n, value in headers.decode(block) if n.lower() == name.lower()), "")
