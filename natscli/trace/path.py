"""What servers report of a message that is traced (ADR-41), and the path that their reports make together: pure.

Each server that the message passes sends one report: how it came in, what became of its subject, and where it went. A
report names the others by hops: "1" and "2" are where the first server passed it on to, "1.1" where "1" did.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

#: Kinds of connections, by the number that servers have for them.
_VIA = ("client", "route", "gateway", "system", "leaf node", "JetStream", "account")
_TYPES = {
    "in": "ingress",
    "sm": "mapping",
    "se": "stream export",
    "si": "service import",
    "js": "stream",
    "eg": "egress",
}
#: Reports that are read, at most, and the bytes of one: what comes is from the network.
_MOST_REPORTS, _LARGEST = 1000, 1 << 20


class Event(NamedTuple):
    """What happened to the message in one server; members that say nothing are empty.

    `type` is "ingress", "mapping", "service import", "stream export", "stream" or "egress". `via` and `id` are the
    kind and the number of a connection, and `name` is what is at its other end; of a stream, the stream. `subject` is
    that of the message, or of the subscription, and `to` what it became. `hop` is where an egress leads. `at` is RFC
    3339, by the clock of that server.
    """

    type: str
    via: str = ""
    id: int = 0
    name: str = ""
    account: str = ""
    subject: str = ""
    to: str = ""
    queue_group: str = ""
    hop: str = ""
    error: str = ""
    at: str = ""

    @property
    def receives(self) -> bool:
        """Whether the message ends here as it should: with a client, or in a stream."""
        return not self.error and (self.type == "stream" or (self.type == "egress" and self.via == "client"))


class ServerReport(NamedTuple):
    """What one server reports; `hop` is empty for the server that the message came to first."""

    server: str
    id: str
    cluster: str
    version: str
    hop: str
    events: tuple[Event, ...]

    @property
    def ingress(self) -> Event:
        """How the message came in."""
        return next((event for event in self.events if event.type == "ingress"), Event("ingress"))

    @property
    def ends_in_another_account(self) -> bool:
        """Whether it was passed to another account, which does not say what became of it there."""
        kinds = [event.type for event in self.events]
        return bool(kinds) and kinds[-1] in ("service import", "stream export")


@dataclass
class Path:
    """The path of the message that client `client_id` of server `server_id` sends.

    `further` are reports of other messages with the same destination: somebody sent the headers of this one on.
    """

    server_id: str
    client_id: int
    reports: dict[str, ServerReport] = field(default_factory=dict)
    further: list[ServerReport] = field(default_factory=list)

    def add(self, payload: bytes) -> None:
        """Take what came to the destination; what is no report is left out."""
        report = read_report(payload)
        if report is None or len(self.reports) + len(self.further) >= _MOST_REPORTS:
            return
        is_ours = report.hop or (report.id, report.ingress.id) == (self.server_id, self.client_id)
        if is_ours and report.hop not in self.reports:
            self.reports[report.hop] = report
        else:
            self.further.append(report)

    @property
    def first(self) -> ServerReport | None:
        """The report of the server that the message came to; None before it came."""
        return self.reports.get("")

    @property
    def missing(self) -> list[Event]:
        """The egresses to servers that did not report yet; they may be too old, or busy."""
        return [
            event
            for report in self.reports.values()
            for event in report.events
            if event.hop and not event.error and event.hop not in self.reports
        ]

    @property
    def is_complete(self) -> bool:
        """Whether all servers have reported."""
        return self.first is not None and not self.missing

    @property
    def events(self) -> Iterator[Event]:
        """All events of all servers."""
        for report in self.reports.values():
            yield from report.events

    @property
    def refusal(self) -> str:
        """Why the first server did not take the message, if it did not."""
        return self.first.ingress.error if self.first is not None else ""


def read_report(payload: bytes) -> ServerReport | None:
    """The report that `payload` is, or None if it is none."""
    if len(payload) > _LARGEST:
        return None
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not isinstance(value.get("events"), list):
        return None
    server = value.get("server")
    server = server if isinstance(server, dict) else {}
    name, identity = _text(server, "name"), _text(server, "id")
    events = [_event(event) for event in value["events"] if isinstance(event, dict)]
    return ServerReport(name or identity, identity, _text(server, "cluster"), _text(server, "ver"), _hop(value),
                  tuple(event for event in events if event is not None))  # fmt: skip


def _hop(value: dict[str, Any]) -> str:
    request = value.get("request")
    header = request.get("header") if isinstance(request, dict) else None
    values = header.get("Nats-Trace-Hop") if isinstance(header, dict) else None
    return values[0] if isinstance(values, list) and values and isinstance(values[0], str) else ""


def _event(value: dict[str, Any]) -> Event | None:
    kind = _TYPES.get(_text(value, "type"))
    if kind is None:
        return None
    subject = _text(value, "subj") or _text(value, "sub") or _text(value, "subject") or _text(value, "from")
    error = _text(value, "error")
    if kind == "stream" and value.get("nointerest") is True:
        error = error or "not stored: no consumer is interested"
    return Event(
        kind, _via(value) if kind in ("ingress", "egress") else "", _number(value, "cid"),
        _text(value, "name") or _text(value, "stream"), _text(value, "acc"), subject, _text(value, "to"),
        _text(value, "queue"), _text(value, "hop"), error, _text(value, "ts"),
    )  # fmt: skip


def _via(value: dict[str, Any]) -> str:
    number = _number(value, "kind")
    return _VIA[number] if 0 <= number < len(_VIA) else f"connection of kind {number}"


def _text(value: dict[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""


def _number(value: dict[str, Any], name: str) -> int:
    found = value.get(name)
    return found if type(found) is int else 0
