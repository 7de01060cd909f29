"""The vocabulary of NATS services (ADR-32): control subjects, types of responses, what names and versions may be."""

from __future__ import annotations

import re
from enum import Enum

from natscli.errors import InputError

PREFIX = "$SRV"
#: The queue group of endpoints, unless the service, a group or the endpoint has another.
DEFAULT_QUEUE = "q"

_NAME = re.compile(r"[A-Za-z0-9_-]+")
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
        raise InputError(f"a service name has letters, digits, '-' and '_' only: {name!r}", where=where)


def check_version(version: str, where: str) -> None:
    """Refuse a version that is not a semantic one; `where` it was given goes into the error.

    Raises:
        InputError: not `MAJOR.MINOR.PATCH`, perhaps with `-PRERELEASE` and `+BUILD`.
    """
    if not _VERSION.fullmatch(version):
        raise InputError(f"a service version is a semantic version such as 1.2.3: {version!r}", where=where)
