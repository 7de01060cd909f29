"""One run of `pynats publish`: connect, publish, sum up."""

from __future__ import annotations

from natscli.connection.connect import connected
from natscli.connection.options import Plan
from natscli.environment import Environment
from natscli.errors import ConnectionFailedError, ExitStatus
from natscli.message.recipe import Recipe
from natscli.message.source import Counted, EachLine, Source
from natscli.publish.display import PublishDisplay
from natscli.publish.options import PublishOptions
from natscli.publish.pace import Pace
from natscli.publish.publisher import Publisher


async def run(options: PublishOptions, recipe: Recipe, plan: Plan, environment: Environment) -> ExitStatus:
    """Publish what `options` and `recipe` ask for; the status of the first failure, which was shown.

    Raises:
        PynatsError: no connection, it was lost, or nothing can be published.
        asyncio.CancelledError: a signal; how much was sent was shown.
    """
    display = PublishDisplay(options, environment)
    with display.open():
        try:
            async with connected(plan, environment) as connection:
                source = _source(options, recipe, environment)
                publisher = Publisher(connection, source, recipe, _pace(options), options.reply, display)
                display.begin(publisher.tally)
                await publisher.run()
        except ConnectionFailedError as error:
            if display.unsure:
                error.hint = f"messages sent, which the server may not have: {display.unsure}"
            raise
    failure = publisher.tally.first_failure
    return failure.status if failure is not None else ExitStatus.OK


def _source(options: PublishOptions, recipe: Recipe, environment: Environment) -> Source:
    count = options.count or 1
    return EachLine(recipe, count, environment.stdin) if options.by_line else Counted(recipe, count)


def _pace(options: PublishOptions) -> Pace:
    return Pace.rate(options.rate) if options.rate else Pace(options.sleep)
