"""The contexts for Python programs: `natscli.connect("ngs")` and `natscli.load_context("ngs")`."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Coroutine, Generator, Mapping
from types import TracebackType
from typing import Any

from natscli.connection.connect import connect as connect_plan
from natscli.connection.options import prepare
from natscli.contexts.store import ContextStore
from natscli.environment import Environment
from natscli.errors import PynatsError
from natscli.settings import Settings, resolve
from natscli.wire.client import Client

_log = logging.getLogger("natscli")


def load_context(name: str | None = None, **overrides: Any) -> Settings:
    """The connection settings of a context, as `pynats` and the nats CLI use them.

    Args:
        name: the context; without one, NATS_CONTEXT, else the selected one, else none.
        overrides: settings to use instead, by their field names in `Settings`: `server="localhost"`,
            `timeout=2.0` (seconds), `creds="~/ngs.creds"`, ...; `no_context=True` for none, also if one is selected.

    Returns:
        Every setting as a `Value`: its `value` and its `source`. Environment variables (NATS_URL, ...) come before
        the context, `overrides` before both.

    Raises:
        natscli.InputError: no such context, a broken file, a bad value.
        TypeError: an override that is no setting, or of the wrong type.
    """
    _check(overrides)
    environment = Environment.current()
    return resolve(overrides, os.environ, ContextStore(environment.config_dir), context=name)


def _check(overrides: Mapping[str, object]) -> None:
    """Raises TypeError for what would silently not be used."""
    default = Settings()
    known: dict[str, object] = {name: getattr(default, name).value for name in default.field_names()}
    known["no_context"] = False
    for name, value in overrides.items():
        if name not in known:
            raise TypeError(f"no such setting: {name!r}; known settings: {', '.join(known)}")
        kinds = (str, int, float) if name == "timeout" else (type(known[name]),)
        if value is not None and not isinstance(value, kinds):
            raise TypeError(f"{name} must be a {kinds[-1].__name__}, not {value!r}")


def connect(name: str | None = None, *, reconnect: bool = True, **overrides: Any) -> Connecting:
    """A connected nats-py client for a context: enter it with `async with`, or await it.

    Args:
        name, overrides: see `load_context`.
        reconnect: go on trying, forever, when a connection that was made is lost.

    Returns:
        What gives the client, a `nats.aio.client.Client`: `async with` closes it at the end, `await` leaves that to
        you (`await client.drain()`). What the server refuses later (permissions, credentials when reconnecting) is
        logged by the logger `natscli`.

    Raises:
        natscli.InputError, TypeError: as `load_context`, or credentials that cannot be used.
        natscli.ConnectionFailedError: no server could be reached within the timeout.
        natscli.RefusedError: the server refused the credentials.

    Example:
        >>> import asyncio, natscli
        >>> async def main():
        ...     async with natscli.connect("local") as nc:
        ...         reply = await nc.request("help.please", b"I need help!", timeout=2)
        ...         print(reply.data.decode())
        >>> asyncio.run(main())  # doctest: +SKIP
        OK, I CAN HELP!!!
    """
    return Connecting(_connect(name, reconnect, overrides))


class Connecting(Coroutine[Any, Any, Client]):
    """A connection to be made: await it for the client, or enter it for one that is closed at the end."""

    def __init__(self, work: Coroutine[Any, Any, Client]) -> None:
        self._work = work

    def __await__(self) -> Generator[Any, Any, Client]:
        return self._work.__await__()

    def send(self, value: Any) -> Any:
        """See `Coroutine`."""
        return self._work.send(value)

    def throw(self, *error: Any) -> Any:
        """See `Coroutine`."""
        return self._work.throw(*error)

    def close(self) -> None:
        """See `Coroutine`."""
        self._work.close()

    async def __aenter__(self) -> Client:
        self._client = await self._work
        return self._client

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)


async def _connect(name: str | None, reconnect: bool, overrides: Mapping[str, Any]) -> Client:
    environment = Environment.current()
    environment.quiet, environment.color = True, "never"
    environment.sink = lambda line: _log.warning(line.decode().removeprefix("pynats: ").rstrip())
    settings = load_context(name, **overrides)
    environment.redactor.add(*settings.secrets)
    try:
        plan = await asyncio.to_thread(prepare, settings, environment)  # it may run `op` or `nsc`
        connection = await connect_plan(plan, environment, listener=reconnect)
    except PynatsError as error:
        error.what = environment.redactor.redact(error.what)
        error.where = environment.redactor.redact(error.where)
        raise
    connection.on_refusal = lambda error: _log.error(error.what)
    return connection.client
