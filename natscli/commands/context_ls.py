"""`pynats context ls`."""

from __future__ import annotations

import click

from natscli.cli.groups import Command
from natscli.cli.options import App, connection_options, option, pass_app
from natscli.contexts.format import Context, redact_urls
from natscli.contexts.shown import as_json, to_json
from natscli.contexts.store import ContextStore
from natscli.environment import Environment
from natscli.errors import InputError, explain
from natscli.output.tables import Screen, show_table
from natscli.text import visible_line


@click.command(
    cls=Command,
    examples={
        "pynats context ls": "a table",
        "pynats context ls --json | jq -r .[].url": "every setting, as JSON",
    },
)
@option(
    "-j",
    "--json",
    "as_objects",
    is_flag=True,
    common=True,
    help="Write every setting as JSON; secrets are masked.",
)
@option("--names", is_flag=True, common=True, help="Write the names only, one per line.")
@connection_options
@pass_app
def ls(app: App, as_objects: bool, names: bool) -> None:
    """List contexts.

    The selected one is marked with '*'.
    """
    environment = app.environment
    store = ContextStore(environment.config_dir, environment.warn)
    selected = store.selected()
    contexts = _loaded(store, environment)
    if selected is not None and selected not in store.names():
        environment.warn(f"the selected context {selected!r} does not exist: pynats context unselect")
    if as_objects:
        records = [as_json(n, c, selected=n == selected) for n, c in contexts.items()]
        environment.out(to_json(records, ascii_only=environment.stdout.isatty()))
    elif names:
        shown = visible_line if environment.stdout.isatty() else str
        environment.out("".join(f"{shown(name)}\n" for name in contexts))
    elif not contexts:
        environment.notice("no contexts: pynats context add NAME --server URL")
    else:
        rows = [
            (f"{name}*" if name == selected else name, context.description, redact_urls(context.url))
            for name, context in contexts.items()
        ]
        environment.out(
            show_table("Contexts", ("Name", "Description", "Server"), rows, Screen.of(environment))
        )


def _loaded(store: ContextStore, environment: Environment) -> dict[str, Context]:
    """Every context that can be read, by name; a line on stderr for each that cannot."""
    contexts = {}
    for name in store.names():
        try:
            contexts[name] = store.load(name)
        except (InputError, OSError) as error:
            report = explain(error)
            hint = f": {report.hint}" if report.hint else ""
            environment.warn(f"cannot read context {name!r}: {report.message}{hint}")
    return contexts
