"""One run of a responder: connect, serve."""

from __future__ import annotations

from natscli.connection.connect import connected
from natscli.connection.options import Plan
from natscli.environment import Environment
from natscli.output.requests import renderers
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
        routes = [Route(subject, options.group, responder) for subject in subjects]
        if options.service is not None:
            from natscli.reply.service import control_routes, new_instance

            instance = new_instance(options)
            environment.log(f'Service "{instance.name}" {instance.version}, instance {instance.id}')
            routes += control_routes(instance, options.endpoint, list(routes))
        listener = Listener(
            routes,
            connection,
            environment,
            renderers(environment, as_json=options.as_json),
            Numbers(options.count),
        )
        await listener.run()
