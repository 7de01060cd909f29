"""`pynats trace`: where a message goes."""

from __future__ import annotations

from typing import Any

import click

from natscli.cli.groups import Command
from natscli.cli.options import READ, App, connection_options, connection_settings, option, pass_app
from natscli.message.recipe import compile_recipe, read_body
from natscli.trace.options import TraceOptions

NOTES = """
Servers from nats-server 2.11 on report it (ADR-41). Nobody gets the message, and no stream stores it, unless --deliver
is given. Another account reports only what it allows (allow_trace). The user needs the permission to publish to the
subject and to inboxes. With --deliver, whoever sends the headers of the message on has that message traced too.

Exits 3 if nobody would receive it, 6 if the server refuses it.
"""


@click.command(
    cls=Command,
    notes=NOTES,
    examples={
        "pynats trace orders.new": "servers, accounts, mappings and receivers",
        "pynats trace orders.new '{\"id\": 1}' --deliver": "and send it",
        "pynats trace orders.new --json | jq '.receivers[].name'": "who would receive it",
    },
)
@click.argument("subject")
@click.argument("body", required=False)
@option("--deliver", is_flag=True, common=True, help="Deliver the message to its receivers.")
@option("-H", "--header", "header", multiple=True, metavar="NAME:VALUE", common=True,
        help="Add a header to the message; repeatable.")  # fmt: skip
@option("--body-file", type=READ, metavar="FILE", common=True,
        help="Send the contents of FILE; - is stdin.")  # fmt: skip
@option("-T", "--timestamp", "times", is_flag=True, common=True,
        help="Show when, by the clock of each server.")  # fmt: skip
@option("-j", "--json", "as_json", is_flag=True, common=True, help="Write the path as JSON.")
@option("--templates/--no-templates", default=True, help="Fill in {{...}}, or send it unchanged.")
@connection_options
@pass_app
def trace(app: App, /, deliver: bool, times: bool, as_json: bool, **given: Any) -> int:
    """Show where a message goes: servers, accounts, receivers."""
    options = TraceOptions(**given)
    recipe = compile_recipe(options, "a message")
    settings = connection_settings(app)
    if options.body is not None or options.body_file is not None:
        recipe = read_body(recipe, options, app.environment)

    from natscli.connection.options import prepare
    from natscli.system import signals
    from natscli.trace.run import run

    plan = prepare(settings, app.environment)
    return signals.run(
        run(recipe.make(1), plan, app.environment, deliver=deliver, as_json=as_json, times=times)
    )
