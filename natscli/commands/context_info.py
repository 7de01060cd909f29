"""`pynats context info`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from natscli.cli.groups import Command
from natscli.cli.options import App, ask_and_hide, complete_contexts, connection_options, option, pass_app
from natscli.contexts.checks import exposed_files, origin, problem_of, problems, validity_in
from natscli.contexts.format import DEFAULT_URL, Context, has_login, redacted, secrets
from natscli.contexts.kinds import PARTS
from natscli.contexts.shown import LABELS, as_json, short, to_json
from natscli.contexts.store import ContextStore
from natscli.duration import format_duration
from natscli.environment import Environment
from natscli.errors import InputError
from natscli.output.tables import Cell, Screen, show_table
from natscli.settings import CONTEXT_KEYS, VARIABLES

if TYPE_CHECKING:
    from natscli.connection.probe import ProbeResult

#: Environment variables that set what a key of a context sets, and win over it.
_OVERRIDES = {CONTEXT_KEYS[s]: variable for s, variable in VARIABLES.items() if s in CONTEXT_KEYS}
_CREDENTIALS = frozenset(part.key for part in PARTS)


@click.command(
    cls=Command,
    examples={
        "pynats context info": "the selected context",
        "pynats context info local --connect": "connect too, show the server",
    },
)
@click.argument("name", required=False, shell_complete=complete_contexts)
@option("-j", "--json", "as_object", is_flag=True, common=True, help="Write it as JSON.")
@option(
    "--connect",
    "try_it",
    is_flag=True,
    common=True,
    help="Connect with it, and show server, version and RTT.",
)
@option("--show-secrets", is_flag=True, common=True, help="Write secrets unmasked; only with --json.")
@connection_options
@pass_app
def info(app: App, name: str | None, as_object: bool, try_it: bool, show_secrets: bool) -> int:
    """Show a context and where its values come from.

    Without NAME, shows the context of --context, of NATS_CONTEXT, or the selected one.
    """
    environment = app.environment
    if show_secrets and not as_object:
        raise InputError("--show-secrets needs --json", hint="pynats context info --json --show-secrets")
    store = ContextStore(environment.config_dir, environment.warn)
    name = name if name is not None else _default_name(app, store)
    context = store.load(name)
    environment.redactor.add(*secrets(context))
    for line in warnings(context, store.locate(name), environment.environ):
        environment.warn(line)
    selected = name == store.selected()
    results = None
    if try_it:
        from natscli.connection.probe import probe

        ask_and_hide(app)
        results = probe(environment, app.flags, store, [name])[name]
    if as_object:
        shown = as_json(name, context, selected=selected, show_secrets=show_secrets)
        record = shown if results is None else {**shown, "connection": results.as_json()}
        environment.out(to_json(record, ascii_only=environment.stdout.isatty()))
    else:
        rows, screen = _rows(context, environment), Screen.of(environment)
        rows.append(("Path", store.locate(name), ""))
        if results is not None:
            rows.extend(
                (label, cell, "server" if results.ok else "") for label, cell in _connection(results, screen)
            )
        title = f"Context {name!r}" + (" (selected)" if selected else "")
        environment.out(show_table(title, (), rows, screen))
    if results is not None and results.report is not None:
        environment.error(results.report)
        return int(results.report.status)
    return 0


def _default_name(app: App, store: ContextStore) -> str:
    name = app.flags.get("context") or app.environment.environ.get("NATS_CONTEXT") or store.selected()
    if not name:
        raise InputError("no context is selected", hint="pynats context select NAME")
    assert isinstance(name, str)
    return name


def _rows(context: Context, environment: Environment) -> list[tuple[Cell | str, Cell | str, Cell | str]]:
    """Label, value and origin of everything that is set."""
    shown = redacted(context)
    rows: list[tuple[Cell | str, Cell | str, Cell | str]] = []
    for key, label in LABELS.items():
        value = getattr(shown, key)
        if not value and key != "url":
            continue
        text = ", ".join(value) if isinstance(value, tuple) else "yes" if value is True else value
        rows.append((label, text or DEFAULT_URL, _origin(key, getattr(context, key), environment.environ)))
    rows.extend((key, _as_text(value), "context, unknown to pynats") for key, value in shown.extra.items())
    return rows


def _origin(key: str, value: Any, environ: Mapping[str, str]) -> Cell:
    """Where the value of `key` comes from, whether it can be had, and what overrides it."""
    parts = ["context" if value else "default"]
    problem = ""
    if isinstance(value, str) and value:
        parts.append(origin(key, value, environ))
        problem = problem_of(key, value, environ)
    override = _override(key, environ)
    if override:
        parts.append(f"overridden by {override}")
    is_reference = bool(parts[1:] and parts[1])
    limits = validity_in(key, value, environ) if isinstance(value, str) and not problem else None
    now = time.time()
    problem = problem or (limits.problem(now) if limits else "")
    parts.append(problem or ("OK" if is_reference else ""))
    if limits and not problem:
        parts.append(limits.limit(now))
    good = False if problem else True if is_reference or limits else None
    return Cell(", ".join(part for part in parts if part), good)


def _override(key: str, environ: Mapping[str, str]) -> str:
    """The variable that overrides the value of `key`; empty if none does."""
    variable = _OVERRIDES.get(key, "")
    if environ.get(variable):
        return variable
    return "NATS_URL" if key in _CREDENTIALS and has_login(environ.get("NATS_URL", "")) else ""


def _connection(result: ProbeResult, screen: Screen) -> list[tuple[str, Cell]]:
    """Labels and values of what connecting has shown."""
    found = result.server
    if found is None:
        return [("Connection", Cell(result.report.message if result.report else "OK", result.ok))]
    shorten = short if screen.terminal else str
    identity, name = (shorten(text) for text in found.account)
    values = {
        "Connection": f"OK, {found.url}",
        "Server": f"{shorten(found.name)} {found.version}",
        "RTT": format_duration(found.rtt),
        "TLS": found.tls or "no",
        "Account": f"{name} ({identity})" if name and name != identity else identity,
    }
    return [(label, Cell(text, True)) for label, text in values.items() if text.strip()]


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else " ".join(to_json(value).split())


def warnings(context: Context, path: str, environ: Mapping[str, str]) -> list[str]:
    """Warnings about a context, one per line."""
    lines = [p for p in problems(context, environ) if p.split(":")[0] not in LABELS]
    lines += [
        f"others than you can read or write {file}: chmod 600 {file}"
        for file in exposed_files(context, path, environ)
    ]
    overriding = [v for v in (*VARIABLES.values(), "NATS_CONTEXT") if environ.get(v)]
    if overriding:
        lines.append(f"the environment overrides the context: {', '.join(overriding)}")
    return lines
