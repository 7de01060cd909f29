"""What a run of requests shows, without a server."""

from __future__ import annotations

import asyncio
from io import BytesIO

import pytest

from natscli.environment import Environment
from natscli.errors import PynatsError
from natscli.programs.translate import Translator
from natscli.request.events import Received
from natscli.request.show import translating as module
from natscli.request.show.display import RequestDisplay
from natscli.request.show.lines import renderer
from natscli.request.show.style import LastLines, Replies, RequestStyle
from natscli.request.statistics import Statistics


def display(environment: Environment, translator: Translator | None = None) -> RequestDisplay:
    style = RequestStyle(Replies.RAW, LastLines.FIGURES, log=False)
    render = renderer(environment, style, many_requests=True, many_replies=True)
    return RequestDisplay(environment, render, style, translator)


@pytest.fixture
def environment() -> Environment:
    return Environment(BytesIO(), BytesIO(), BytesIO(), {"PATH": "/usr/bin:/bin"})


def errors(environment: Environment) -> str:
    assert isinstance(environment.stderr, BytesIO)
    return environment.stderr.getvalue().decode()


def test_the_summary_comes_once(environment: Environment) -> None:
    async def run() -> None:
        shown = display(environment)
        with shown.open(Statistics):
            await shown.finish(Statistics())
            shown.summary(Statistics())

    asyncio.run(run())
    assert errors(environment).count("Sent 0") == 1


def test_replies_that_wait_for_their_translation_do_not_fill_the_memory(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 10_000)

    async def run() -> None:
        shown = display(environment, Translator("cat", environment.environ))
        with shown.open(Statistics):
            for number in range(1, 6):
                shown.replies([Received("s", 1, number, 0, None, b"%d" % number * 6_000, 0.0)])
            await shown.finish(Statistics())

    with pytest.raises(PynatsError, match=r"could not keep up: 3$"):
        asyncio.run(run())
    assert isinstance(environment.stdout, BytesIO)
    assert environment.stdout.getvalue().split() == [b"1" * 6_000, b"2" * 6_000]
