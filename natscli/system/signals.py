"""How signals end a run: the first asks it to finish, the second cancels it, the third interrupts it; and its end."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, ClassVar, TypeVar

from natscli.errors import Terminated

T = TypeVar("T")
#: Seconds in which the event loop does what a signal asks for, unless something blocks it.
_PATIENCE = 0.5
#: Seconds within which several signals are one stop.
_ONE_STOP = 0.5
Receive = Callable[[int, "FrameType | None"], object]

#: The signals that ask a program to end, of those that this system has: Windows has no SIGHUP, only Windows SIGBREAK.
ENDING = tuple(
    number for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if (number := getattr(signal, name, None))
)


def on_end(handler: Callable[[int, FrameType | None], object]) -> dict[int, Any]:
    """Call `handler` for every signal that asks this program to end; gives the handlers it replaces.

    A SIGHUP that is ignored, as nohup has it, stays ignored.
    """
    ignored = {number for number in ENDING[2:] if signal.getsignal(number) == signal.SIG_IGN}
    return {number: signal.signal(number, handler) for number in ENDING if number not in ignored}


def on_stop(handler: Receive) -> dict[int, Any]:
    """Call `handler` as `on_end`, once for signals that come within half a second of each other.

    Programs such as `timeout`, supervisors and shells deliver one stop twice: to the process and to its group.
    """
    last = float("-inf")

    def receive(number: int, frame: FrameType | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _ONE_STOP:
            last = now
            handler(number, frame)

    return on_end(receive)


def when_done(end: Callable[[], object]) -> None:
    """From now on signals raise nothing: all is done but what takes a moment. When that takes longer, `end` is called.

    So the second of two signals that are one stop changes nothing, and nothing is shown of where it came.
    """
    began = time.monotonic()

    def receive(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        if time.monotonic() - began >= _ONE_STOP:
            end()

    on_end(receive)


def run_exit_functions() -> None:
    """Run what was registered with `atexit`, which `os._exit` does not; what a handler registered is among it."""
    import atexit

    atexit._run_exitfuncs()


def on_info(handler: Callable[[], object]) -> None:
    """Call `handler` in the running loop for every SIGUSR1; where there is none (Windows), never."""
    import asyncio

    number = getattr(signal, "SIGUSR1", None)
    if number is not None:
        loop = asyncio.get_running_loop()
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(handler))


def heed_children() -> None:
    """A SIGCHLD that is ignored is inherited; then the system does not say how a program ended: end that."""
    number = getattr(signal, "SIGCHLD", None)
    if number is not None and signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


def _interruption(number: int) -> KeyboardInterrupt:
    """What to raise after a signal, 0 for none: a KeyboardInterrupt that is `Terminated`, if it was not a Ctrl-C."""
    return KeyboardInterrupt() if number in (0, signal.SIGINT) else Terminated()


class Stop:
    """Calls `handler` in the running loop at the first signal of `ENDING`; the second cancels the current task.

    Signals that come within half a second of each other are one, see `on_stop`.
    A third is a KeyboardInterrupt. The second is none, because where it hits the loop between two steps one of them
    is lost, and the end may wait for it forever. It is one while something blocks the loop, such as a handler: then
    the first has had no effect. Set `blocking` when the task is about to block it, as for a slow terminal. `number` is
    the last signal that came, whichever object it came to.
    """

    number: ClassVar[int] = 0

    def __init__(
        self, handler: Callable[[], object] | None = None, install: Callable[[Receive], object] = on_stop
    ) -> None:
        """Without a handler the first signal cancels the current task. `install` has it called at each."""
        import asyncio

        task = asyncio.current_task()
        assert task is not None
        self.blocking = False
        self._loop = asyncio.get_running_loop()
        self._cancel = task.cancel
        self._handler = handler or task.cancel
        self._times = 0
        self._deadline = float("inf")
        install(self._receive)

    @classmethod
    def end_if_asked(cls) -> None:
        """For what waits in the loop, where nothing else heeds a signal: raise a KeyboardInterrupt if one has come."""
        if cls.number:
            raise _interruption(cls.number)

    def _receive(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        Stop.number = number
        self._times += 1
        blocked = self.blocking or time.monotonic() > self._deadline
        if self._times > 2 or (self._times > 1 and blocked) or self._loop.is_closed():
            raise _interruption(number)
        if self._times == 1:
            self._deadline = time.monotonic() + _PATIENCE
        self._loop.call_soon_threadsafe(self._finish if self._times == 1 else self._cancel)

    def _finish(self) -> None:
        self._deadline = float("inf")
        self._handler()


def run(
    work: Coroutine[Any, Any, T], *, precise: bool = False, install: Callable[[Receive], object] = on_stop
) -> T:
    """Run `work` in an event loop of its own. A signal cancels it, unless it makes a `Stop` of its own.

    With `precise` timers are not rounded up to milliseconds.

    Raises:
        KeyboardInterrupt: it was cancelled so; Terminated, if not by Ctrl-C.
    """
    import asyncio
    import gc

    from natscli.system.lazy import spare_ssl

    spare_ssl()
    # What was imported is no garbage. The rest is looked through often enough to hold up nothing for long.
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)

    async def main() -> T:
        Stop(install=install)
        return await work

    try:
        return _run_precisely(main()) if precise else asyncio.run(main())
    except asyncio.CancelledError:
        raise _interruption(Stop.number) from None


def _run_precisely(work: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run`, on `select`: it waits for microseconds, where `epoll` counts in milliseconds."""
    import asyncio
    import selectors
    import sys

    _wake_on_time()

    def new_loop() -> asyncio.AbstractEventLoop:
        return asyncio.SelectorEventLoop(selectors.SelectSelector())

    if sys.version_info >= (3, 11):
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(work)
    loop = new_loop()
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(work)
    finally:
        loop.close()


def _wake_on_time() -> None:
    """Linux lets a thread sleep 50 µs longer than asked for, to save power: not this one."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(29, 1, 0, 0, 0)  # PR_SET_TIMERSLACK, in nanoseconds
    except (ImportError, OSError, AttributeError, TypeError):
        pass  # another system, with timers of its own
