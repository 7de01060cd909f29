"""A request as a handler gets it, and what the handler may answer: `Request`, `Reply` and `ServiceError`."""

from __future__ import annotations

import json
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import index
from typing import Any

from natscli.errors import InputError
from natscli.message import headers
from natscli.text import exact

#: The headers of a `Reply`: a value, or several, for each name.
HeaderValues = Mapping[str, "str | Sequence[str]"]


class ServiceError(Exception):
    """Raise it in a handler to answer with an error, as NATS services do (ADR-32).

    Args:
        code: a number as of HTTP, for the header Nats-Service-Error-Code.
        text: what went wrong, for the header Nats-Service-Error.
        data: the payload of the reply, as that of a `Reply`.
        headers: more headers, as those of a `Reply`.

    Raises:
        TypeError: the code is not a whole number.

    Example:
        >>> raise ServiceError(404, "no such city")
        Traceback (most recent call last):
        natscli.handling.ServiceError: 404: no such city
    """

    def __init__(self, code: int, text: str, *, data: Any = b"", headers: HeaderValues | None = None) -> None:
        super().__init__(f"{code}: {text}")
        self.code = index(code)  # of an enum, the number
        self.text = text
        self.data = data
        self.headers = headers or {}


class PayloadError(ServiceError, ValueError):
    """The payload is not what the handler expects; without more ado, the requester gets the error 400."""

    def __init__(self, text: str) -> None:
        super().__init__(400, text)


class Request:
    """A request, as a handler gets it.

    Args:
        subject: the subject it was sent to.
        reply: the subject that the reply goes to.
        header: the header block, `b"NATS/1.0\\r\\nName: value\\r\\n\\r\\n"`, or None.
        data: the payload.
        count: the number of the request, from 0.

    Attributes:
        data: the payload, as it came.
        count: the number of the request, from 0.
    """

    def __init__(
        self, subject: bytes, reply: bytes, header: bytes | None, data: bytes, count: int = 0
    ) -> None:
        self.data = data
        self.count = count
        self._subject = subject
        self._reply = reply
        self._header = header

    def __repr__(self) -> str:
        return f"<Request #{self.count} on {self.subject!r}, {len(self.data)} bytes>"

    @property
    def subject(self) -> str:
        """The subject it was sent to."""
        return exact(self._subject)

    @property
    def reply_subject(self) -> str:
        """The subject that the reply goes to, usually an inbox."""
        return exact(self._reply)

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens of the subject: `("weather", "london")` for `weather.london`."""
        return tuple(self.subject.split("."))

    @cached_property
    def headers(self) -> dict[str, str]:
        """The headers by name; of several with one name, the first. Names are case-sensitive (ADR-4)."""
        return dict(reversed(self.header_pairs))

    @property
    def header_pairs(self) -> tuple[tuple[str, str], ...]:
        """All headers in order, with those whose name is repeated."""
        return headers.decode(self._header)

    @property
    def text(self) -> str:
        """The payload as text.

        Raises:
            PayloadError: it is not UTF-8. Not caught, it answers with the error 400.
        """
        try:
            return self.data.decode()
        except UnicodeDecodeError:
            raise PayloadError("the payload is not UTF-8") from None

    def json(self) -> Any:
        """The payload, parsed as JSON.

        Raises:
            PayloadError: it is not JSON. Not caught, it answers with the error 400.
        """
        try:
            return json.loads(self.data)
        except (ValueError, RecursionError) as error:
            raise PayloadError(f"the payload is not JSON: {error}") from None


@dataclass(frozen=True)
class Reply:
    """What a handler answers, when headers go with it.

    Attributes:
        data: bytes; text, which is sent as UTF-8; None for an empty payload; or anything that JSON can hold, which gets
            the header Content-Type: application/json, unless `headers` has one.
        headers: values by name; a list for a name that is repeated.
    """

    data: Any = b""
    headers: HeaderValues = field(default_factory=dict)


def encode(value: Any) -> tuple[bytes, bytes]:
    """The header lines and the payload for what a handler returned.

    Raises:
        TypeError, ValueError: JSON cannot hold it, or a header cannot be sent.
    """
    given: HeaderValues = {}
    if isinstance(value, Reply):
        value, given = value.data, value.headers
    pairs = _header_pairs(given)
    if isinstance(value, (bytes, bytearray, memoryview)):
        payload = bytes(value)
    elif isinstance(value, str):
        payload = value.encode()
    elif value is None:
        payload = b""
    elif hasattr(value, "__await__"):
        if isinstance(value, Coroutine):
            value.close()  # or Python warns that it was never awaited
        raise TypeError("it returned something to be awaited: declare it with 'async def'")
    else:
        payload = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        if not any(name.lower() == "content-type" for name, _ in pairs):
            pairs.append(("Content-Type", "application/json"))
    return headers.encode_lines(pairs), payload


def _header_pairs(given: HeaderValues) -> list[tuple[str, str]]:
    """The headers of a `Reply` in order.

    Raises:
        ValueError: one that cannot be sent.
    """
    pairs = []
    for name, values in given.items():
        for value in values if isinstance(values, (list, tuple)) else (values,):
            try:
                headers.check(name, str(value))
            except InputError as error:  # which says that it is of --header
                raise ValueError(error.what) from None
            pairs.append((name, str(value)))
    return pairs
