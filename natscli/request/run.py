"""One run of requests: connect, send, show, sum up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from natscli.connection.connect import connected
from natscli.connection.options import Plan
from natscli.environment import Environment
from natscli.errors import ExitStatus
from natscli.message.recipe import Recipe
from natscli.message.source import Counted, Lines, Source
from natscli.output.replies import renderer
from natscli.request.display import RequestDisplay
from natscli.request.options import RequestOptions, expectation
from natscli.request.requester import Requester

if TYPE_CHECKING:
    from natscli.output.translate import Translator


async def run(
    options: RequestOptions,
    recipe: Recipe,
    plan: Plan,
    environment: Environment,
    translator: Translator | None = None,
) -> ExitStatus:
    """Send what `options` and `recipe` ask for; the status of the first failure, which was shown.

    Raises:
        PynatsError: no connection, or the replies could not be shown.
        asyncio.CancelledError: a signal; the summary of what was done so far was shown.
    """
    async with connected(plan, environment) as connection:
        display = _display(options, environment, translator)
        requester = Requester(
            connection,
            _source(options, recipe, environment),
            expectation(options, plan.timeout),
            display,
            options.concurrency,
        )
        try:
            await requester.run()
            await display.finish(requester.tally)
        except asyncio.CancelledError:
            display.interrupted(requester.tally)
            raise
        finally:
            display.close()
        failure = requester.tally.first_failure or display.problem
        return failure.status if failure is not None else ExitStatus.OK


def _source(options: RequestOptions, recipe: Recipe, environment: Environment) -> Source:
    count = options.count or 1
    return Lines(recipe, count, environment.stdin) if options.by_line else Counted(recipe, count)


def _display(
    options: RequestOptions, environment: Environment, translator: Translator | None
) -> RequestDisplay:
    render = renderer(
        environment, raw=options.raw, as_json=options.as_json,
        many_requests=options.many_requests, many_replies=options.many_replies,
    )  # fmt: skip
    return RequestDisplay(
        environment, render, log_each=options.log_each, as_json=options.as_json,
        many=options.many_requests, translator=translator,
    )  # fmt: skip
