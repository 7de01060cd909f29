"""What handlers are written with: `Request`, `Reply`, `ServiceError`, and `endpoint`."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from inspect import currentframe, unwrap
from operator import index
from typing import Any, NamedTuple, TypeVar

from natscli.errors import InputError
from natscli.message import headers
from natscli.message.micro import check_name
from natscli.message.subjects import check_queue, check_subscribe_subject
from natscli.text import exact, exact_bytes

_NOTHING: Any = object()
#: `json.dumps` makes an encoder for each value.
_to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_TAKEN = ("subject", "data", "text", "json", "headers", "reply_subject", "count", "state")

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
        try:
            self.code = index(code)  # of an enum, the number
        except TypeError:
            raise TypeError(f"the code of a ServiceError is int, not {type(code).__name__}") from None
        self.text = text
        self.data = data
        self.headers = headers or {}


class PayloadError(ServiceError, ValueError):
    """The payload is not what the handler expects; without more ado, the requester gets the error 400."""

    def __init__(self, text: str) -> None:
        super().__init__(400, text)


class Request:
    """A request, as a handler gets it; one that a test makes has the same attributes.

    Args:
        subject: the subject it was sent to.
        data: the payload, as bytes.
        text: the payload, as text.
        json: the payload, as anything that JSON can hold.
        headers: values by name; a list for a name that is repeated.
        reply_subject: the subject that the reply goes to.
        count: the number of the request, from 0.
        state: what the `lifespan` of the handler's module gave.

    Raises:
        TypeError: an argument that is none of these, or of the wrong type, or two of `data`, `text` and `json`.
        ValueError: JSON cannot hold it, or a header cannot be sent.

    Attributes:
        data: the payload, as it came.
        count: the number of the request, from 0.
        state: what the `lifespan` of the handler's module gave; None without one.

    Example:
        >>> Request("users.get", json={"id": 1}, headers={"X-Trace": "7"}).json()
        {'id': 1}
    """

    def __init__(
        self,
        subject: str = "",
        *,
        data: bytes = _NOTHING,
        text: str = _NOTHING,
        json: Any = _NOTHING,
        headers: HeaderValues | None = None,
        reply_subject: str = "_INBOX.test",
        count: int = 0,
        state: Any = None,
        **unknown: object,
    ) -> None:
        for name in unknown:
            raise TypeError(f"a Request takes no {name!r}; it takes {', '.join(_TAKEN)}")
        given = {n: v for n, v in (("data", data), ("text", text), ("json", json)) if v is not _NOTHING}
        if len(given) > 1:
            raise TypeError(f"{' and '.join(given)} are all the payload of a Request: give one of them")
        for name, value, kind in (("subject", subject, str), ("data", data, bytes), ("text", text, str),
                                  ("reply_subject", reply_subject, str), ("count", count, int)):  # fmt: skip
            if value is not _NOTHING and not isinstance(value, kind):
                raise TypeError(f"{name} of a Request is {kind.__name__}, not {type(value).__name__}")
        self._subject, self._reply = exact_bytes(subject), exact_bytes(reply_subject)
        value = next(iter(given.values()), b"")
        lines, self.data = encode(Reply(_Json(value) if "json" in given else value, headers or {}))
        self._header = b"NATS/1.0\r\n%b\r\n" % lines if lines else None
        self.count = count
        self.state = state

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


class Encoded(NamedTuple):
    """A reply as it is sent: names and values of its headers in order, and the payload."""

    headers: tuple[tuple[str, str], ...]
    data: bytes


class _Json:
    """A payload that is JSON whatever it is: text and None too."""

    def __init__(self, value: Any) -> None:
        self.value = value


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

    def __post_init__(self) -> None:
        _check_headers(self.headers)

    def encode(self) -> Encoded:
        """What would be sent.

        Raises:
            TypeError, ValueError: JSON cannot hold it, or a header cannot be sent.

        Example:
            >>> Reply({"id": 1}).encode()
            Encoded(headers=(('Content-Type', 'application/json'),), data=b'{"id": 1}')
        """
        lines, payload = encode(self)
        return Encoded(headers.decode(b"NATS/1.0\r\n%b\r\n" % lines), payload)


def encode(value: Any) -> tuple[bytes, bytes]:
    """The header lines and the payload for what a handler returned.

    Raises:
        TypeError, ValueError: JSON cannot hold it, or a header cannot be sent.
    """
    if type(value) is bytes:
        return b"", value
    pairs: list[tuple[str, str]] = []
    if isinstance(value, Reply):
        value, pairs = value.data, _header_pairs(value.headers)
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
        value = value.value if isinstance(value, _Json) else value
        payload = _to_json(value).encode()
        if not any(name.lower() == "content-type" for name, _ in pairs):
            pairs.append(("Content-Type", "application/json"))
    return headers.encode_lines(pairs), payload


def _header_pairs(given: HeaderValues) -> list[tuple[str, str]]:
    """The headers of a `Reply` in order.

    Raises:
        TypeError: they are no names and values.
        ValueError: one that cannot be sent.
    """
    _check_headers(given)
    pairs = []
    for name, values in given.items():
        for value in values if isinstance(values, (list, tuple)) else (values,):
            if value is None or isinstance(value, (bytes, bytearray, memoryview)):
                raise TypeError(f"the value of header {name!r} is str, not {type(value).__name__}")
            try:
                headers.check(name, str(value))
            except InputError as error:  # which says that it is of --header
                raise ValueError(error.what) from None
            pairs.append((name, str(value)))
    return pairs


def _check_headers(given: Any) -> None:
    """Raises TypeError, unless these are names and values."""
    if not isinstance(given, Mapping):
        raise TypeError(f"headers are names and values, such as {{'Trace': '7'}}, not {type(given).__name__}")
    for name in given:
        if not isinstance(name, str):
            raise TypeError(f"the name of a header is str, not {type(name).__name__}")


class Endpoint(NamedTuple):
    """What `endpoint` says of a function."""

    subject: str
    name: str
    queue: str | None
    concurrency: int


F = TypeVar("F", bound=Callable[..., Any])


def endpoint(
    subject: str, *, name: str = "", queue: str | None = None, concurrency: int = 0
) -> Callable[[F], F]:
    """Make a function or a method, plain or async, answer requests on `subject`: `pynats reply --handler app.py`.

    Args:
        subject: where to listen; it may have wildcards.
        name: what the endpoint of a service is called; without it, the name is made from the subject.
        queue: its queue group, "" for none; without it, that of the run.
        concurrency: the requests that it answers at once; without it, as many as --concurrency, with all others.

    Raises:
        TypeError, ValueError: an argument that is wrong.

    Example:
        >>> @endpoint("users.get")
        ... async def get(request):
        ...     return {"id": request.json()["id"]}
    """
    _check_endpoint(subject, name, queue, concurrency)

    def mark(function: F) -> F:
        marked = getattr(function, MARK, ())
        try:
            setattr(function, MARK, (Endpoint(subject, name, queue, concurrency), *marked))
        except AttributeError:  # a bound method, an object with slots
            kind = type(function).__name__
            raise TypeError(f"no endpoint can be said of a {kind}: write a function that calls it") from None
        # Its name may be that of another in the end, as in a loop.
        inside = getattr(unwrap(function), "__globals__", {})
        frame = currentframe()
        around = frame.f_back.f_globals if frame is not None and frame.f_back is not None else inside
        for where in [inside] if inside is around else [inside, around]:
            where.setdefault(MARK, []).append(function)
        return function

    return mark


def _check_endpoint(subject: Any, name: Any, queue: Any, concurrency: Any) -> None:
    """Raises TypeError, ValueError, see `endpoint`."""
    for what, value, kind in (("subject", subject, str), ("name", name, str), ("queue", queue or "", str),
                              ("concurrency", concurrency, int)):  # fmt: skip
        if not isinstance(value, kind):
            raise TypeError(f"the {what} of an endpoint is {kind.__name__}, not {type(value).__name__}")
    try:
        check_subscribe_subject(subject)
        if name:
            check_name(name, "name")
        if queue:
            check_queue(queue)
    except InputError as error:
        raise ValueError(error.what) from None
    if concurrency < 0:
        raise ValueError("the concurrency of an endpoint cannot be less than 0")


#: The attribute of a function that holds what `endpoint` says, and of a module that holds the functions it said it of.
MARK = "__natscli_endpoints__"
