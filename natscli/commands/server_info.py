"""`pynats server info`."""

from __future__ import annotations

import click

from natscli.cli.groups import Command
from natscli.cli.options import App, connection_options, connection_settings, option, pass_app


@click.command(
    cls=Command,
    examples={
        "pynats server info": "the server of the selected context",
        "pynats server info --json | jq -r .version": "its version",
    },
)
@option("-j", "--json", "as_json", is_flag=True, common=True, help="Write an object as JSON.")
@connection_options
@pass_app
def info(app: App, as_json: bool) -> None:
    """Show the server that is in use.

    Shows its name, its version and its limits as its INFO has them, the user and the account of the connection if the
    server tells, and the RTT.
    """
    environment = app.environment
    settings = connection_settings(app)

    from natscli.connection.options import prepare
    from natscli.output.tables import Screen
    from natscli.server.info import gather, table, to_json
    from natscli.system import signals

    record = signals.run(gather(prepare(settings, environment), environment))
    if as_json:
        environment.out(to_json(record, ascii_only=environment.stdout.isatty()))
    else:
        environment.out(table(record, Screen.of(environment)))
