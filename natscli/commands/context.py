"""`pynats context`: the table of its commands, each imported only when it runs."""

from __future__ import annotations

import click

from natscli.cli.groups import Group
from natscli.cli.options import connection_options

#: name -> (module, one line of help), as in `natscli.cli.root.COMMANDS`.
COMMANDS: dict[str, tuple[str, str]] = {
    "add": ("context_add", "Create a context, or change its settings."),
    "copy": ("context_add", "Copy a context under a new name."),
    "edit": ("context_edit", "Edit a context in your editor."),
    "info": ("context_info", "Show a context and where its values come from."),
    "ls": ("context_ls", "List contexts."),
    "previous": ("context_select", "Select the previously selected context."),
    "rename": ("context_rename", "Rename a context."),
    "rm": ("context_rm", "Remove a context."),
    "select": ("context_select", "Select the context to use by default."),
    "unselect": ("context_select", "Select no context."),
    "validate": ("context_validate", "Check one or all contexts."),
}

#: The other names in the Go CLI, and `current`, `mv` and `use`, which people type.
ALIASES: dict[str, str] = {
    "create": "add",
    "save": "add",
    "cp": "copy",
    "vi": "edit",
    "show": "info",
    "view": "info",
    "v": "info",
    "current": "info",
    "list": "ls",
    "l": "ls",
    "-": "previous",
    "remove": "rm",
    "mv": "rename",
    "use": "select",
    "switch": "select",
    "set": "select",
}


@click.command(
    cls=Group,
    table=COMMANDS,
    aliases=ALIASES,
    examples={
        "pynats context add local -s 127.0.0.1 --select": "save a server",
        "pynats context add prod -s prod.example.com --creds me.creds": "save credentials",
        "pynats context validate --connect": "try all",
        "pynats context -": "select the one before",
    },
)
@connection_options
def context() -> None:
    """Manage contexts: named connection settings.

    Contexts are shared with the nats CLI: both read and write the files below ~/.config/nats.
    """
