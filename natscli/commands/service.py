"""`pynats service`: find services (ADR-32), show their endpoints and statistics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from natscli.cli.discovery import complete_services
from natscli.cli.groups import Command, Group
from natscli.cli.options import App, connection_options, connection_settings, option, pass_app
from natscli.message import micro

F = TypeVar("F", bound=Callable[..., Any])

#: name -> (module, one line of help), as in `natscli.cli.root.COMMANDS`.
COMMANDS: dict[str, tuple[str, str]] = {
    "ls": ("service", "List the instances of all services."),
    "info": ("service", "Show what a service is and its endpoints."),
    "stats": ("service", "Show requests, errors and times by endpoint."),
    "ping": ("service", "Show how fast the instances answer."),
}
ALIASES: dict[str, str] = {"list": "ls"}

#: Seconds to wait for answers without --timeout.
_WAIT = 2.0

_NOTES = """
Instances have 2s to answer, or --timeout. Exit status: 3 when there is no such service, 4 when none answers.
"""


@click.command(
    cls=Group,
    table=COMMANDS,
    aliases=ALIASES,
    examples={
        "pynats service ls": "list all instances",
        "pynats service stats calculator --watch": "statistics, redrawn every second",
    },
    notes=_NOTES,
)
@connection_options
def service() -> None:
    """Find services, show their endpoints and statistics.

    A service is one of the NATS services API (ADR-32): nats.micro in Python, micro in Go, and so on.
    """


def _json_option(command: F) -> F:
    return option("--json", "as_json", is_flag=True, common=True, help="Write an array of objects as JSON.")(
        command
    )


@click.command(
    cls=Command,
    examples={
        "pynats service ls": "a table",
        "pynats service ls --json | jq -r '.[].id'": "the ids",
    },
    notes=_NOTES,
)
@_json_option
@connection_options
@pass_app
def ls(app: App, as_json: bool) -> None:
    """List the instances of all services."""
    _run(app, "ls", as_json=as_json)


@click.command(
    cls=Command,
    examples={
        "pynats service info calculator": "all instances of a service",
        "pynats service info calculator K6v1Sbhyf0uD7pVqk1RTSP": "one instance",
    },
    notes=_NOTES,
)
@click.argument("name", shell_complete=complete_services)
@click.argument("id", required=False)
@_json_option
@connection_options
@pass_app
def info(app: App, name: str, id: str | None, as_json: bool) -> None:
    """Show what a service is and its endpoints."""
    _run(app, "info", name, id, as_json=as_json)


@click.command(
    cls=Command,
    examples={
        "pynats service stats": "all services",
        "pynats service stats calculator --watch": "one, redrawn every second",
    },
    notes=_NOTES,
)
@click.argument("name", required=False, shell_complete=complete_services)
@option("--watch", "again", is_flag=True, common=True, help="Ask every second, until Ctrl-C.")
@_json_option
@connection_options
@pass_app
def stats(app: App, name: str | None, again: bool, as_json: bool) -> None:
    """Show requests, errors and times by endpoint.

    Times are those that the services measured. With --watch and --json every round is a line.
    """
    _run(app, "stats", name, as_json=as_json, again=again)


@click.command(
    cls=Command,
    examples={
        "pynats service ping": "all services",
        "pynats service ping calculator --timeout 500ms": "one, and do not wait long",
    },
    notes=_NOTES,
)
@click.argument("name", required=False, shell_complete=complete_services)
@_json_option
@connection_options
@pass_app
def ping(app: App, name: str | None, as_json: bool) -> None:
    """Show how fast the instances answer."""
    _run(app, "ping", name, as_json=as_json)


def _run(
    app: App,
    command: str,
    name: str | None = None,
    instance: str | None = None,
    *,
    as_json: bool,
    again: bool = False,
) -> None:
    if name is not None:
        micro.check_name(name, "NAME")
    if instance is not None:
        micro.check_id(instance, "ID")
    settings = connection_settings(app)

    from natscli.connection.options import prepare
    from natscli.services.gather import Inquiry
    from natscli.services.run import run
    from natscli.services.tables import LAYOUTS
    from natscli.system import signals

    timeout = settings.timeout
    wait = _WAIT if timeout.source == "default" else timeout.value
    inquiry = Inquiry(LAYOUTS[command].verb, name or "", instance or "", wait)
    plan = prepare(settings, app.environment)
    signals.run(run(command, inquiry, plan, app.environment, as_json=as_json, again=again))
