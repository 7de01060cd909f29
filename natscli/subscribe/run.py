"""One run of `pynats subscribe`: connect, receive, show."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from natscli.connection.connect import connected
from natscli.connection.options import Plan
from natscli.environment import Environment
from natscli.message.subjects import IMPORTERS
from natscli.subscribe.destination import Destination
from natscli.subscribe.options import REPORT_TOP, SubscribeOptions
from natscli.subscribe.show.display import MessageDisplay
from natscli.subscribe.show.messages import MessageStyle, RenderMessages, renderer
from natscli.subscribe.subscriber import Subscriber, Subscribing

if TYPE_CHECKING:
    from natscli.programs.translate import Translator


async def run(
    options: SubscribeOptions, plan: Plan, environment: Environment, translator: Translator | None = None
) -> None:
    """Receive what `options` ask for.

    Raises:
        PynatsError: see `Subscriber.run`; or there is no connection.
        asyncio.CancelledError: stopped a second time.
    """
    async with connected(plan, environment, listener=True) as connection:
        subjects = (connection.client.new_inbox(),) if options.inbox else options.subjects
        destination = _destination(options, environment, translator)
        subscribing = _subscribing(options, subjects, plan)
        with destination.open():
            await Subscriber(subscribing, connection, environment, destination).run()


def _subscribing(options: SubscribeOptions, subjects: tuple[str, ...], plan: Plan) -> Subscribing:
    inboxes = (plan.inboxes, IMPORTERS) if options.match_replies else ()
    return Subscribing(
        subjects, options.queue, options.count, options.wait, options.ignored, inboxes, plan.timeout
    )


def _destination(
    options: SubscribeOptions, environment: Environment, translator: Translator | None
) -> Destination:
    if options.report_subjects:
        from natscli.subscribe.show.report import SubjectReport

        return SubjectReport(environment, top=options.report_top or REPORT_TOP, as_json=options.as_json)
    destination: Destination
    if options.dump not in (None, "-"):
        from natscli.subscribe.show.dump import Dump

        destination = Dump(options.dump or "", _renderer(options, environment))
    else:
        destination = MessageDisplay(environment, _renderer(options, environment))
    if translator is not None:
        from natscli.subscribe.show.translated import Translated

        return Translated(destination, translator, environment)
    return destination


def _renderer(options: SubscribeOptions, environment: Environment) -> RenderMessages:
    part = "headers" if options.headers_only else "subject" if options.subjects_only else "all"
    clock = "timestamp" if options.timestamp else "delta" if options.delta_time else "time"
    style = MessageStyle(
        raw=options.raw,
        as_json=options.as_json or options.dump is not None,
        part=part,
        clock=clock,
        start=time.time(),
        single=options.raw and options.count == 1 and not options.match_replies,
        end="\0" if options.dump == "-" else "\n",
    )
    return renderer(environment, style)
