"""One run of a responder: connect, serve."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count

from natscli.connection.connect import connected
from natscli.connection.options import Plan
from natscli.environment import Environment
from natscli.errors import PynatsError
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
        environment.log(
            plan.whereabouts(connection.url, always=options.verbose, to_person=environment.stderr.isatty())
        )
        counted: dict[int, Statistics] = {}
        new_route = partial(_new_route, options, responder, new_statistics, counted)
        places = responder.places if options.subject is None else (Place(options.subject),)
        routes = list(map(new_route, count(), places))
        if options.service is not None:
            routes += _service_routes(options, environment, routes)
        listener = Listener(
            routes,
            connection,
            environment,
            _renderers(options, environment),
            shared.numbers if shared else Numbers(options.count),
            shared.report if shared else _report(options, environment, counted, times),
            stop=shared.new_stop if shared else Stop,
            new_route=new_route if options.subject is None else None,
        )
        await listener.run()


@contextmanager
def without_exit(options: ReplyOptions) -> Iterator[None]:
    """The block that runs the event loop, which a task of a handler ends when it calls `sys.exit`.

    Raises:
        PynatsError: in place of SystemExit, whose status means something else.
    """
    try:
        yield
    except SystemExit as error:
        from natscli.reply.python.explain import describe

        why = describe(error, options.handler or "")
        raise PynatsError(f"a task or a callback of the handler ended the run: {why}") from error


def _new_route(
    options: ReplyOptions,
    responder: Responder,
    new_statistics: Callable[[], Statistics],
    counted: dict[int, Statistics],
    index: int,
    place: Place,
) -> Route:
    """A route for a place of the responder, with this index; its statistics are `counted` by index."""
    if index not in counted:  # else it is listened on again, and goes on counting
        counted[index] = new_statistics()
    queue = options.group if place.queue is None else place.queue
    return Route(place.subject, queue, responder, place=index, name=place.name, statistics=counted[index])


def _service_routes(options: ReplyOptions, environment: Environment, routes: list[Route]) -> list[Route]:
    """Where a new instance of --service, whose endpoints are `routes`, is found."""
    from natscli.reply.service import control_routes, new_instance

    instance = new_instance(options)
    environment.log(f'Service "{instance.name}" {instance.version}, instance {instance.id}')
    return control_routes(instance, options.endpoint, routes)


def _renderers(options: ReplyOptions, environment: Environment) -> Renderers:
    if options.record == "-":
        return Renderers() if options.stats else log_renderers(environment, verbose=options.verbose)
    if options.stats:
        return data_renderers(environment, as_json=options.as_json)
    return renderers(environment, as_json=options.as_json, verbose=options.verbose)


def _report(
    options: ReplyOptions,
    environment: Environment,
    counted: dict[int, Statistics],
    times: Histogram,
) -> StatisticsReporter:
    return StatisticsReporter(
        environment,
        partial(figures, counted.values(), times),
        options.title,
        live=options.stats,
        as_json=options.as_json,
    )
