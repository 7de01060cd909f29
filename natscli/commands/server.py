"""`pynats server`: the table of its commands, each imported only when it runs."""

from __future__ import annotations

import click

from natscli.cli.groups import Group

#: name -> (module, one line of help), as in `natscli.cli.root.COMMANDS`.
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("server_run", "Run a nats-server until Ctrl-C."),
    "info": ("server_info", "Show the server that is connected to."),
    "check": ("server_check", "Check the connection to a server, for monitoring."),
}


@click.command(
    cls=Group,
    table=COMMANDS,
    aliases={},
    examples={
        "pynats server run": "start it on port 4222",
        "pynats server run --port -1 --jetstream": "on a free port, with JetStream",
        "pynats server info": "what is connected to",
        "pynats server check connection --rtt-warn 100ms": "for Nagios and the like",
    },
)
def server() -> None:
    """Run a local nats-server, or look at the connected one."""
