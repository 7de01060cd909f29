"""`pynats context validate`."""

from __future__ import annotations

import click

from natscli.cli.groups import Command
from natscli.cli.options import App, ask_and_hide, complete_contexts, connection_options, option, pass_app
from natscli.connection.probe import ProbeResult, check, probe
from natscli.contexts.shown import short
from natscli.contexts.store import ContextStore
from natscli.duration import format_duration
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
    store = ContextStore(environment.config_dir, environment.warn)
    names = [name] if name is not None else _all_names(store)
    if not names:
        environment.notice("no contexts")
        return ExitStatus.OK
    results = {each: check(environment, app.flags, store, each) for each in names}
    if try_them:
        ask_and_hide(app)
        usable = [each for each in names if results[each].ok]
        results.update(probe(environment, app.flags, store, usable))
    headers = ["Context", *(("URL", "Server", "RTT", "TLS", "Account") if try_them else ()), "Result"]
    screen = Screen.of(environment)
    rows: list[list[Cell | str]] = []
    for each, result in results.items():
        verdict = Cell("OK", True) if result.report is None else Cell(result.report.message, False)
        rows.append([each, *(_server(result, screen) if try_them else ()), verdict])
    environment.out(show_table("Contexts", headers, rows, screen))
    bad = [result.report for result in results.values() if result.report is not None]
    if not bad:
        return ExitStatus.OK
    environment.error(Report(f"{len(bad)} of {len(names)} contexts cannot be used", bad[0].status))
    return bad[0].status


def _server(result: ProbeResult, screen: Screen) -> tuple[str, ...]:
    """URL, name and version, RTT, TLS and account of the server that a context has reached; empty if none."""
    found = result.server
    if found is None:
        return ("", "", "", "", "")
    name, account = found.name, found.account.name or found.account.identity
    if screen.terminal:
        name, account = short(name), short(account)
    return (found.url, f"{name} {found.version}", format_duration(found.rtt), found.tls or "no", account)


def _all_names(store: ContextStore) -> list[str]:
    """Every context, and the selected one even if it does not exist."""
    names, selected = store.names(), store.selected()
    return names if selected is None or selected in names else [*names, selected]
