"""One run of `pynats trace`: connect, send the message with the headers that trace it, gather the reports, show."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from natscli.connection.connect import connected
from natscli.connection.connection import Connection
from natscli.connection.options import Plan
from natscli.environment import Environment
from natscli.errors import ExitStatus, InputError, NoReplyError, PynatsError, RefusedError
from natscli.message import headers
from natscli.message.message import Message
from natscli.message.recipe import Outgoing
from natscli.message.subjects import is_internal
from natscli.trace.path import Path
from natscli.trace.tree import to_json, tree

#: Seconds without a report, after which those that are missing are not waited for any longer.
_SILENCE = 0.5


async def run(
    outgoing: Outgoing, plan: Plan, environment: Environment, *, deliver: bool, as_json: bool, times: bool
) -> ExitStatus:
    """Trace the message, show where it goes; the status is 3 if nobody receives it.

    Raises:
        PynatsError: no connection; the server cannot trace, refused the message or sent no report.
    """
    async with connected(plan, environment) as connection:
        path, refused = await _traced(connection, outgoing, deliver=deliver)
        if refused is not None and path.first is None:
            raise refused
        if path.first is None:
            raise NoReplyError("timeout: no server reported where the message goes", where=connection.url)
        if as_json:
            ascii_only = environment.stdout.isatty()
            environment.out(to_json(path, outgoing.subject, delivered=deliver, ascii_only=ascii_only))
        else:
            colored = environment.colored(environment.stdout)
            environment.out(tree(path, outgoing.subject, colored=colored, times=times))
    if refused is not None or path.refusal:
        raise refused or RefusedError(path.refusal, where=connection.url)
    return _sum_up(path, outgoing.subject, environment, deliver=deliver)


async def _traced(
    connection: Connection, outgoing: Outgoing, *, deliver: bool
) -> tuple[Path, PynatsError | None]:
    """The path, as far as it was reported, and what the server refused, or what ended the connection."""
    client = connection.client
    if problem := client.why_untraced():
        raise PynatsError(problem, where=connection.url)
    inbox = client.new_inbox()
    header = headers.encode([*headers.decode(outgoing.header), *headers.traced(inbox, deliver=deliver)])
    if why := client.unfit(header, outgoing.payload):
        raise InputError(f"the message {why}")
    info = client.server_info
    path = Path(str(info.get("server_id", "")), int(info.get("client_id", 0)))
    came = asyncio.Event()

    def take(batch: list[Message], arrived: int) -> None:  # noqa: ARG001
        for _, _, _, payload in batch:
            path.add(payload)
        came.set()

    refused: list[PynatsError] = []
    await client.subscribe_batches(inbox, "", take)
    await connection.confirm()

    def refuse(error: PynatsError) -> None:
        refused.append(error)
        came.set()

    connection.on_refusal = refuse
    client.send([(outgoing.subject.encode(), b"", header, outgoing.payload)])
    try:
        await _gather(path, came, connection)
    except PynatsError as lost:
        refused.append(lost)
    return path, refused[0] if refused else None


async def _gather(path: Path, came: asyncio.Event, connection: Connection) -> None:
    """Wait until all servers have reported, or none has for a while; the first has the time-out.

    Raises:
        PynatsError: the connection was lost.
    """
    patience = connection.timeout
    while not path.is_complete:
        came.clear()
        try:
            await connection.while_there(patience, came.wait())
        except asyncio.TimeoutError:
            return
        patience = _SILENCE
    with suppress(asyncio.TimeoutError):  # of messages that were sent on with the same headers
        came.clear()
        await connection.while_there(_SILENCE / 10, came.wait())


def _sum_up(path: Path, subject: str, environment: Environment, *, deliver: bool) -> ExitStatus:
    """Say how many receive the message, and what is not known; the status."""
    clients = sum(event.receives and event.type == "egress" for event in path.events)
    streams = sum(event.receives and event.type == "stream" for event in path.events)
    counts = [f"{n} {what}{'s' * (n > 1)}" for n, what in ((clients, "client"), (streams, "stream")) if n]
    missing, untold = len(path.missing), any(r.ends_in_another_account for r in path.reports.values())
    if missing:
        environment.warn(f"servers that did not report: {missing}")
    if not counts:
        if missing or untold:
            environment.notice("No receiver is known")
            return ExitStatus.OK
        if is_internal(subject):
            environment.notice("No receiver is known: what the server itself takes is in no trace")
            return ExitStatus.OK
        environment.notice("Nobody receives it")
        return ExitStatus.NO_RESPONDERS
    verb = "received it" if deliver else "would receive it; --deliver sends it to them"
    environment.notice(f"{' and '.join(counts)} {verb}")
    return ExitStatus.OK
