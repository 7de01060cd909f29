"""The Go CLI's JetStream options, which are refused in plain words instead of as mistyped ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from natscli.cli.options import F, option
from natscli.errors import InputError

#: Declarations of options; those of the second kind take a value.
FLAGS = {
    "subscribe": (
        ("--ack", "--all", "--new", "--last", "--last-per-subject", "-T --terminate-at-end", "--direct"),
        ("--durable", "--start-sequence", "--since", "--stream"),
    ),
    "publish": (
        ("-J --jetstream", "--atomic"),
        ("--schedule-after", "--schedule-at", "--schedule-cron", "--schedule-dest", "--schedule-every",
         "--schedule-source", "--schedule-ttl"),
    ),
}  # fmt: skip


def refuse_jetstream(command: str) -> Callable[[F], F]:
    """A decorator that adds the JetStream options of the Go CLI's `command`, hidden, and refuses each."""
    flags, valued = FLAGS[command]

    def decorate(function: F) -> F:
        for names, is_flag in [*((names, True) for names in flags), *((names, False) for names in valued)]:
            function = option(
                *names.split(), is_flag=is_flag, default=None, hidden=True, expose_value=False, is_eager=True,
                callback=_refuse, help="Not supported: pynats has no JetStream.",
            )(function)  # fmt: skip
        return function

    return decorate


def _refuse(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value is not None and not ctx.resilient_parsing:
        raise InputError("pynats has no JetStream", where=param.opts[-1])
