"""What a reply says of itself: a status line of the server, a service error, a JetStream acknowledgement.

Odd headers are read by one rule each, everywhere: names in any case, the first of those that are repeated, an empty
error is an error, and bytes that are not UTF-8 are kept as surrogates.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from natscli.message import headers
from natscli.message.subjects import is_direct_get, is_pull
from natscli.text import bytes_for_programs, exact, replaced

#: Headers in which a responder may say who it is, the first that is there.
_NAMES = ("nats-service-id", "nats-responder", "responder", "x-responder", "server", "hostname", "host")
_SERVICE_TYPE = "io.nats.micro."
#: A payload that is longer (bytes) is not looked into: for the id of a service, or an error of an API.
_LARGEST_RESPONSE = 64 * 1024

#: How the server begins acknowledgements of messages that a stream has taken, and responses of the JetStream API.
_ACKNOWLEDGEMENTS = (b'{"stream":', b'{"error":')
_API = b'{"type":"io.nats.jetstream.api.'
#: Bytes that an acknowledgement has at most: what is larger is not parsed.
_LARGEST_ACKNOWLEDGEMENT = 1024
_MEMBERS = frozenset({"stream", "seq", "domain", "duplicate", "val", "batch", "count", "error"})
#: The least code that is an error.
_ERRORS_FROM = 400

#: In which a server names the subject that nobody subscribes to, after mappings and imports.
_ASKED = "nats-subject"
_SAME = b"NATS/1.0 503\r\nNats-Subject: %b\r\n\r\n"

#: Who says that a request has failed, and how that is put.
_WHO = {
    "service": "the service answered with error",
    "status": "the server answered with status",
    "stream": "JetStream answered with error",
    "format": "the reply is not what --format expects",
}


def asked_subject(header: bytes | None, subject: str) -> str:
    """The subject that nobody subscribes to, as a 503 of the server says: `subject`, or what it made of that."""
    if header == _SAME % bytes_for_programs(subject):  # as nearly always
        return subject
    named = {name.lower(): value for name, value in reversed(headers.decode(header))}.get(_ASKED)
    return subject if named is None else replaced(named)


def no_responders(header: bytes | None, subject: str) -> str:
    """That nobody subscribes to `subject`, in words, with the subject that the server asked where that differs."""
    asked = asked_subject(header, subject)
    return "no responders" if asked == subject else f"no responders on {asked}"


class Status(NamedTuple):
    """The status line of a message that a server made: `NATS/1.0 404 No Messages`. `description` may be empty."""

    code: int
    description: str

    @property
    def is_error(self) -> bool:
        """Whether what was asked for has failed; 100 (idle heartbeat, flow control) says nothing of that kind."""
        return self.code >= _ERRORS_FROM

    def __str__(self) -> str:
        return f"{self.code} {self.description}".rstrip()


class Acknowledgement(NamedTuple):
    """A stream has taken the request as its message `sequence`; `error` is the code and the text if it has not."""

    stream: str
    sequence: int
    error: tuple[str, str] | None = None


class ReplyProblem(NamedTuple):
    """Why a request has failed, as its reply says; `source` of it is one of `_WHO`."""

    source: str
    code: str
    text: str

    def __str__(self) -> str:
        """`the service answered with error 500: out of paper`, for the end of a sentence or a line of its own."""
        who = _WHO[self.source]
        separator = " " if self.source == "status" else ": "
        return f"{who} {self.code}".rstrip() + (f"{separator}{self.text}" if self.text else "")


def read_status(block: bytes | None) -> Status | None:
    """The status line of a header block; None without one, as of every message of a client."""
    code = headers.status(block)
    if not block or not code:
        return None
    line, _, rest = block[len(headers.LINE) + len(" 503") :].partition(b"\r\n")
    text = exact(line.strip())
    if not text and rest.strip():
        pairs = {name.lower(): value for name, value in reversed(headers.decode(block))}
        text = pairs.get("description", "")
    return Status(int(code), text)


def gives_stored(subject: str) -> bool:
    """Whether a request on `subject` gets a message of a stream as it was stored: it may look like anything.

    Only a status of the server says then that the request has failed.
    """
    return is_pull(subject) or is_direct_get(subject)


def read_acknowledgement(payload: bytes, subject: str = "") -> Acknowledgement | None:
    """The acknowledgement (`{"stream": ..., "seq": ...}`) that the reply to a request on `subject` is; else None."""
    if (
        gives_stored(subject)
        or not payload.startswith(_ACKNOWLEDGEMENTS)
        or len(payload) > _LARGEST_ACKNOWLEDGEMENT
    ):
        return None
    value = _object(payload)
    stream, sequence = value.get("stream"), value.get("seq")
    if not isinstance(stream, str) or type(sequence) is not int or not _MEMBERS.issuperset(value):
        return None
    return Acknowledgement(stream, sequence, _api_error(value))


def read_problem(header: bytes | None, payload: bytes, subject: str = "") -> ReplyProblem | None:
    """What makes the reply to a request on `subject` a failure; None without one.

    A service error, a status from 400 on, an error of JetStream.
    """
    stored = gives_stored(subject)
    if header:
        problem = None if stored else headers.read_service_error(header)
        if problem is not None:
            return ReplyProblem("service", *problem)
        status = read_status(header)
        if status is not None and status.is_error:
            return ReplyProblem("status", str(status.code), status.description)
    if stored:
        return None
    if payload[:1] == b"{" and b'"isDisposed"' in payload and len(payload) <= _LARGEST_RESPONSE:
        return read_packet_error(_object(payload))
    if payload.startswith(_API):
        error = _api_error(_object(payload)) if len(payload) <= _LARGEST_RESPONSE else None
        return ReplyProblem("stream", *error) if error else None
    acknowledgement = read_acknowledgement(payload)
    if acknowledgement is None or acknowledgement.error is None:
        return None
    return ReplyProblem("stream", *acknowledgement.error)


def read_packet_error(packet: dict[str, Any]) -> ReplyProblem | None:
    """What `err` of a packet of NestJS says; None without one."""
    error = packet.get("err")
    if error is None:
        return None
    if not isinstance(error, dict):
        return ReplyProblem("service", "", error if isinstance(error, str) else json.dumps(error))
    code = next(
        (error[name] for name in ("code", "statusCode", "status") if type(error.get(name)) is int), ""
    )
    text = error.get("message", error.get("error"))
    return ReplyProblem("service", str(code), text if isinstance(text, str) else json.dumps(error))


def _api_error(value: dict[str, Any]) -> tuple[str, str] | None:
    error = value.get("error")
    if not isinstance(error, dict):
        return None
    code, text = error.get("code"), error.get("description")
    return (str(code) if type(code) is int else "", text if isinstance(text, str) else "")


def _object(payload: bytes) -> dict[str, Any]:
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def responder(header: bytes | None, payload: bytes) -> str:
    """The sender of a reply: the value of a header, or the id in a response of a service (ADR-32); else empty."""
    if header:
        values = {name.lower(): value for name, value in headers.decode(header)}
        for name in _NAMES:
            if values.get(name):
                return values[name]
    if (
        len(payload) > _LARGEST_RESPONSE
        or not payload.startswith(b"{")
        or _SERVICE_TYPE.encode() not in payload
    ):
        return ""
    try:
        response = json.loads(payload)
    except (ValueError, RecursionError):
        return ""
    is_service = isinstance(response, dict) and str(response.get("type")).startswith(_SERVICE_TYPE)
    return str(response.get("id", "")) if is_service else ""
