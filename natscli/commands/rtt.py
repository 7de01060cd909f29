"""`pynats rtt`: round-trip times to the servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from natscli.cli.groups import Command
from natscli.cli.options import (
    App,
    WholeNumber,
    ask_and_hide,
    connection_options,
    connection_settings,
    option,
    pass_app,
)
from natscli.errors import ExitStatus, Report, refuse_together

if TYPE_CHECKING:
    from natscli.environment import Environment
    from natscli.rtt.measure import Measured

_COUNT = 5


@click.command(
    cls=Command,
    examples={
        "pynats rtt": "every address of every server",
        "pynats rtt --count 100 --json | jq '.[].results[].rtt_ns.p99'": "percentiles",
        "pynats rtt --all": "the servers of all contexts",
    },
)
@click.argument("iterations", required=False, type=WholeNumber(min=1))
@option("--count", type=click.IntRange(min=1), metavar="N", common=True,
        help=f"Send N PINGs to each address.  [default: {_COUNT}]")  # fmt: skip
@option("--all", "all_contexts", is_flag=True, common=True, help="Measure the servers of all contexts.")
@option("-j", "--json", "as_json", is_flag=True, common=True, help="Write an array of objects as JSON.")
@connection_options
@pass_app
def rtt(app: App, iterations: int | None, count: int | None, all_contexts: bool, as_json: bool) -> int:
    """Measure the RTT to the servers.

    Connects to every address of every server, one after the other, and sends PINGs. Jitter is the mean difference
    between one RTT and the next. Exits with the status of the first address that fails. ITERATIONS is --count, as in
    the nats CLI.
    """
    given = {"ITERATIONS": iterations is not None, "--count": count is not None}
    chosen = {"--all": all_contexts, **{f"--{name}": name in app.flags for name in ("context", "server")}}
    refuse_together({**given, **chosen}, tuple(given), ("--all", "--context"), ("--all", "--server"))
    found = (_of_all_contexts if all_contexts else _of_this_one)(app, iterations or count or _COUNT)
    if not found:
        app.environment.notice("no contexts")
        return ExitStatus.OK
    _show(app.environment, found, with_contexts=all_contexts, as_json=as_json)
    return next((one.report.status for one in found if one.report is not None), ExitStatus.OK)


def _of_this_one(app: App, count: int) -> list[Measured]:
    from natscli.connection.options import prepare
    from natscli.rtt.measure import measure
    from natscli.system import signals

    plan = prepare(connection_settings(app), app.environment)
    return signals.run(measure(plan, app.environment, count))


def _of_all_contexts(app: App, count: int) -> list[Measured]:
    from natscli.contexts.store import ContextStore
    from natscli.rtt.measure import measure_contexts
    from natscli.system import signals

    ask_and_hide(app)
    names = ContextStore(app.environment.config_dir, app.environment.warn).names()
    return signals.run(measure_contexts(names, app.flags, app.environment, count))


def _show(environment: Environment, found: list[Measured], *, with_contexts: bool, as_json: bool) -> None:
    from natscli.output.tables import Screen
    from natscli.rtt.table import table, to_json

    if as_json:
        ascii_only = environment.stdout.isatty()
        environment.out(to_json(found, with_contexts=with_contexts, ascii_only=ascii_only))
    else:
        environment.out(table(found, Screen.of(environment), with_contexts=with_contexts))
    for one in found:
        if one.report is not None:
            where = f"{one.context}: " if with_contexts else ""
            environment.error(Report(f"{where}{one.report.message}", one.report.status, one.report.hint))
