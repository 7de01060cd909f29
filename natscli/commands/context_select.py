"""`pynats context select`, `unselect` and `previous`."""

from __future__ import annotations

import click

from natscli.cli.groups import Command
from natscli.cli.options import App, complete_contexts, connection_options, pass_app
from natscli.contexts.store import ContextStore
from natscli.errors import InputError


@click.command(cls=Command, short_help="Select the context that is used by default.")
@click.argument("name", required=False, shell_complete=complete_contexts)
@connection_options
@pass_app
def select(app: App, name: str | None) -> None:
    """Select the context that is used by default. Without NAME, asks for it on a terminal."""
    store = ContextStore(app.environment.config_dir)
    store.select(name if name is not None else _pick(app, store))
    tell_selected(app, store)


@click.command(cls=Command, short_help="Select no context.")
@connection_options
@pass_app
def unselect(app: App) -> None:
    """Select no context: the default server is used unless --server or --context is given."""
    name = ContextStore(app.environment.config_dir).unselect()
    app.environment.notice("no context is selected" if name is None else f"unselected context {name!r}")


@click.command(cls=Command, short_help="Select the context that was selected before.")
@connection_options
@pass_app
def previous(app: App) -> None:
    """Select the context that was selected before, also: pynats context -"""
    store = ContextStore(app.environment.config_dir)
    store.select_previous()
    tell_selected(app, store)


def tell_selected(app: App, store: ContextStore) -> None:
    """Say which context is selected now, and when a variable overrides it."""
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
