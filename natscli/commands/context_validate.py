"""`pynats context validate`, and trying contexts on their servers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from natscli.cli import Command
from natscli.commands.context_ls import screen
from natscli.contexts.checks import problems
from natscli.contexts.format import secrets
from natscli.contexts.store import ContextStore
from natscli.duration import format_duration
from natscli.errors import ConnectionFailedError, ExitStatus, InputError, PynatsError, Report, explain
from natscli.output.contexts import Cell, show_table
from natscli.params import App, ask_and_hide, complete_contexts, connection_options, option, pass_app
from natscli.settings import Settings, resolve

#: The server's own service that tells who a connection is (nats-server 2.10 and later).
_USER_INFO = "$SYS.REQ.USER.INFO"


@dataclass(frozen=True)
class Server:
    """What a server that took the connection tells."""

    name: str
    version: str
    url: str
    rtt: float
    tls: str
    account: str


@dataclass(frozen=True)
class Result:
    """Whether a context works: the server it reached if that was tried, or the problem."""

    server: Server | None = None
    report: Report | None = None

    @property
    def ok(self) -> bool:
        """Whether no problem was found."""
        return self.report is None

    def rows(self) -> list[tuple[str, Cell]]:
        """Labels and values for `info`."""
        if self.server is None:
            return [("Connection", self.cell())]
        found = self.server
        values = {
            "Connection": f"OK, {found.url}",
            "Server": f"{found.name} {found.version}",
            "RTT": format_duration(found.rtt),
            "TLS": found.tls or "no",
            "Account": found.account,
        }
        return [(label, Cell(text, True)) for label, text in values.items() if text]

    def cell(self) -> Cell:
        """`OK`, or the problem."""
        return Cell("OK", True) if self.report is None else Cell(self.report.message, False)

    def as_json(self) -> dict[str, Any]:
        """The result for programs."""
        if self.report is not None:
            return {"ok": False, "error": self.report.message, "status": int(self.report.status)}
        assert self.server is not None
        found = self.server
        return {"ok": True, "server_name": found.name, "version": found.version, "url": found.url,
                "rtt_ns": round(found.rtt * 1e9), "tls": found.tls, "account": found.account}  # fmt: skip


@click.command(cls=Command, short_help="Check one or all contexts.")
@click.argument("name", required=False, shell_complete=complete_contexts)
@option("--connect", "try_them", is_flag=True, help="Connect with each, all at the same time.")
@connection_options
@pass_app
def validate(app: App, name: str | None, try_them: bool) -> int:
    """Check the context NAME, or all: the file, the credentials it names, and with --connect the server.

    Exits with the status of the first context that has a problem.
    """
    environment = app.environment
    store = ContextStore(environment.config_dir)
    names = [name] if name is not None else _all_names(store)
    if not names:
        environment.note("no known contexts")
        return ExitStatus.OK
    results = {each: check(app, store, each) for each in names}
    if try_them:
        results.update(probe(app, store, [each for each in names if results[each].ok]))
    headers = ["Context", *(("Server", "Version", "RTT", "TLS", "Account") if try_them else ()), "Result"]
    rows: list[list[Cell | str]] = []
    for each, result in results.items():
        rows.append([each, *(_server_cells(result) if try_them else ()), result.cell()])
    environment.out(show_table("Contexts", headers, rows, screen(environment)))
    bad = [result.report for result in results.values() if result.report is not None]
    if not bad:
        return ExitStatus.OK
    environment.error(Report(f"{len(bad)} of {len(names)} contexts cannot be used", bad[0].status))
    return bad[0].status


def check(app: App, store: ContextStore, name: str) -> Result:
    """Everything that can be checked without connecting."""
    try:
        context = store.load(name)
        app.environment.redactor.add(*secrets(context))
        found = problems(context, app.environment.environ)
        if found:
            raise InputError("; ".join(found))
        _ = _settings(app, store, name).servers
    except (PynatsError, OSError) as error:
        return Result(report=_redacted(app, explain(error)))
    return Result()


def probe(app: App, store: ContextStore, names: Sequence[str]) -> dict[str, Result]:
    """Connect with each context at the same time, each within its timeout, and disconnect."""
    ask_and_hide(app)

    async def all_of_them() -> list[Result]:
        # nats-py's and asyncio's notices are about connections that this function reports on itself.
        asyncio.get_running_loop().set_exception_handler(lambda loop, details: None)
        return await asyncio.gather(*(_probe_one(app, store, name) for name in names))

    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        return dict(zip(names, asyncio.run(all_of_them()), strict=True))
    finally:
        logging.disable(before)


def _settings(app: App, store: ContextStore, name: str) -> Settings:
    """The settings of the context itself: only flags and NATS_TIMEOUT may change them, as this is a test of it."""
    environ = {k: v for k, v in app.environment.environ.items() if k == "NATS_TIMEOUT"}
    return resolve(app.flags, environ, store, context=name)


async def _probe_one(app: App, store: ContextStore, name: str) -> Result:
    from natscli.connection import connect, plan

    try:
        settings = _settings(app, store, name)
        # In a thread, because it may run `op` or `nsc`.
        prepared = await asyncio.to_thread(plan, settings, app.environment.environ)
        connection = await connect(prepared, app.environment)
        try:
            client = connection.client
            start = time.perf_counter()
            await client.flush(timeout=prepared.timeout)
            rtt = time.perf_counter() - start
            told = client.server_info
            return Result(
                Server(
                    name=str(told.get("server_name", "")),
                    version=str(told.get("version", "")),
                    url=connection.url,
                    rtt=rtt,
                    tls=client.tls_version,
                    account=await _account(client, min(1.0, prepared.timeout)),
                )
            )
        finally:
            await connection.close()
    except asyncio.TimeoutError:
        report = explain(ConnectionFailedError("the server does not answer"))
    except Exception as error:
        report = explain(error)
    return Result(report=_redacted(app, report))


async def _account(client: Any, timeout: float) -> str:
    """The account of the connection, empty if the server or the permissions do not let us know."""
    import json

    try:
        answer = await client.request(_USER_INFO, b"", timeout=timeout)
        return str(json.loads(answer.data)["data"]["account"])
    except Exception:
        return ""


def _server_cells(result: Result) -> tuple[str, ...]:
    if result.server is None:
        return ("", "", "", "", "")
    found = result.server
    return (found.name, found.version, format_duration(found.rtt), found.tls or "no", found.account)


def _all_names(store: ContextStore) -> list[str]:
    """Every context, and the selected one even if it is gone."""
    names, selected = store.names(), store.selected()
    return names if selected is None or selected in names else [*names, selected]


def _redacted(app: App, report: Report) -> Report:
    return Report(app.environment.redactor.redact(report.message), report.status, report.hint)
