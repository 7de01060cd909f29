"""`pynats context`: the table of its commands, each imported only when it runs."""

from __future__ import annotations

import click

from natscli.cli.groups import Group
from natscli.cli.options import connection_options

#: name -> (module, one line of help), as in `natscli.cli.root.COMMANDS`.
COMMANDS: dict[str, tuple[str, str]] = {
    "add": ("context_add", "Create a context, or change what is given of one."),
    "copy": ("context_add", "Copy a context under a new name."),
    "edit": ("context_edit", "Edit a context, also a broken one, in your editor."),
    "info": ("context_info", "Show a context and where its values come from."),
    "ls": ("context_ls", "List the known contexts."),
    "previous": ("context_select", "Select the context that was selected before."),
    "rm": ("context_rm", "Remove a context."),
    "select": ("context_select", "Select the context that is used by default."),
    "unselect": ("context_select", "Select no context."),
    "validate": ("context_validate", "Check one or all contexts."),
}

#: The names the Go CLI also knows.
ALIASES: dict[str, str] = {
    "create": "add",
    "save": "add",
    "cp": "copy",
    "vi": "edit",
    "show": "info",
    "view": "info",
    "v": "info",
    "list": "ls",
    "l": "ls",
    "-": "previous",
    "remove": "rm",
    "switch": "select",
    "set": "select",
}

EXAMPLES = """\b
Examples:
  pynats context add local -s 127.0.0.1 --select
  pynats context add ngs -s tls://connect.ngs.global --creds ~/ngs.creds
  pynats context validate --connect
  pynats ctx -                                     back to the one before
"""


@click.command(cls=Group, table=COMMANDS, aliases=ALIASES, epilog=EXAMPLES)
@connection_options
def context() -> None:
    """Manage contexts: named connection settings.

    They are the files of the nats CLI, below ~/.config/nats: what one writes the other reads.
    """
