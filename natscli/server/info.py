"""What the server that is connected to says of itself and of the connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from natscli.connection.connect import connected
from natscli.connection.options import Plan
from natscli.environment import Environment
from natscli.output.tables import Cell, Screen, show_table
from natscli.text import bytes_for_people, format_bytes
from natscli.wire.nats_py import errors as nats_errors

_USER_INFO = "$SYS.REQ.USER.INFO"
#: Members of the record, and what a table calls them.
_LABELS = {
    "url": "URL", "server_name": "Name", "server_id": "ID", "version": "Version", "cluster": "Cluster",
    "domain": "JetStream domain", "host": "Listens on", "client_id": "Client ID", "client_ip": "Client address",
    "user": "User", "account": "Account", "account_name": "Account name", "max_payload": "Largest payload",
    "headers": "Headers", "jetstream": "JetStream", "auth_required": "Authentication", "tls": "TLS", "rtt_ns": "RTT",
}  # fmt: skip


async def gather(plan: Plan, environment: Environment) -> dict[str, Any]:
    """The members of INFO that say something, the user, and nanoseconds of the RTT.

    Raises:
        PynatsError: no connection, or it was lost.
    """
    loop = asyncio.get_running_loop()
    async with connected(plan, environment) as connection:
        client = connection.client
        start = loop.time()
        await connection.confirm()
        rtt = loop.time() - start
        info = client.server_info
        record: dict[str, Any] = {"url": connection.url, **{n: info[n] for n in _LABELS if n in info}}
        record["host"] = f"{info.get('host', '')}:{info.get('port', '')}"
        record.setdefault("jetstream", False)
        record.setdefault("auth_required", False)
        record["tls"] = client.tls_version or False
        with suppress(asyncio.TimeoutError, nats_errors.Error, ValueError, KeyError, TypeError):
            answer = await client.request(_USER_INFO, b"", timeout=min(1.0, plan.timeout))
            user = json.loads(answer.data)["data"]
            record.update(
                {n: user[n] for n in ("user", "account", "account_name") if isinstance(user.get(n), str)}
            )
        record["rtt_ns"] = round(rtt * 1e9)
        return record


def to_json(record: Mapping[str, Any], *, ascii_only: bool) -> str:
    """The record as a JSON object."""
    text = json.dumps(
        {name: record[name] for name in _LABELS if name in record}, indent=2, ensure_ascii=ascii_only
    )
    return bytes_for_people(text).decode() + "\n"


def table(record: Mapping[str, Any], screen: Screen) -> str:
    """The record as a list of properties."""
    rows = [(label, _shown(name, record[name])) for name, label in _LABELS.items() if name in record]
    return show_table("Server", (), [[label, Cell(text)] for label, text in rows if text], screen)


def _shown(name: str, value: Any) -> str:
    from natscli.duration import format_duration

    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "rtt_ns":
        return format_duration(value / 1e9)
    if name == "max_payload" and isinstance(value, int):
        return format_bytes(value)
    return str(value)
