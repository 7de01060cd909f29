"""One run of a responder: connect, serve."""

from __future__ import annotations

from functools import partial

from natscli.connection.connect import connected
from natscli.connection.options import Plan
from natscli.environment import Environment
from natscli.histogram import Histogram
from natscli.output.requests import data_renderers, renderers
from natscli.reply.listener import Listener, Route
from natscli.reply.numbers import Numbers
from natscli.reply.options import ReplyOptions
from natscli.reply.report import Report
from natscli.reply.responder import Responder
from natscli.reply.statistics import Statistics, figures


async def run(options: ReplyOptions, responder: Responder, plan: Plan, environment: Environment) -> None:
    """Serve until a signal, or until `--count` requests are answered.

    Raises:
        PynatsError: no connection, or see `Listener.run`.
        asyncio.CancelledError: stopped a second time.
    """
    subjects = responder.subjects if options.subject is None else (options.subject,)
    times = Histogram()
    async with connected(plan, environment, listener=True, wait=options.wait) as connection:
        routes = [
            Route(
                subject,
                options.group,
                responder,
                statistics=Statistics(times=times.record, sizes=options.stats),
            )
            for subject in subjects
        ]
        report = Report(
            environment, partial(figures, [route.statistics for route in routes], times),
            f"pynats reply {' '.join(subjects[:1])}", live=options.stats, as_json=options.as_json,
        )  # fmt: skip
        if options.service is not None:
            from natscli.reply.service import control_routes, new_instance

            instance = new_instance(options)
            environment.log(f'Service "{instance.name}" {instance.version}, instance {instance.id}')
            routes += control_routes(instance, options.endpoint, list(routes))
        listener = Listener(
            routes,
            connection,
            environment,
            (data_renderers if options.stats else renderers)(environment, as_json=options.as_json),
            Numbers(options.count),
            report=report,
        )
        await listener.run()
