"""An event loop in a thread, and objects of nats-py in it that both sync and async tests can use."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from natscli.errors import PynatsError
from natscli.system.waiting import within
from natscli.wire.nats_py import errors as nats_errors

T = TypeVar("T")

#: Seconds that a sync test waits for anything.
_PATIENCE = 60.0
#: Seconds in which a client connects to a server that runs again.
_AGAIN = 20.0


class Background:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="natscli-testing", daemon=True)
        self._thread.start()

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` gives; the thread that calls waits for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(_PATIENCE)

    def here(self, work: Coroutine[Any, Any, T]) -> Any:
        """What `work` gives, or, where an event loop runs, what can be awaited for it."""
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return future.result(_PATIENCE)
        return asyncio.wrap_future(future)

    def connected_again(self, client: Any, whose: str) -> None:
        """Wait until `client` is connected and subscribed to a server that runs again, unless it is closed.

        In the loop itself, where an async handler is called, nothing can be waited for.

        Raises:
            PynatsError: it is not, after some time, or never will be.
        """
        if threading.current_thread() is not self._thread:
            self.wait(_connected_again(client, whose))

    def close(self) -> None:
        """End what runs in it, and the thread."""
        with suppress(Exception):
            self.wait(_cancel_others())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)
        self.loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _connected_again(client: Any, whose: str) -> None:
    if client.is_closed:
        return
    how = "is closed now"
    try:
        await within(_AGAIN, _answered(client))
    except asyncio.TimeoutError:
        how = f"did not connect again within {_AGAIN:g}s"
    else:
        if not client.is_closed:
            return
    why = f": {client.last_error}" if client.last_error else ""
    raise PynatsError(f"nats-server runs again, but {whose} {how}{why}")


async def _answered(client: Any) -> None:
    """Wait until the server answers it, which has its subscriptions then; or until it is closed."""
    while not client.is_closed:
        try:
            await client.flush(_AGAIN)
            return
        except (OSError, nats_errors.Error):  # the connection is lost, or not made yet
            await asyncio.sleep(0.01)


class Bridged:
    """An object of nats-py that lives in another loop. Its coroutine methods can be awaited in async tests; in sync
    ones they wait and give the result. What they give is bridged too. `unbridged` is the object itself.
    """

    def __init__(self, unbridged: Any, background: Background) -> None:
        self.unbridged = unbridged
        self._background = background

    def __repr__(self) -> str:
        return repr(self.unbridged)

    def __getattr__(self, name: str) -> Any:
        return self._bridge(getattr(self.unbridged, name))

    def __aiter__(self) -> Bridged:
        return Bridged(aiter(self.unbridged), self._background)

    def __anext__(self) -> Any:
        return self._background.here(self._call(self.unbridged.__anext__, (), {}))

    def _bridge(self, value: Any) -> Any:
        if inspect.iscoroutinefunction(value):
            return lambda *args, **kwargs: self._background.here(self._call(value, args, kwargs))
        if inspect.ismethod(value):
            return lambda *args, **kwargs: self._bridge(value(*args, **kwargs))
        if inspect.isasyncgen(value) or _of_nats(value):
            return Bridged(value, self._background)
        return value

    async def _call(self, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        result = await method(*args, **kwargs)
        return [self._bridge(one) for one in result] if isinstance(result, list) else self._bridge(result)


def _of_nats(value: Any) -> bool:
    kind = type(value)
    return kind.__module__.split(".")[0] in ("nats", "natscli") and not isinstance(value, BaseException)
