"""Whether contexts work: checked without connecting, and tried on their servers."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from natscli.contexts.checks import problems
from natscli.contexts.format import secrets
from natscli.contexts.store import ContextStore
from natscli.duration import format_duration
from natscli.environment import Environment
from natscli.errors import ConnectionFailedError, InputError, PynatsError, Report, explain
from natscli.output.tables import Cell
from natscli.settings import Settings, resolve
from natscli.system.signals import run

#: The server's own service that has the user and account of a connection (nats-server 2.10 and later).
_USER_INFO = "$SYS.REQ.USER.INFO"
#: Contexts whose credentials are asked for at the same time.
_MOST_THREADS = 32


@dataclass(frozen=True)
class Reached:
    """What is known of a server that accepted the connection."""

    name: str
    version: str
    url: str
    rtt: float
    tls: str
    account: str


@dataclass(frozen=True)
class Result:
    """Whether a context works: the server it reached if that was tried, or the problem."""

    server: Reached | None = None
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

    def server_cells(self) -> tuple[str, ...]:
        """Name, version, RTT, TLS and account for a table; empty if none was reached."""
        if self.server is None:
            return ("", "", "", "", "")
        found = self.server
        return (found.name, found.version, format_duration(found.rtt), found.tls or "no", found.account)

    def as_json(self) -> dict[str, Any]:
        """The result for programs."""
        if self.report is not None:
            return {"ok": False, "error": self.report.message, "status": int(self.report.status)}
        assert self.server is not None
        found = self.server
        return {"ok": True, "server_name": found.name, "version": found.version, "url": found.url,
                "rtt_ns": round(found.rtt * 1e9), "tls": found.tls, "account": found.account}  # fmt: skip


def check(environment: Environment, flags: Mapping[str, Any], store: ContextStore, name: str) -> Result:
    """Everything that can be checked without connecting."""
    try:
        context = store.load(name)
        environment.redactor.add(*secrets(context))
        found = problems(context, environment.environ)
        if found:
            raise InputError("; ".join(found))
        _ = context_settings(environment, flags, store, name).servers
    except (PynatsError, OSError) as error:
        return Result(report=_redacted(environment, explain(error)))
    return Result()


def probe(
    environment: Environment, flags: Mapping[str, Any], store: ContextStore, names: Sequence[str]
) -> dict[str, Result]:
    """Connect with each context at the same time, each within its timeout, and disconnect."""

    async def all_of_them() -> list[Result]:
        from natscli.connection.connect import leave_threads_behind

        leave_threads_behind(_MOST_THREADS)  # `op` or `nsc` may take long
        # nats-py's and asyncio's notices are about connections that this function reports on itself.
        asyncio.get_running_loop().set_exception_handler(lambda loop, details: None)
        return await asyncio.gather(*(_probe_one(environment, flags, store, name) for name in names))

    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        return dict(zip(names, run(all_of_them()), strict=True))
    finally:
        logging.disable(before)


def context_settings(
    environment: Environment, flags: Mapping[str, Any], store: ContextStore, name: str
) -> Settings:
    """The settings of the context itself: only flags and NATS_TIMEOUT may change them, as this is a test of it."""
    environ = {k: v for k, v in environment.environ.items() if k == "NATS_TIMEOUT"}
    return resolve(flags, environ, store, context=name)


async def _probe_one(
    environment: Environment, flags: Mapping[str, Any], store: ContextStore, name: str
) -> Result:
    from natscli.connection.connect import connect
    from natscli.connection.options import plan

    try:
        settings = context_settings(environment, flags, store, name)
        # In a thread, because it may run `op` or `nsc`.
        prepared = await asyncio.to_thread(plan, settings, environment.environ)
        connection = await connect(prepared, environment)
        try:
            client = connection.client
            start = time.perf_counter()
            await client.flush(timeout=prepared.timeout)
            rtt = time.perf_counter() - start
            info = client.server_info
            return Result(
                Reached(
                    name=str(info.get("server_name", "")),
                    version=str(info.get("version", "")),
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
    return Result(report=_redacted(environment, report))


async def _account(client: Any, timeout: float) -> str:
    """The account of the connection, empty if the server or the permissions do not allow to ask."""
    try:
        answer = await client.request(_USER_INFO, b"", timeout=timeout)
        return str(json.loads(answer.data)["data"]["account"])
    except Exception:
        return ""


def _redacted(environment: Environment, report: Report) -> Report:
    return Report(environment.redactor.redact(report.message), report.status, report.hint)
