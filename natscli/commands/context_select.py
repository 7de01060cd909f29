"""`pynats context select`, `unselect` and `previous`."""

from __future__ import annotations

import click

from natscli.cli.groups import Command
from natscli.cli.options import App, complete_contexts, connection_options, pass_app
from natscli.contexts.store import ContextStore
from natscli.errors import InputError


@click.command(
    cls=Command,
    examples={
        "pynats context select local": "use it from now on",
        "pynats context select": "choose from a list",
    },
)
@click.argument("name", required=False, shell_complete=complete_contexts)
@connection_options
@pass_app
def select(app: App, name: str | None) -> None:
    """Select the context to use by default.

    Without NAME, offers a list on a terminal.
    """
    store = ContextStore(app.environment.config_dir, app.environment.warn)
    store.select(name if name is not None else _pick(app, store))
    report_selected(app, store)


@click.command(
    cls=Command,
    examples={
        "pynats context unselect": "use no context",
        "pynats context unselect && pynats request x hi": "with 127.0.0.1:4222",
    },
)
@connection_options
@pass_app
def unselect(app: App) -> None:
    """Select no context.

    Commands then use 127.0.0.1:4222 unless --server, --context or a variable is given.
    """
    name = ContextStore(app.environment.config_dir, app.environment.warn).unselect()
    app.environment.notice("no context is selected" if name is None else f"unselected context {name!r}")


@click.command(
    cls=Command,
    examples={
        "pynats context previous": "go back",
        "pynats context -": "the same, shorter",
    },
)
@connection_options
@pass_app
def previous(app: App) -> None:
    """Select the previously selected context."""
    store = ContextStore(app.environment.config_dir, app.environment.warn)
    store.select_previous()
    report_selected(app, store)


def report_selected(app: App, store: ContextStore) -> None:
    """Log which context is selected now, and whether a variable overrides it."""
    name = store.selected()
    app.environment.notice(f"selected context {name!r}")
    override = app.environment.environ.get("NATS_CONTEXT")
    if override and override != name:
        app.environment.warn(f"NATS_CONTEXT={override} in the environment overrides the selected context")


def _pick(app: App, store: ContextStore) -> str:
    from natscli.secrets.prompts import choose, require_terminal

    names = store.names()
    if not names:
        raise InputError("there is no context to select", hint="pynats context add NAME --server URL")
    require_terminal(app.environment, "no context name is given", "pynats context select NAME")
    return choose(app.environment, "Contexts", names, store.selected())
