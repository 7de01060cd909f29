"""`-` is standard input or output in options and arguments that name a file: only one of them can have each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from natscli.cli.options import CONNECTION_FILES, STDIN, FileName
from natscli.errors import InputError


def check_streams(ctx: click.Context, flags: Mapping[str, Any]) -> str:
    """What reads standard input: the name of the parameter, empty if none does. `flags` are those of the connection.

    Raises:
        InputError: two read standard input, or two write to standard output.
    """
    reading = [*_dashes(ctx, written=False), *_connection_dashes(flags)]
    writing = [*_dashes(ctx, written=True)]
    for names, do, stream in ((reading, "read", "standard input"), (writing, "write", "standard output")):
        if len(names) > 1 and names[0] == names[1]:
            raise InputError(f"- is {stream}, and can be given once", where=names[0].removesuffix(" -"))
        if len(names) > 1:
            raise InputError(f"{names[0]} and {names[1]} cannot both {do} {stream}")
    return reading[0] if reading else ""


def _dashes(ctx: click.Context, *, written: bool) -> Iterator[str]:
    """Those that `-` was given for, in the order of the command line; an argument as often as it was."""
    types = {param.name: param for param in ctx.command.params}
    for name, value in ctx.params.items():
        param = types.get(name)
        if param is None or not isinstance(param.type, FileName) or param.type.written is not written:
            continue
        shown = (
            f"{max(param.opts, key=len)} -" if param.param_type_name == "option" else param.make_metavar(ctx)
        )
        for one in value if isinstance(value, tuple) else (value,):
            if one == "-":
                yield shown


def _connection_dashes(flags: Mapping[str, Any]) -> Iterator[str]:
    for name in CONNECTION_FILES:
        if flags.get(name) == STDIN:
            yield f"--{name} -"
