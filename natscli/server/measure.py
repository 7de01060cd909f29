"""Measures a connection: the time to connect, the RTT, and that of a message to an inbox of our own."""

from __future__ import annotations

import asyncio
from time import perf_counter

from natscli.connection.connect import connected
from natscli.connection.options import Plan
from natscli.environment import Environment
from natscli.errors import PynatsError, explain
from natscli.message.message import Message
from natscli.server.check import CheckVerdict, Levels, Measure
from natscli.system.waiting import within


async def measure(
    plan: Plan, environment: Environment, connect: Levels, rtt: Levels, request: Levels
) -> CheckVerdict:
    """The verdict on the connection that `plan` makes; a problem with it is one, and not raised."""
    try:
        return CheckVerdict(
            await within(2 * plan.timeout, _measured(plan, environment, connect, rtt, request))
        )
    except asyncio.TimeoutError:
        return CheckVerdict(problem="the server does not answer")
    except PynatsError as error:
        return CheckVerdict(problem=environment.redactor.redact(explain(error).message))


async def _measured(
    plan: Plan, environment: Environment, connect: Levels, rtt: Levels, request: Levels
) -> list[Measure]:
    start = perf_counter()
    async with connected(plan, environment) as connection:
        measures = [
            Measure("connect_time", f"connected to {connection.url} in", perf_counter() - start, connect)
        ]
        start = perf_counter()
        await connection.confirm()
        measures.append(Measure("rtt", "rtt time", perf_counter() - start, rtt))
        came = asyncio.Event()

        def take(batch: list[Message], arrived: int) -> None:  # noqa: ARG001
            came.set()

        inbox = connection.client.new_inbox()
        await connection.client.subscribe_batches(inbox, "", take)
        await connection.confirm()
        start = perf_counter()
        connection.client.send([(inbox.encode(), b"", None, b"")])
        await connection.while_there(2 * plan.timeout, came.wait())
        measures.append(Measure("request_time", "round trip took", perf_counter() - start, request))
    return measures
