"""What a run of requests shows, without a server."""

from __future__ import annotations

import asyncio
from io import BytesIO

import pytest

from natscli.environment import Environment
from natscli.output.replies import renderer
from natscli.request.display import RequestDisplay
from natscli.request.requester import Tally
from natscli.request.translate import Translator


def display(environment: Environment, translator: Translator | None = None) -> RequestDisplay:
    render = renderer(environment, raw=True, as_json=False, many_requests=True, many_replies=True)
    return RequestDisplay(environment, render, tell=False, as_json=False, many=True, translator=translator)


@pytest.fixture
def environment() -> Environment:
    return Environment(BytesIO(), BytesIO(), BytesIO(), {"PATH": "/usr/bin:/bin"})


def errors(environment: Environment) -> str:
    assert isinstance(environment.stderr, BytesIO)
    return environment.stderr.getvalue().decode()


def test_the_summary_comes_once(environment: Environment) -> None:
    async def run() -> None:
        shown = display(environment)
        await shown.finish(Tally())
        shown.summary(Tally())
        shown.close()

    asyncio.run(run())
    assert errors(environment).count("Sent 0") == 1
