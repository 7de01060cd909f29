"""`pynats reply --handler --reload`, edited while requests come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from natscli.system.installing import extra_command
from tests.asking import Asker
from tests.program import Program, Runner
from tests.servers import Server

pytestmark = pytest.mark.skipif(
    find_spec("watchfiles") is None, reason="--reload needs watchfiles, which the extra reload installs"
)


@pytest.fixture
def serve(runner: Runner, asker: Asker, tmp_path: Path) -> Callable[..., Program]:
    def serve(spec: str = "calc.py:answer", *options: str) -> Program:
        return runner.spawn("reply", tmp_path.name, "--handler", spec, "--reload", *options, server=asker.url)

    return serve


def save(file: Path, text: str) -> None:
    """Replace a file at once: nobody reads a part of it."""
    beside = file.with_name(f".{file.name}")
    beside.write_text(text)
    beside.replace(file)


def seconds_until(answer: Callable[[], bytes], expected: bytes) -> float:
    began = time.monotonic()
    while answer() != expected:
        assert time.monotonic() - began < 30
        time.sleep(0.01)
    return time.monotonic() - began


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_an_edit_is_live_in_under_a_second(
    serve: Callable[..., Program], runner: Runner, asker: Asker, tmp_path: Path, kind: str
) -> None:
    file = runner.directory / "calc.py"
    file.write_text(f"{kind} answer(r): return b'1'\n")
    program = serve()
    took = []
    for number in range(2, 5):  # a busy machine gets three tries
        file.write_text(f"{kind} answer(r): return b'{number}'\n")
        took.append(seconds_until(lambda: asker.ask(tmp_path.name, b"")[0].payload, b"%d" % number))
    assert min(took) < 1
    program.wait_for("Reloaded calc.py")


def test_ten_edits_of_which_two_are_broken_lose_no_request(
    serve: Callable[..., Program], runner: Runner, nats_server: Server, asker: Asker, tmp_path: Path
) -> None:
    file = runner.directory / "calc.py"
    file.write_text("async def answer(r): return b'0'\n")
    program = serve()
    over = threading.Event()
    payloads: list[bytes] = []

    def ask() -> None:
        with Asker(nats_server) as other:
            while not over.is_set():
                answers = other.ask(tmp_path.name, *[b""] * 10)
                payloads.extend(answer.payload for answer in answers if not answer.header)

    thread = threading.Thread(target=ask)
    thread.start()
    good = b"0"
    for number in range(1, 11):
        if number in (4, 8):
            save(file, "async def answer(r: return\n" if number == 4 else "def another(r): pass\n")
            program.wait_for("calc.py:1: SyntaxError" if number == 4 else "calc.py has no function 'answer'")
        else:
            good = b"%d" % number
            save(file, f"async def answer(r): return b'{number}'\n")
        seconds_until(lambda: asker.ask(tmp_path.name, b"")[0].payload, good)
    over.set()
    thread.join()
    assert set(payloads) == {b"%d" % number for number in range(11) if number not in (4, 8)}
    assert len(payloads) % 10 == 0  # each request was answered, and none with an error
    assert program.stop() == 0
    assert program.stderr_text().count("not reloaded, the code before stays: ") == 2


def test_requests_are_answered_while_the_new_code_is_imported(
    serve: Callable[..., Program], runner: Runner, asker: Asker, tmp_path: Path
) -> None:
    file = runner.directory / "calc.py"
    file.write_text("def answer(r): return b'old'\n")
    program = serve()
    file.write_text("import time\nprint('importing')\ntime.sleep(1)\ndef answer(r): return b'new'\n")
    program.wait_for("importing")
    assert asker.ask(tmp_path.name, b"")[0].payload == b"old"
    seconds_until(lambda: asker.ask(tmp_path.name, b"")[0].payload, b"new")


def test_requests_that_wait_are_answered_by_the_function_of_when_they_came(
    serve: Callable[..., Program], runner: Runner, asker: Asker, tmp_path: Path
) -> None:
    file, go = runner.directory / "calc.py", runner.directory / "go"
    file.write_text(
        "import asyncio, os\nasync def answer(r):\n"
        "    while not os.path.exists('go'): await asyncio.sleep(0.01)\n    return b'async'\n"
    )
    program = serve("calc.py:answer", "--concurrency", "1")
    asker.send(tmp_path.name, b"runs", b"waits")
    program.wait_for("[#1]")
    file.write_text("def answer(r): return b'plain'\n")
    program.wait_for("Reloaded calc.py")
    go.touch()
    assert [answer.payload for answer in asker.receive(2)] == [b"async"] * 2
    assert asker.ask(tmp_path.name, b"")[0].payload == b"plain"
    assert program.stop() == 0
    assert "error" not in program.stderr_text().replace("0 errors", "")


def test_an_edit_before_the_folder_is_watched_is_seen(
    runner: Runner, server_factory: Callable[..., Server]
) -> None:
    server = server_factory()
    server.stop()
    file = runner.directory / "calc.py"
    file.write_text("def answer(r): return b'old'\n")
    program = runner.spawn(
        "reply", "x", "--handler", "calc.py:answer", "--reload", "--wait", "30s", server=server,
        ready="Waiting ",
    )  # fmt: skip
    file.write_text("def answer(r): return b'new'\n")
    server.start()
    program.wait_for("Reloaded calc.py")
    with Asker(server) as asker:
        assert asker.ask("x", b"")[0].payload == b"new"
    time.sleep(1.2)  # two more looks at the files
    assert program.stop() == 0
    assert program.stderr_text().count("Reloaded") == 1


def test_what_the_handler_imports_is_watched_too(
    serve: Callable[..., Program], runner: Runner, asker: Asker, tmp_path: Path
) -> None:
    package = runner.directory / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "prices.py").write_text("TEA = 2\n")
    (package / "answers.py").write_text("from shop.prices import TEA\ndef answer(r): return TEA\n")
    serve("shop.answers:answer")
    assert asker.ask(tmp_path.name, b"")[0].payload == b"2"
    (package / "prices.py").write_text("TEA = 3\n")
    seconds_until(lambda: asker.ask(tmp_path.name, b"")[0].payload, b"3")


def test_reload_needs_a_handler(runner: Runner) -> None:
    run = runner("reply", "x", "--reload", server="nats://127.0.0.1:1")
    assert (run.status, run.errors[0]) == (2, "pynats: error: --reload needs --handler or --mock")


def test_without_watchfiles_the_extra_is_named(runner: Runner, tmp_path: Path) -> None:
    (runner.directory / "calc.py").write_text("def answer(r): return b''\n")
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['watchfiles'] = None\n")
    run = runner("reply", "x", "--handler", "calc.py:answer", "--reload", env={"PYTHONPATH": str(tmp_path)},
                 server="nats://127.0.0.1:1")  # fmt: skip
    assert run.status == 2
    assert run.errors == [
        "pynats: error: watching files needs the package watchfiles (--reload)",
        f"  hint: {extra_command('reload')}",
    ]
