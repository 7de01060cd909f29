"""How round-trip times to servers are shown: a table, or JSON with the names of the Go CLI."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from natscli.duration import format_duration, timestamp
from natscli.output.tables import Cell, Screen, show_table
from natscli.rtt.measure import TIMINGS, Measured
from natscli.text import replaced

#: A terminal that is less wide has no room for the columns that are left out; or even for the others in one piece.
_WIDE, _NARROW = 100, 70
_LEFT_OUT = ("mean", "p90")


def table(found: Sequence[Measured], screen: Screen, *, with_contexts: bool) -> str:
    """A line an address; what cannot be reached has the problem instead of times."""
    names = [*TIMINGS, "jitter"]
    width = screen.columns
    if screen.terminal and width < _WIDE:
        names = [name for name in names if name not in _LEFT_OUT]
    places = _places(found) if screen.terminal else [[one.url, one.address] for one in found]
    headers = [*(["Context"] if with_contexts else []), "Server", *([] if screen.terminal else ["Address"])]
    rows: list[list[Cell | str]] = []
    for one, place in zip(found, places, strict=True):
        times = {**one.timings, "jitter": one.jitter}
        cells: list[Cell | str] = [format_duration(times[name] / 1e9) for name in names if name in times]
        if one.report is not None:
            cells = [Cell("failed", False), *[""] * (len(names) - 1)]
        rows.append([*([one.context] if with_contexts else []), *place, *cells])
    return show_table("RTT", [*headers, *names], rows, screen, unbroken=names if width >= _NARROW else ())


def _places(found: Sequence[Measured]) -> list[list[str]]:
    """Servers as people read them, in one cell: `host:port`, and the address if it is not in that."""
    places = []
    for one in found:
        host, address = (url.rpartition("://")[2] for url in (one.url, one.address))
        places.append([host if host == address else f"{host} ({address.rpartition(':')[0]})"])
    return places


def to_json(found: Sequence[Measured], *, with_contexts: bool, ascii_only: bool) -> str:
    """An array with an object for each server, and in it one for each address. Times are in nanoseconds."""
    servers: dict[tuple[str, str], dict[str, Any]] = {}
    for one in found:
        empty = {"context": one.context} if with_contexts else {}
        server = servers.setdefault((one.context, one.url), {**empty, "url": one.url, "results": []})
        server["results"].append(_record(one))
    text = json.dumps(list(servers.values()), indent=2, ensure_ascii=ascii_only)
    return replaced(text) + "\n"


def _record(one: Measured) -> dict[str, Any]:
    record: dict[str, Any] = {"time": timestamp(one.at), "address": one.address, "rtt": one.rtt.mean}
    if one.report is not None:
        return {**record, "error": one.report.message, "status": int(one.report.status)}
    named = {"server_name": one.server, "version": one.version}
    return {**record, **named, "count": one.rtt.count, "rtt_ns": one.timings, "jitter_ns": one.jitter}
