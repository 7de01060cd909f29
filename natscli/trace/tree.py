"""How the path of a message is shown: a tree of servers, accounts and receivers, or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from natscli.environment import BOLD, CYAN, DIM, GREEN, RED, YELLOW
from natscli.output.terminal import Painter
from natscli.text import replaced, visible_line
from natscli.trace.path import Event, Path, ServerReport

_UNTOLD = (
    "what becomes of it there is not told: that account does not allow it (allow_trace), or nobody subscribes"
)


#: Characters of its id that stand for a server without a name.
_ID = 12


def tree(path: Path, subject: str, *, colored: bool, times: bool) -> str:
    """The path as lines, from the server that the message came to down to its receivers."""
    paint = Painter(colored=colored).styled
    lines = [paint(visible_line(subject), BOLD)]
    for report in [*([path.first] if path.first else []), *path.further]:
        note = "" if report is path.first else paint("  (another message that had the same headers)", DIM)
        lines += _branch(path, report, "", True, paint, times, note)
    return "".join(f"{line}\n" for line in lines)


def _branch(
    path: Path, report: ServerReport, margin: str, last: bool, paint: Any, times: bool, note: str = ""
) -> Iterator[str]:
    """The lines of a server, and of all behind it."""
    yield f"{margin}{'└─ ' if last else '├─ '}{_server(report, paint)}{note}"
    margin += "   " if last else "│  "
    events = [*report.events]
    untold = report.ends_in_another_account
    for number, event in enumerate(events):
        end = number == len(events) - 1 and not untold
        at = paint(f"  {visible_line(event.at)}", DIM) if times and event.at else ""
        yield f"{margin}{'└─ ' if end else '├─ '}{_words(event, paint)}{at}"
        if event.hop and not event.error:
            deeper = margin + ("   " if end else "│  ")
            behind = path.reports.get(event.hop)
            if behind is not None:
                yield from _branch(path, behind, deeper, True, paint, times)
            else:
                yield f"{deeper}└─ {paint('no report came from it', YELLOW)}"
    if untold:
        yield f"{margin}└─ {paint(_UNTOLD, YELLOW)}"


def _server(report: ServerReport, paint: Any) -> str:
    cluster = f", cluster {visible_line(report.cluster)}" if report.cluster else ""
    version = f", {visible_line(report.version)}" if report.version else ""
    name = report.server if report.server != report.id else f"{report.id[:_ID]}…"
    return f"server {paint(visible_line(name), CYAN)}{paint(cluster + version, DIM)}"


def _words(event: Event, paint: Any) -> str:
    text = _what(event, paint)
    return f"{text}  {paint(visible_line(event.error), RED)}" if event.error else text


def _what(event: Event, paint: Any) -> str:
    subject, to, name = visible_line(event.subject), visible_line(event.to), visible_line(event.name)
    account = f", account {visible_line(event.account)}" if event.account else ""
    if event.type == "mapping":
        return f"subject mapped to {paint(to, BOLD)}"
    if event.type in ("service import", "stream export"):
        change = f" as {paint(to, BOLD)}" if to and to != subject else ""
        return f"{event.type}: to account {paint(visible_line(event.account), BOLD)}{change}"
    if event.type == "stream":
        return f"stream {paint(name, GREEN)} on [{subject}]"
    who = f"{event.via} {paint(name or '(no name)', GREEN if event.receives else BOLD)} ({event.id})"
    if event.type == "ingress":
        return f"from {who}{account} on [{subject}]"
    if event.via != "client":
        return f"to {who}{account}"
    queue = f' in group "{visible_line(event.queue_group)}"' if event.queue_group else ""
    return f"to {who}{account} on [{subject}]{queue}"


def to_json(path: Path, subject: str, *, delivered: bool, ascii_only: bool) -> str:
    """The path as an object: whether all servers reported, the receivers, and the report of each server."""
    receivers = [
        {"server": report.server, **_members(event)}
        for report in path.reports.values() for event in report.events if event.receives
    ]  # fmt: skip
    record = {
        "subject": subject,
        "delivered": delivered,
        "complete": path.is_complete,
        "receivers": receivers,
        "servers": [_record(path.reports[hop]) for hop in sorted(path.reports)],
        "further": [_record(report) for report in path.further],
    }
    text = json.dumps(record, indent=2, ensure_ascii=ascii_only)
    return replaced(text) + "\n"


def _record(report: ServerReport) -> dict[str, Any]:
    fields = {name: getattr(report, name) for name in ("server", "id", "cluster", "version", "hop")}
    return {**fields, "events": [_members(event) for event in report.events]}


def _members(event: Event) -> dict[str, Any]:
    return {name: value for name, value in event._asdict().items() if value}
