"""The vocabulary of NATS services (ADR-32): control subjects, what they answer, what names and versions may be."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from enum import Enum
from math import isfinite
from typing import Any

from natscli.errors import InputError

PREFIX = "$SRV"
#: Arrays and objects in each other, in the `data` of an endpoint.
_DEEPEST = 64
#: The queue group of endpoints, unless the service, a group or the endpoint has another.
DEFAULT_QUEUE = "q"

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_ID = re.compile("[^\\s.*>\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
#: As on semver.org, where ADR-32 takes it from.
_VERSION = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(-(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*)?"
    r"(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?",
    re.ASCII,
)


class Verb(str, Enum):
    """What a service is asked for."""

    PING = "PING"
    INFO = "INFO"
    STATS = "STATS"

    @property
    def response_type(self) -> str:
        """The `type` of the response, such as `io.nats.micro.v1.ping_response`."""
        return f"io.nats.micro.v1.{self.value.lower()}_response"


@dataclass(frozen=True)
class Endpoint:
    """An endpoint as an instance describes it; the numbers are of STATS only, times in nanoseconds.

    A number that the instance does not give, or not as one, is None.
    """

    name: str
    subject: str = ""
    queue_group: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    num_requests: int | None = None
    num_errors: int | None = None
    last_error: str = ""
    processing_time: int | None = None
    average_processing_time: int | None = None
    data: Any = None


@dataclass(frozen=True)
class Instance:
    """An instance of a service: what all three verbs answer, then what INFO and STATS add."""

    name: str
    id: str
    version: str
    metadata: dict[str, str] = field(default_factory=dict)
    description: str = ""
    started: str = ""
    endpoints: tuple[Endpoint, ...] = ()


#: In the data of our own endpoints: the requests that got a reply, of all that were counted.
ANSWERED = "answered"
#: How deep the data of an endpoint may be nested: programs refuse, or do not survive, what is deeper.
_DEEPEST = 64
#: What the responses to a verb have besides name, id, version and metadata; the same for their endpoints.
_MEMBERS = {Verb.PING: (), Verb.INFO: ("description", "endpoints"), Verb.STATS: ("started", "endpoints")}
_ENDPOINT_MEMBERS = {
    Verb.INFO: ("name", "subject", "queue_group", "metadata"),
    Verb.STATS: ("name", "subject", "queue_group", "num_requests", "num_errors", "last_error",
                 "processing_time", "average_processing_time", "data"),
}  # fmt: skip


def members(verb: Verb, instance: Instance) -> dict[str, Any]:
    """What an instance answers to `verb`, but for the type of the response."""
    found = {name: getattr(instance, name) for name in ("name", "id", "version", "metadata", *_MEMBERS[verb])}
    if "endpoints" in found:
        names = _ENDPOINT_MEMBERS[verb]
        found["endpoints"] = [{name: getattr(e, name) for name in names} for e in instance.endpoints]
    return found


def write_response(verb: Verb, instance: Instance) -> bytes:
    """What an instance answers to `verb`."""
    return json.dumps({"type": verb.response_type, **members(verb, instance)}).encode()


def read_response(verb: Verb, payload: bytes) -> Instance | None:
    """What an instance answered to `verb`; None if that is no such response. Odd parts of one are left out."""
    try:
        data = json.loads(payload, parse_constant=lambda _: None, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or data.get("type") != verb.response_type:
        return None
    instance = Instance(
        name=_text(data, "name"), id=_text(data, "id"), version=_text(data, "version"), metadata=_pairs(data),
        description=_text(data, "description"), started=_text(data, "started"),
        endpoints=tuple(_endpoint(e) for e in _list(data, "endpoints") if isinstance(e, dict)),
    )  # fmt: skip
    return instance if instance.name and instance.id else None


def _endpoint(data: dict[str, Any]) -> Endpoint:
    return Endpoint(
        name=_text(data, "name"), subject=_text(data, "subject"), queue_group=_text(data, "queue_group"),
        metadata=_pairs(data), num_requests=_number(data, "num_requests"), num_errors=_number(data, "num_errors"),
        last_error=_text(data, "last_error"), processing_time=_number(data, "processing_time"),
        average_processing_time=_number(data, "average_processing_time"), data=_flat(data.get("data")),
    )  # fmt: skip


def _finite(literal: str) -> float | None:
    """The number; None if it is one that JSON has, but no float."""
    value = float(literal)
    return value if isfinite(value) else None


def _flat(value: Any, levels: int = _DEEPEST) -> Any:
    """`value`, with None in the place of what is nested deeper than `levels`."""
    if isinstance(value, dict):
        return {name: _flat(item, levels - 1) for name, item in value.items()} if levels else None
    if isinstance(value, list):
        return [_flat(item, levels - 1) for item in value] if levels else None
    return value


def _text(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""


def _number(data: dict[str, Any], name: str) -> int | None:
    value = data.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        return None
    return int(value)


def _list(data: dict[str, Any], name: str) -> list[Any]:
    value = data.get(name)
    return value if isinstance(value, list) else []


def _pairs(data: dict[str, Any]) -> dict[str, str]:
    value = data.get("metadata")
    pairs = value.items() if isinstance(value, dict) else ()
    return {name: text for name, text in pairs if isinstance(text, str)}


def control_subject(verb: Verb, name: str = "", instance: str = "") -> str:
    """Where to ask all services, all instances of the service `name`, or one instance by its id."""
    return ".".join(filter(None, (PREFIX, verb.value, name, instance)))


def control_subjects(name: str, instance: str) -> tuple[tuple[Verb, str], ...]:
    """The nine subjects that an instance listens on, with the verb of each; in no queue group, so that all answer."""
    given = (("", ""), (name, ""), (name, instance))
    return tuple((verb, control_subject(verb, *which)) for verb in Verb for which in given)


def check_name(name: str, where: str) -> None:
    """Refuse a name that a service or an endpoint cannot have; `where` it was given goes into the error.

    Raises:
        InputError: empty, or with anything but letters, digits, `-` and `_`.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"a name has letters, digits, '-' and '_' only: {name!r}", where=where)


def check_id(instance: str, where: str) -> None:
    """Refuse what is no token of a subject, and so no id of an instance; `where` it was given goes into the error.

    Raises:
        InputError: empty, or with spaces, control characters, dots or wildcards.
    """
    if not _ID.fullmatch(instance):
        raise InputError(f"an id has no spaces, dots and wildcards: {instance!r}", where=where)


def check_version(version: str, where: str) -> None:
    """Refuse a version that is not a semantic one; `where` it was given goes into the error.

    Raises:
        InputError: not `MAJOR.MINOR.PATCH`, perhaps with `-PRERELEASE` and `+BUILD`.
    """
    if not _VERSION.fullmatch(version):
        raise InputError(f"a service version is a semantic version such as 1.2.3: {version!r}", where=where)
