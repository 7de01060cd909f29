"""`pynats context validate`."""

from __future__ import annotations

import click

from natscli.cli.groups import Command
from natscli.cli.options import App, ask_and_hide, complete_contexts, connection_options, option, pass_app
from natscli.connection.probe import check, probe
from natscli.contexts.store import ContextStore
from natscli.errors import ExitStatus, Report
from natscli.output.tables import Cell, Screen, show_table


@click.command(
    cls=Command,
    examples={
        "pynats context validate": "check all contexts",
        "pynats context validate local --connect": "connect with one",
    },
)
@click.argument("name", required=False, shell_complete=complete_contexts)
@option("--connect", "try_them", is_flag=True, common=True, help="Connect with each, all at once.")
@connection_options
@pass_app
def validate(app: App, name: str | None, try_them: bool) -> int:
    """Check one or all contexts.

    Checks the file and the credentials it names, and with --connect the connection. Exits with the status of the first
    context that has a problem.
    """
    environment = app.environment
    store = ContextStore(environment.config_dir)
    names = [name] if name is not None else _all_names(store)
    if not names:
        environment.notice("no contexts")
        return ExitStatus.OK
    results = {each: check(environment, app.flags, store, each) for each in names}
    if try_them:
        ask_and_hide(app)
        usable = [each for each in names if results[each].ok]
        results.update(probe(environment, app.flags, store, usable))
    headers = ["Context", *(("Server", "Version", "RTT", "TLS", "Account") if try_them else ()), "Result"]
    rows: list[list[Cell | str]] = []
    for each, result in results.items():
        rows.append([each, *(result.server_cells() if try_them else ()), result.cell()])
    environment.out(show_table("Contexts", headers, rows, Screen.of(environment)))
    bad = [result.report for result in results.values() if result.report is not None]
    if not bad:
        return ExitStatus.OK
    environment.error(Report(f"{len(bad)} of {len(names)} contexts cannot be used", bad[0].status))
    return bad[0].status


def _all_names(store: ContextStore) -> list[str]:
    """Every context, and the selected one even if it does not exist."""
    names, selected = store.names(), store.selected()
    return names if selected is None or selected in names else [*names, selected]
