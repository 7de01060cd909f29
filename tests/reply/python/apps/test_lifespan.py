"""What is entered before the first request and left after the last, and how it ends."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from natscli.reply.python.lifespan import Lifespan
from tests.asking import Asker
from tests.program import Program, Runner
from tests.servers import Server

LIFE = """
    from contextlib import contextmanager
    from natscli import endpoint
    import atexit
    atexit.register(print, "at exit")
    @contextmanager
    def lifespan():
        print("entered")
        yield {"a": 1}
        print("left")
    @endpoint("a")
    def answer(request): return request.state
    """


def test_a_lifespan_is_entered_before_and_left_after(app: Callable[..., Program], asker: Asker) -> None:
    program = app(LIFE)
    assert asker.ask("a", b"")[0].payload == b'{"a": 1}'
    assert program.stop() == 0
    log = program.stderr_text()
    order = [log.index(text) for text in ("entered", "Listening on", "left", "Answered 1 request", "at exit")]
    assert order == sorted(order)


def test_each_process_has_a_lifespan(app: Callable[..., Program], asker: Asker) -> None:
    program = app(LIFE, "--processes", "2", ready="processes answer")
    assert program.stop() == 0
    log = program.stderr_text()
    assert [log.count(text) for text in ("left", "at exit")] == [2, 2]


@pytest.mark.parametrize("kind", ["async def", "def"])
def test_a_lifespan_that_fails_is_an_error_with_its_line(runner: Runner, server: Server, kind: str) -> None:
    code = f"from natscli import endpoint\n@endpoint('a')\ndef f(r): pass\n{kind} lifespan():\n  1 / 0\n  yield\n"
    (runner.directory / "app.py").write_text(code)
    run = runner("reply", "--handler", "app.py", server=server)
    assert run.status == 1
    assert run.errors[0] == (
        "pynats: error: lifespan failed: ZeroDivisionError: division by zero (app.py:5: 1 / 0)"
    )


EXITS = """
    import asyncio
    import sys
    from natscli import endpoint
    @endpoint("plain")
    def plain(request):
        yield 1
        sys.exit(3)
    @endpoint("task")
    async def task(request):
        async def end(): sys.exit(3)
        asyncio.create_task(end())
    """


@pytest.mark.parametrize("processes", ["1", "2"])
@pytest.mark.parametrize("before", ["", "yield"])
def test_an_exit_in_a_lifespan_is_an_error_with_its_line(
    app: Callable[..., Program], runner: Runner, server: Server, before: str, processes: str
) -> None:
    code = "import sys\nfrom natscli import endpoint\n@endpoint('a')\ndef f(r): pass\n"
    code += f"def lifespan():\n  {before or '0'}\n  sys.exit(3)\n  {before or 'yield'}\n"
    if before:
        program = app(
            code, "--processes", processes, ready="Listening" if processes == "1" else "processes answer"
        )
        status, log = program.stop(), program.stderr_text()
    else:
        (runner.directory / "app.py").write_text(code)
        run = runner("reply", "--handler", "app.py", "--processes", processes, server=server)
        status, log = run.status, run.stderr
    assert status == 1, log
    assert "pynats: error: lifespan failed: SystemExit: 3 (app.py:7: sys.exit(3))" in log


@pytest.mark.parametrize("processes", ["1", "2"])
def test_an_exit_in_a_task_is_an_error_with_its_line(
    app: Callable[..., Program], asker: Asker, processes: str
) -> None:
    program = app(
        EXITS, "--processes", processes, ready="Listening" if processes == "1" else "processes answer"
    )
    asker.ask("task", b"")
    assert program.wait() == 1
    said = "the handler ended the run: SystemExit: 3 (app.py:11: async def end(): sys.exit(3))"
    assert f"pynats: error: a task or a callback of {said}" in program.stderr_text()


def test_an_exit_in_a_plain_generator_is_the_end_of_its_replies(
    app: Callable[..., Program], asker: Asker
) -> None:
    program = app(EXITS)
    asker.send("plain", b"")
    assert [answer.payload for answer in asker.receive(2)] == [b"1", b""]
    assert program.stop() == 0
    assert "SystemExit: 3 (app.py:8: sys.exit(3))" in program.stderr_text()


WAITING = """
    import asyncio
    from natscli import endpoint
    @endpoint("a")
    def answer(request): pass
    async def lifespan():
        {before}
        print("waits")
        try: await asyncio.sleep(1000)
        finally: print("cleaned up")
        {after}
    """


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_signal_interrupts_a_lifespan_that_starts(
    app: Callable[..., Program], processes: str, number: int
) -> None:
    code = WAITING.format(before="pass", after="yield")
    program = app(code, "--processes", processes, ready="waits")
    assert program.stop(number) == 130
    log = program.stderr_text()
    assert "cleaned up" in log
    assert log.endswith("pynats: error: interrupted\n")


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_second_signal_interrupts_a_lifespan_that_ends(app: Callable[..., Program], processes: str) -> None:
    code = WAITING.format(before="yield", after="pass")
    program = app(
        code, "--processes", processes, ready="Listening" if processes == "1" else "processes answer"
    )
    program.send_signal(signal.SIGTERM)
    program.wait_for("waits")
    assert program.stop() == 130
    assert "cleaned up" in program.stderr_text()


@pytest.mark.parametrize("is_async", [True, False])
def test_a_lifespan_that_takes_long_to_leave_is_said(is_async: bool) -> None:
    reminded = threading.Event()

    async def slow() -> AsyncIterator[None]:
        yield
        while not reminded.is_set():
            await asyncio.sleep(0.01)

    def blocking() -> Iterator[None]:
        yield
        assert reminded.wait(30)

    async def leave() -> None:
        lifespan = Lifespan(asynccontextmanager(slow) if is_async else contextmanager(blocking))
        await lifespan.enter()
        await lifespan.leave(lambda seconds: reminded.set() if seconds >= 0.01 else None, 0.01)

    asyncio.run(leave())
    assert reminded.is_set()
