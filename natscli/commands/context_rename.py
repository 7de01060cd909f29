"""`pynats context rename`."""

from __future__ import annotations

import click

from natscli.cli.groups import Command
from natscli.cli.options import App, complete_contexts, connection_options, pass_app
from natscli.contexts.store import ContextStore


@click.command(
    cls=Command,
    examples={
        "pynats context rename local laptop": "give it another name",
        "pynats context mv staging stage": "the same, shorter",
    },
)
@click.argument("name", shell_complete=complete_contexts)
@click.argument("new")
@connection_options
@pass_app
def rename(app: App, name: str, new: str) -> None:
    """Rename a context.

    A selected context stays selected.
    """
    ContextStore(app.environment.config_dir, app.environment.warn).rename(name, new)
    app.environment.notice(f"renamed context {name!r} to {new!r}")
