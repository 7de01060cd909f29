"""`pynats context add` and `pynats context copy`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from natscli.cli.groups import Command
from natscli.cli.options import (
    STDIN,
    App,
    ask_and_hide,
    complete_contexts,
    connection_options,
    option,
    pass_app,
)
from natscli.commands.context_select import report_selected
from natscli.contexts import changes, names
from natscli.contexts.checks import problems
from natscli.contexts.credentials import scheme_of
from natscli.contexts.format import Context, secrets, split_urls
from natscli.contexts.kinds import Holds, keys
from natscli.contexts.store import ContextStore
from natscli.contexts.urls import complete_url
from natscli.errors import InputError
from natscli.settings import CONTEXT_KEYS

F = TypeVar("F", bound=Callable[..., Any])

#: The colour schemes of the Go CLI's tables.
_SCHEMES = ("blue", "cyan", "double", "green", "magenta", "red", "rounded", "yellow")

_NOT_KEPT = ("timeout", "connection_name")


def _saving_options(command: F) -> F:
    decorators = (
        option("--description", metavar="TEXT", common=True, help="Describe the context."),
        option(
            "--select", "then_select", is_flag=True, common=True, help="Select it, to be used by default."
        ),
        option(
            "--embed", is_flag=True, common=True, help="Save the contents of credential files in the context."
        ),
        option("--js-domain", "jetstream_domain", metavar="DOMAIN", help="Set the JetStream domain."),
        option(
            "--js-api-prefix",
            "jetstream_api_prefix",
            metavar="PREFIX",
            help="Set the prefix of the JetStream API.",
        ),
        option(
            "--js-event-prefix",
            "jetstream_event_prefix",
            metavar="PREFIX",
            help="Set the prefix of JetStream events.",
        ),
        option(
            "--colors",
            "color_scheme",
            type=click.Choice(_SCHEMES),
            help="Set the table style of the nats CLI.",
        ),
    )
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


@click.command(
    cls=Command,
    examples={
        "pynats context add local -s 127.0.0.1 --select": "save a server, and select it",
        "pynats context add ngs -s tls://connect.ngs.global --creds ~/ngs.creds": "with credentials",
        "pynats context add local --description 'My machine'": "change one setting",
        "pynats context add local --token ''": "clear one",
    },
)
@click.argument("name", shell_complete=complete_contexts)
@_saving_options
@connection_options
@pass_app
def add(app: App, /, name: str, then_select: bool, embed: bool, **texts: str | None) -> None:
    """Create a context, or change its settings.

    The connection options are saved in the context NAME. In an existing context only the given settings change; an
    empty value clears a setting. With --context, a new context starts as a copy of that one.

    Credentials can be references, resolved on each use: a path or file://PATH, env://NAME, op://VAULT/ITEM/FIELD
    (1Password), nsc://OPERATOR/ACCOUNT/USER.
    """
    store = ContextStore(app.environment.config_dir, app.environment.warn)
    known = store.exists(name)
    source = app.flags.get("context")
    if source and known:
        app.environment.warn(f"context {name!r} exists: --context applies to new contexts only")
    start = store.load(source) if source and not known else None
    given = _given(app, texts)
    if then_select:
        store.selected()  # what cannot be read cannot be changed: nothing is saved then

    def change(existing: Context | None) -> Context:
        return _changed(app, existing or start, given, embed)

    _finish(app, store, name, store.update(name, change), then_select)


@click.command(
    cls=Command,
    examples={
        "pynats context copy local staging -s staging.example.com": "with another server",
        "pynats context cp prod prod-tls --tlsca ca.pem": "with TLS",
    },
)
@click.argument("source", shell_complete=complete_contexts)
@click.argument("name")
@_saving_options
@connection_options
@pass_app
def copy(app: App, /, source: str, name: str, then_select: bool, embed: bool, **texts: str | None) -> None:
    """Copy a context under a new name.

    The copy of SOURCE is called NAME. Connection options change its settings.
    """
    store = ContextStore(app.environment.config_dir, app.environment.warn)
    start = store.load(source)
    given = _given(app, texts)
    if then_select:
        store.selected()

    def change(existing: Context | None) -> Context:
        if existing is not None and name == source:
            hint = f"{names.command('add', name)} with these options changes it" if given else ""
            raise InputError(f"context {name!r} has that name already", hint=hint)
        if existing is not None:
            raise InputError(f"context {name!r} exists already", hint=names.command("rm", name))
        return _changed(app, start, given, embed)

    _finish(app, store, name, store.update(name, change), then_select)


def _given(app: App, texts: Mapping[str, str | None]) -> dict[str, Any]:
    """The keys of the context file that the options set; a password or token of `-` is asked for."""
    ask_and_hide(app)
    for url in split_urls(app.flags.get("server") or ""):
        if url.strip():
            complete_url(url, "--server")
    for flag in _NOT_KEPT:
        if app.flags.get(flag):
            app.environment.warn(f"--{flag.replace('_', '-')} is not saved in contexts")
    given = {CONTEXT_KEYS[flag]: value for flag, value in app.flags.items() if flag in CONTEXT_KEYS}
    given.update((key, text) for key, text in texts.items() if text is not None)
    app.environment.redactor.add(*secrets(Context(**given)))
    for key in (*keys(Holds.FILE), "cert", "key", "ca"):
        value = given.get(key)
        # A path relative to where this command ran would mean nothing to the next one.
        if value and not scheme_of(value) and os.path.isfile(value):
            given[key] = os.path.abspath(value)
    return given


def _changed(app: App, existing: Context | None, given: Mapping[str, Any], embed: bool) -> Context:
    context, notes = changes.apply(existing, given)
    kept = changes.embed(context, app.environment.environ) if embed else context
    options = {key: option for option, key in CONTEXT_KEYS.items()}
    for key in (*keys(Holds.FILE), "cert", "key", "ca"):
        if getattr(kept, key) == STDIN:
            hint = "--embed keeps what it reads" if key in keys(Holds.FILE) else ""
            raise InputError("a context cannot keep standard input", where=f"--{options[key]}", hint=hint)
    for note in notes:
        app.environment.notice(note)
    return kept


def _finish(app: App, store: ContextStore, name: str, context: Context, then_select: bool) -> None:
    environment = app.environment
    environment.redactor.add(*secrets(context))
    environment.notice(f"saved context {name!r} in {store.path(name)}")
    for problem in problems(context, environment.environ):
        environment.warn(f"context {name!r}: {problem}")
    if then_select:
        store.select(name)
        report_selected(app, store)
