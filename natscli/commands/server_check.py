"""`pynats server check`."""

from __future__ import annotations

from collections.abc import Callable

import click

from natscli.cli.groups import Command
from natscli.cli.options import DURATION, App, F, connection_options, connection_settings, option, pass_app
from natscli.errors import InputError

NOTES = """
The exit status is that of a Nagios plugin, not that of other commands: 0 OK, 1 warning, 2 critical, 3 unknown (bad
usage too is 2, and goes to stderr). A limit of 0 is none. A message goes to an inbox of its own and comes back. The
line on stdout has the form of the nats CLI: the state, what was measured, and after | the figures for graphs.
"""


def _limit(name: str, what: str, default: str, level: str) -> Callable[[F], F]:
    return option(f"--{name}", type=DURATION, metavar="DURATION", default=default, common=True,
                  help=f"{level} if {what} takes this long.  [{default}]")  # fmt: skip


@click.command(
    cls=Command,
    notes=NOTES,
    examples={
        "pynats server check connection": "connect time, RTT, and a message to oneself",
        "pynats server check connection --rtt-warn 100ms --rtt-critical 1s": "with limits of your own",
        "pynats server check connection --format json": "for programs",
    },
)
@click.argument(
    "check", metavar="connection", type=click.Choice(["connection", "conn"]), default="connection"
)
@_limit("connect-warn", "connecting", "500ms", "Warn")
@_limit("connect-critical", "connecting", "1s", "Critical")
@_limit("rtt-warn", "the RTT", "500ms", "Warn")
@_limit("rtt-critical", "the RTT", "1s", "Critical")
@_limit("req-warn", "a message", "500ms", "Warn")
@_limit("req-critical", "a message", "1s", "Critical")
@option("--format", "form", type=click.Choice(["nagios", "json"]), default="nagios", common=True,
        help="Write it in this form.  [default: nagios]")  # fmt: skip
@connection_options
@pass_app
def check(app: App, /, check: str, form: str, **levels: float) -> int:  # noqa: ARG001
    """Check the connection to a server, for monitoring."""
    from natscli.server.check import Levels

    pairs = {
        what: Levels(levels[f"{what}_warn"], levels[f"{what}_critical"]) for what in ("connect", "rtt", "req")
    }
    for what, pair in pairs.items():
        if pair.critical and pair.warning > pair.critical:
            raise InputError(f"--{what}-warn is more than --{what}-critical")
    settings = connection_settings(app)

    from natscli.connection.options import prepare
    from natscli.server.measure import measure
    from natscli.system import signals

    environment = app.environment
    verdict = signals.run(measure(prepare(settings, environment), environment, *pairs.values()))
    environment.out(verdict.nagios() if form == "nagios" else verdict.json())
    return int(verdict.state)
