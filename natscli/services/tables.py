"""How services are shown: tables, and JSON with the names that ADR-32 has for things."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from natscli.duration import format_duration
from natscli.message.micro import Endpoint, Instance, Verb, members
from natscli.output.columns import shortened
from natscli.output.tables import Cell, Screen, show_table
from natscli.services.gather import Located
from natscli.text import replaced

#: Columns of a terminal that a description or an error may take in a table; info and JSON have all of it.
_PROSE = 60
#: The same of a name, an id, a version.
_NAME = 200


def to_json(found: Sequence[Located], verb: Verb, *, ascii_only: bool, indent: int | None = 2) -> str:
    """An array of what the instances answered, each with its `rtt_ns`. Times are in nanoseconds."""
    records = [{**members(verb, instance), "rtt_ns": rtt_ns} for instance, rtt_ns in found]
    text = json.dumps(records, indent=indent, ensure_ascii=ascii_only)
    return replaced(text) + "\n"


def list_table(found: Sequence[Located], screen: Screen) -> str:
    """A line an instance: what it is, and how many endpoints it has."""
    rows = [(*_who(i, screen), str(len(i.endpoints)), _prose(i.description, screen)) for i, _ in found]
    return _table("Services", ("Name", "Version", "ID", "Endpoints", "Description"), rows, screen)


def ping_table(found: Sequence[Located], screen: Screen) -> str:
    """A line an instance: how long its answer took."""
    rows = [(*_who(i, screen), format_duration(rtt_ns / 1e9)) for i, rtt_ns in found]
    return _table("Services", ("Name", "Version", "ID", "RTT"), rows, screen)


def stats_table(found: Sequence[Located], screen: Screen) -> str:
    """A line an endpoint of each instance: requests, errors and times."""
    headers = ("Name", "ID", "Endpoint", "Requests", "Errors", "Average time", "Total time", "Last error")
    rows = [_stats_row(i, endpoint, screen) for i, _ in found for endpoint in i.endpoints]
    rows += [
        (_name(i.name, screen), _name(i.id, screen), *[""] * (len(headers) - 2))
        for i, _ in found
        if not i.endpoints
    ]
    return _table("Statistics", headers, rows, screen)


def info_blocks(found: Sequence[Located], screen: Screen) -> str:
    """All that is known of each instance, then a table of its endpoints."""
    return "\n".join(_info(instance, screen) for instance, _ in found)


def _info(instance: Instance, screen: Screen) -> str:
    properties = {
        "Name": instance.name,
        "ID": instance.id,
        "Version": instance.version,
        "Description": instance.description,
        "Metadata": _metadata(instance.metadata),
    }
    rows = [(label, value) for label, value in properties.items() if value]
    text = _table(f"Service {instance.name}", (), rows, screen)
    if not instance.endpoints:
        return text
    headers = ("Endpoint", "Subject", "Queue group", "Metadata")
    endpoints = [(e.name, e.subject, e.queue_group, _metadata(e.metadata)) for e in instance.endpoints]
    return f"{text}\n{_table('Endpoints', headers, endpoints, screen)}"


def _who(instance: Instance, screen: Screen) -> tuple[str, str, str]:
    return _name(instance.name, screen), _name(instance.version, screen), _name(instance.id, screen)


def _stats_row(instance: Instance, endpoint: Endpoint, screen: Screen) -> Sequence[Cell | str]:
    errors = Cell(_count(endpoint.num_errors), good=False if endpoint.num_errors else None)
    times = (endpoint.average_processing_time, endpoint.processing_time)
    name, _, id_ = _who(instance, screen)
    return (
        name, id_, _name(endpoint.name, screen), _count(endpoint.num_requests), errors,
        *("" if ns is None else format_duration(ns / 1e9) for ns in times), _prose(endpoint.last_error, screen),
    )  # fmt: skip


def _count(number: int | None) -> str:
    """Nothing for what an instance does not say."""
    return "" if number is None else f"{number:,}"


def _prose(text: str, screen: Screen) -> str:
    """The beginning of a text of any length, for a table in which a row is to be a few lines of a terminal."""
    return shortened(text, _PROSE) if screen.terminal else text


def _name(text: str, screen: Screen) -> str:
    """The same of what is whole, unless it is no name at all."""
    return shortened(text, _NAME) if screen.terminal else text


def _metadata(pairs: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(pairs.items()))


def _table(title: str, headers: Sequence[str], rows: Sequence[Sequence[Cell | str]], screen: Screen) -> str:
    """A table without the columns that are empty in all rows."""
    kept = [n for n in range(len(headers)) if any(_text(row[n]) for row in rows)]
    if headers:
        kept = kept or [0]
        headers, rows = [headers[n] for n in kept], [[row[n] for n in kept] for row in rows]
    return show_table(title, headers, rows, screen)


def _text(cell: Cell | str) -> str:
    return cell.text if isinstance(cell, Cell) else cell


class Layout(NamedTuple):
    """What is asked for, and how the answers are shown for people."""

    verb: Verb
    table: Callable[[Sequence[Located], Screen], str]


#: By the name of the command.
LAYOUTS = {
    "ls": Layout(Verb.INFO, list_table),
    "info": Layout(Verb.INFO, info_blocks),
    "stats": Layout(Verb.STATS, stats_table),
    "ping": Layout(Verb.PING, ping_table),
}
