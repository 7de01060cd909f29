"""Modules that are executed when something in them is first used."""

from __future__ import annotations

import ast
import asyncio.base_events
import functools
import importlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from natscli.system import lazy
from natscli.system.lazy import ANSWERS, LazyFinder, is_unused

#: Counts how often it is executed, slowly.
_CODE = """
import time
import builtins

builtins.executions = getattr(builtins, "executions", 0) + 1
early = "early"
time.sleep(0.05)
late = "late"
"""


class Annotated:
    """Has annotations, as text."""

    first: int
    second: list[str]


#: What the functions that lazy modules have an answer for are called with; None is without an argument.
GIVEN: dict[str, tuple[object, ...]] = {
    "iscoroutinefunction": (
        asyncio.sleep,
        asyncio.run,
        asyncio.Event().wait,
        functools.partial(asyncio.sleep, 1),
        5,
    ),
    "get_annotations": (lazy.LazyFinder, type, int, Annotated, functools.partial, functools.wraps),
    "system": (None,),
    "randbelow": (1 << 64,),
    "token_bytes": (None, 8),
    "token_hex": (None, 8),
}


@pytest.fixture
def name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module that can be imported and counts its executions in `builtins.executions`."""
    (tmp_path / "counted_module.py").write_text(_CODE)
    monkeypatch.syspath_prepend(tmp_path)
    yield "counted_module"
    sys.modules.pop("counted_module", None)
    vars(importlib.import_module("builtins")).pop("executions", None)


def executions() -> int:
    return int(vars(importlib.import_module("builtins")).get("executions", 0))


def imported(name: str) -> ModuleType:
    with LazyFinder([name]):
        return importlib.import_module(name)


def test_a_lazy_module_is_executed_once_at_its_first_use(name: str) -> None:
    module = imported(name)
    assert (is_unused(module), executions()) == (True, 0)
    assert module.__spec__ is not None
    assert module.__file__ == module.__spec__.origin
    assert importlib.import_module(name) is module
    assert executions() == 0
    assert (module.early, module.late, executions()) == ("early", "late", 1)
    assert type(module) is ModuleType
    assert type(module.__spec__.loader) is type(module.__loader__)
    assert type(module.__loader__).__module__.startswith("_frozen_importlib")
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nothing'"):
        module.nothing  # noqa: B018


def test_a_name_that_a_lazy_module_does_not_have_is_missing_as_in_any_other(name: str) -> None:
    module = imported(name)
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nothing'"):
        module.nothing  # noqa: B018
    assert executions() == 1


def test_importing_a_name_from_it_listing_it_and_setting_one_are_uses(name: str) -> None:
    with LazyFinder([name]):
        from counted_module import late  # type: ignore[import-not-found]
    assert (late, executions()) == ("late", 1)
    del sys.modules[name]
    assert "late" in dir(imported(name))
    del sys.modules[name]
    module = imported(name)
    module.late = "mine"  # type: ignore[attr-defined]
    assert (module.late, executions()) == ("mine", 3)


def test_threads_wait_for_the_one_that_executes_it(name: str) -> None:
    module = imported(name)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(module.late)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, executions()) == (["late"] * 8, 1)


def test_a_lazy_module_can_be_loaded_again(name: str) -> None:
    with LazyFinder([name]):
        module = importlib.import_module(name)
        assert module.late == "late"
        assert importlib.reload(module) is module
    assert executions() == 2


def test_one_whose_code_fails_fails_at_each_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_module.py").write_text("import natscli_of_another_world")
    monkeypatch.syspath_prepend(tmp_path)
    module = imported("broken_module")
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="natscli_of_another_world"):
            module.anything  # noqa: B018


def test_one_that_is_not_there_cannot_be_imported() -> None:
    with LazyFinder(["natscli_of_another_world"]), pytest.raises(ModuleNotFoundError):
        importlib.import_module("natscli_of_another_world")


def test_all_that_is_lazy_in_the_program_is_there_and_python() -> None:
    for module in map(importlib.import_module, lazy.OF_OTHERS):
        assert (module.__file__ or "").endswith(".py"), "a module in C is executed when it is made"


def test_after_the_end_modules_are_executed_when_they_are_imported(name: str) -> None:
    before = sys.meta_path[:]
    sys.meta_path.insert(0, LazyFinder([name]))
    lazy.end()
    assert sys.meta_path == before
    importlib.import_module(name)
    assert executions() == 1


@pytest.mark.parametrize(
    ("module", "name", "given"),
    [(m, n, a) for m, names in ANSWERS.items() for n in names for a in GIVEN[n]],
)
def test_what_a_lazy_module_answers_unexecuted_is_what_it_answers_executed(
    module: str, name: str, given: object
) -> None:
    arguments = () if given is None else (given,)
    lazily, really = (
        ANSWERS[module][name](*arguments),
        getattr(importlib.import_module(module), name)(*arguments),
    )
    if module == "secrets":
        assert type(lazily) is type(really)
        assert (
            (lazily < given and really < given) if name == "randbelow" else (len(lazily) == len(really) > 0)
        )
        assert lazily != ANSWERS[module][name](*arguments)
    else:
        assert lazily == really


def test_an_answer_is_no_use() -> None:
    code = "import platform, secrets, inspect; from secrets import token_hex; token_hex(4); platform.system()"
    lines = f"LazyFinder(OF_OTHERS).__enter__(); {code}; print([m for m in sys.modules if is_unused(sys.modules[m])])"
    start = "import sys; from natscli.system.lazy import OF_OTHERS, LazyFinder, is_unused; "
    done = subprocess.run([sys.executable, "-c", start + lines], capture_output=True, text=True, check=True)
    unused = {"inspect", "secrets"} | ({"platform"} if sys.platform == "linux" else set())
    assert unused <= set(ast.literal_eval(done.stdout))


#: A use of TLS by a program of which asyncio did without `ssl`.
_TLS = """
import sys
from natscli.system.lazy import OF_OTHERS, LazyFinder, is_unused, spare_ssl

LazyFinder(OF_OTHERS).__enter__()
import asyncio, socket
spare_ssl()

async def connect():
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.close()
    print(is_unused(sys.modules["ssl"]), asyncio.base_events.ssl)
    import ssl
    ssl.create_default_context()
    print(asyncio.base_events.ssl is ssl, is_unused(ssl), is_unused(asyncio.sslproto))
    server.close()
    plain = socket.socket()
    with ssl.create_default_context().wrap_socket(plain, server_hostname="localhost") as sock:
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", 1))
        except TypeError as error:
            print(error)

asyncio.run(connect())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="its event loop does not ask for ssl")
def test_asyncio_does_without_ssl_until_it_is_used() -> None:
    done = subprocess.run([sys.executable, "-c", _TLS], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "True None",
        "True False True",
        "Socket cannot be of type SSLSocket",
    ]


def test_asyncio_keeps_an_ssl_that_was_used() -> None:
    lazy.spare_ssl()
    assert vars(asyncio.base_events)["ssl"] is sys.modules["ssl"]
