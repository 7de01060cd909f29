"""One run of a responder: connect, serve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from natscli.connection.connect import connected
from natscli.connection.options import Plan
from natscli.environment import Environment
from natscli.histogram import Histogram
from natscli.reply.ended import Renderers
from natscli.reply.listener import Listener
from natscli.reply.numbers import Numbers
from natscli.reply.options import ReplyOptions
from natscli.reply.reporter import Reporter
from natscli.reply.responders.responder import Place, Responder
from natscli.reply.routes import Route
from natscli.reply.show.report import StatisticsReporter
from natscli.reply.show.requests import data_renderers, log_renderers, renderers
from natscli.reply.statistics import Statistics, figures
from natscli.system.signals import Stop, on_info


@dataclass(frozen=True)
class Shared:
    """What one of several processes has in place of its own."""

    numbers: Numbers
    new_statistics: Callable[[], Statistics]
    report: Reporter
    new_stop: Callable[[Callable[[], object]], Stop]


async def run(
    options: ReplyOptions,
    responder: Responder,
    plan: Plan,
    environment: Environment,
    shared: Shared | None = None,
) -> None:
    """Serve until a signal, or until `--count` requests are answered.

    Raises:
        PynatsError: no connection, or see `Listener.run`.
        asyncio.CancelledError: stopped a second time.
    """
    if shared is None:
        on_info(partial(environment.warn, "not connected yet"))
    times = Histogram()
    new_statistics = (
        shared.new_statistics if shared else partial(Statistics, times=times.record, sizes=options.stats)
    )
    async with connected(plan, environment, listener=True, wait=options.wait) as connection:
        environment.log(plan.whereabouts(connection.url, always=options.verbose))
        routes = _routes(options, responder, new_statistics)
        counted = [route.statistics for route in routes]
        if options.service is not None:
            from natscli.reply.service import control_routes, new_instance

            instance = new_instance(options)
            environment.log(f'Service "{instance.name}" {instance.version}, instance {instance.id}')
            routes += control_routes(instance, options.endpoint, list(routes))
        listener = Listener(
            routes,
            connection,
            environment,
            _renderers(options, environment),
            shared.numbers if shared else Numbers(options.count),
            shared.report if shared else _report(options, environment, counted, times),
            stop=shared.new_stop if shared else Stop,
        )
        await listener.run()


def _routes(
    options: ReplyOptions, responder: Responder, new_statistics: Callable[[], Statistics]
) -> list[Route]:
    """A route for each place that the responder answers on."""
    places = responder.places if options.subject is None else (Place(options.subject),)
    return [
        Route(
            place.subject,
            options.group if place.queue is None else place.queue,
            responder,
            place=index,
            name=place.name,
            statistics=new_statistics(),
        )
        for index, place in enumerate(places)
    ]


def _renderers(options: ReplyOptions, environment: Environment) -> Renderers:
    if options.record == "-":
        return Renderers() if options.stats else log_renderers(environment, verbose=options.verbose)
    if options.stats:
        return data_renderers(environment, as_json=options.as_json)
    return renderers(environment, as_json=options.as_json, verbose=options.verbose)


def _report(
    options: ReplyOptions,
    environment: Environment,
    counted: list[Statistics],
    times: Histogram,
) -> StatisticsReporter:
    return StatisticsReporter(
        environment,
        partial(figures, counted, times),
        options.title,
        live=options.stats,
        as_json=options.as_json,
    )
