"""One run of a responder: connect, serve."""

from __future__ import annotations

from natscli.connection.connect import connected
from natscli.connection.options import Plan
from natscli.environment import Environment
from natscli.output.requests import renderer
from natscli.reply.listener import Listener, Route
from natscli.reply.numbers import Numbers
from natscli.reply.options import ReplyOptions
from natscli.reply.responder import Responder


async def run(options: ReplyOptions, responder: Responder, plan: Plan, environment: Environment) -> None:
    """Serve until a signal, or until `--count` requests are answered.

    Raises:
        PynatsError: no connection, or see `Listener.run`.
        asyncio.CancelledError: stopped a second time.
    """
    subjects = responder.subjects if options.subject is None else (options.subject,)
    async with connected(plan, environment, listener=True, wait=options.wait) as connection:
        listener = Listener(
            [Route(subject, options.queue, responder) for subject in subjects],
            connection,
            environment,
            renderer(environment, as_json=options.as_json),
            Numbers(options.count),
        )
        await listener.run()
