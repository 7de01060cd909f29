"""`pynats context rm`."""

from __future__ import annotations

import click

from natscli.cli.groups import Command
from natscli.cli.options import App, complete_contexts, connection_options, option, pass_app
from natscli.contexts.store import ContextStore
from natscli.errors import InputError


@click.command(
    cls=Command,
    examples={
        "pynats context rm local": "ask, then remove it",
        "pynats context rm -f local": "remove it without asking",
    },
)
@click.argument("name", shell_complete=complete_contexts)
@option("-f", "--force", is_flag=True, common=True, help="Do not ask, and remove even the selected context.")
@connection_options
@pass_app
def rm(app: App, name: str, force: bool) -> None:
    """Remove a context.

    Asks first, unless --force is given.
    """
    environment = app.environment
    store = ContextStore(environment.config_dir, environment.warn)
    if not store.exists(name):
        if not force:
            store.load(name)  # says that it is unknown, and which name is near
        environment.notice(f"there is no context {name!r}")
        return
    if not force:
        if name == store.selected():
            raise InputError(
                f"context {name!r} is selected",
                hint=f"pynats context unselect, or pynats context rm -f {name}",
            )
        from natscli.secrets.prompts import confirm, require_terminal

        require_terminal(environment, f"not removing context {name!r}", f"pynats context rm -f {name}")
        if not confirm(environment, f"Remove context {name!r}?"):
            environment.notice("not removed")
            return
    store.remove(name)
    environment.notice(f"removed context {name!r}")
