"""Whether contexts work: checked without connecting, and tried on their servers."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from natscli.connection.credentials import without_programs
from natscli.connection.options import plan
from natscli.contexts.checks import problems, validity_of
from natscli.contexts.format import secrets
from natscli.contexts.store import ContextStore
from natscli.environment import Environment
from natscli.errors import ConnectionFailedError, InputError, PynatsError, RefusedError, Report, explain
from natscli.settings import Settings, resolve
from natscli.system.signals import run

#: The server's own service that has the user and account of a connection (nats-server 2.10 and later).
_USER_INFO = "$SYS.REQ.USER.INFO"
#: Contexts whose credentials are asked for at the same time.
_MOST_THREADS = 32


class Account(NamedTuple):
    """The account of a connection: its identity, and its name where that is another and the server tells it."""

    identity: str = ""
    name: str = ""


@dataclass(frozen=True)
class Reached:
    """What is known of a server that accepted the connection: `url` is what was given, `rtt` is in seconds."""

    name: str
    version: str
    url: str
    rtt: float
    tls: str
    account: Account


@dataclass(frozen=True)
class ProbeResult:
    """Whether a context works: the server it reached if that was tried, or the problem."""

    server: Reached | None = None
    report: Report | None = None

    @property
    def ok(self) -> bool:
        """Whether no problem was found."""
        return self.report is None

    def as_json(self) -> dict[str, Any]:
        """The result for programs."""
        if self.report is not None:
            return {"ok": False, "error": self.report.message, "status": int(self.report.status)}
        assert self.server is not None
        found = self.server
        return {"ok": True, "server_name": found.name, "version": found.version, "url": found.url,
                "rtt_ns": round(found.rtt * 1e9), "tls": found.tls, "account": found.account.identity,
                "account_name": found.account.name}  # fmt: skip


def check(environment: Environment, flags: Mapping[str, Any], store: ContextStore, name: str) -> ProbeResult:
    """Everything that can be checked without connecting, with the verdict that connecting comes to."""
    try:
        context = store.load(name)
        environment.redactor.add(*secrets(context))
        found = problems(context, environment.environ)
        if found:
            raise InputError("; ".join(found))
        settings = context_settings(environment, flags, store, name)
        plan(without_programs(settings, environment.environ), environment.environ)
        expired = validity_of(context, environment.environ).problem(time.time())
        if expired:
            raise RefusedError(expired)
    except (PynatsError, OSError) as error:
        return ProbeResult(report=_redacted(environment, explain(error)))
    return ProbeResult()


def probe(
    environment: Environment, flags: Mapping[str, Any], store: ContextStore, names: Sequence[str]
) -> dict[str, ProbeResult]:
    """Connect with each context at the same time, each within its timeout, and disconnect."""

    async def all_of_them() -> list[ProbeResult]:
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
) -> ProbeResult:
    from natscli.connection.connect import connect

    try:
        settings = context_settings(environment, flags, store, name)
        # In a thread, because it may run `op` or `nsc`.
        prepared = await asyncio.to_thread(plan, settings, environment.environ)
        connection = await connect(prepared, environment)
        try:
            client = connection.client
            start = time.perf_counter()
            await connection.confirm()
            rtt = time.perf_counter() - start
            info = client.server_info
            return ProbeResult(
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
    return ProbeResult(report=_redacted(environment, report))


async def _account(client: Any, timeout: float) -> Account:
    """The account of the connection; nothing if the server or the permissions do not allow to ask."""
    try:
        answer = await client.request(_USER_INFO, b"", timeout=timeout)
        data = json.loads(answer.data)["data"]
        return Account(str(data["account"]), str(data.get("account_name", "")))
    except Exception:
        return Account()


def _redacted(environment: Environment, report: Report) -> Report:
    return Report(environment.redactor.redact(report.message), report.status, report.hint)
