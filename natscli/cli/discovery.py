"""Completion of what runs: names of services and the subjects of their endpoints, quickly or not at all."""

from __future__ import annotations

import os
import re
import sys
import time
from typing import TYPE_CHECKING

from natscli.cli.options import App

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

    from natscli.message.micro import Instance, Verb
    from natscli.services.gather import Gathering
    from natscli.settings import Settings

#: Seconds that all of it may take, the start of Python and what it imports included, so that Tab takes 300 ms at most.
PATIENCE = 0.25
#: Seconds without another answer after which no more are waited for.
SILENCE = 0.05
#: More instances than these are more than a list of candidates is good for.
_MOST = 1000
#: What is offered of what came from the network: nothing that any shell takes for more than text.
_PLAIN = r"[A-Za-z0-9_.:/=@+-]+"


def complete_services(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """The names of the services that answer, for shell completion."""
    from natscli.message.micro import Verb

    names = {instance.name: f"version {instance.version}" for instance in _instances(ctx, Verb.PING)}
    return _items(names, incomplete)


def complete_endpoints(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """The subjects of the endpoints of the services that answer, for shell completion."""
    from natscli.message.micro import Verb

    return _items(
        {
            endpoint.subject: f"{endpoint.name} of {instance.name}"
            for instance in _instances(ctx, Verb.INFO)
            for endpoint in instance.endpoints
        },
        incomplete,
    )


def _items(found: dict[str, str], incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [
        CompletionItem(value, help=text)
        for value, text in sorted(found.items())
        if value.startswith(incomplete) and re.fullmatch(_PLAIN, value)
    ]


def _instances(ctx: click.Context, verb: Verb) -> list[Instance]:
    """The instances that answered in time to `verb`, of the server that the command line is about."""
    import threading

    gathered: list[Gathering] = []
    # A thread, because nothing that may block (a name server, a file system) can be waited for longer. It is left
    # behind: the program ends without it.
    asking = threading.Thread(target=_ask, args=(ctx.find_object(App), verb, gathered), daemon=True)
    asking.start()
    asking.join(max(0.0, PATIENCE - _age()))
    return [found.instance for gathering in gathered for found in gathering.found()]


def _age() -> float:
    """Seconds since this process was started; those of computing, where the system does not say."""
    if sys.platform == "win32":
        return time.process_time()
    try:
        with open("/proc/self/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError, IndexError):
        return time.process_time()


def _ask(app: App | None, verb: Verb, gathered: list[Gathering]) -> None:
    import asyncio
    from contextlib import suppress

    from natscli.errors import PynatsError

    async def ask(settings: Settings) -> None:
        from natscli.connection.connect import connected
        from natscli.connection.options import prepare
        from natscli.message.micro import control_subject
        from natscli.request.options import Expectation
        from natscli.request.requester import Requester
        from natscli.services.gather import Gathering, Questions

        assert app is not None
        async with connected(prepare(settings, app.environment), app.environment) as connection:
            gathered.append(Gathering(verb))
            expectation = Expectation(replies=_MOST, first=PATIENCE, gap=SILENCE)
            rounds = Questions(control_subject(verb))
            await Requester(connection, rounds, expectation, gathered[0]).run()

    with suppress(PynatsError, OSError, ValueError):  # then there is nothing to offer
        settings = _settings(app)
        if settings is not None:
            asyncio.run(ask(settings))


def _settings(app: App | None) -> Settings | None:
    """The settings of the command line so far; None if they need a question or a program to be answered first."""
    from natscli.contexts.credentials import scheme_of
    from natscli.contexts.kinds import PARTS
    from natscli.contexts.store import ContextStore
    from natscli.settings import resolve

    if app is None:
        return None
    app.environment.sink = lambda _: None  # the shell is in the middle of its command line
    settings = resolve(app.flags, app.environment.environ, ContextStore(app.environment.config_dir))
    values = [getattr(settings, part.setting).value for part in PARTS]
    if settings.nsc or any(value == "-" or scheme_of(value) in ("op", "nsc") for value in values):
        return None
    return settings
