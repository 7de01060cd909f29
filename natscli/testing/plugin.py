"""The pytest plugin: fixtures `nats_server`, `nats_url`, `nats_client`, `nats_reply`, `nats_recorded`.

It is loaded in every run of pytest where pynats is installed, so it imports nothing but pytest until a fixture is used.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from natscli.testing.background import Background, Bridged
    from natscli.testing.responder import TestResponder
    from natscli.testing.server import NatsServer

_SERVER = pytest.StashKey["NatsServer"]()
_RESPONDERS = pytest.StashKey["list[TestResponder]"]()
_MARK = "nats"
_MARK_TAKES = {"jetstream": bool, "config": str}


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker."""
    config.addinivalue_line(
        "markers",
        f"{_MARK}(jetstream=False, config=''): have nats_server with JetStream, or this configuration",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that is marked the server that it asks for; tests with the same share it."""
    mark = metafunc.definition.get_closest_marker(_MARK)
    if mark is None:
        return
    _check_mark(mark, metafunc.definition)
    if "nats_server" not in metafunc.fixturenames:
        return
    name = "jetstream" if mark.kwargs == {"jetstream": True} else "nats"
    metafunc.parametrize("nats_server", [mark.kwargs], indirect=True, scope="session", ids=[name])


def _check_mark(mark: pytest.Mark, test: pytest.Item) -> None:
    """Fail where the marker of `test` says what no server can be asked for."""
    wrong = [repr(value) for value in mark.args]
    wrong += [
        f"{name}={value!r}"
        for name, value in mark.kwargs.items()
        if name not in _MARK_TAKES or not isinstance(value, _MARK_TAKES[name])
    ]
    if wrong:
        said = f"@pytest.mark.{_MARK} takes jetstream=True or False, and config='TEXT'"
        file, line, _ = test.location
        where = f"{test.nodeid}, {file}:{(line or 0) + 1}"
        pytest.fail(f"{said}; not {', '.join(wrong)} ({where})", pytrace=False)


@pytest.fixture(scope="session")
def nats_server(request: pytest.FixtureRequest) -> Iterator[NatsServer]:
    """A real nats-server on a free port, for the whole run; with pytest-xdist each worker has its own.

    A test marked with `@pytest.mark.nats(jetstream=True)` gets one with JetStream, `config="..."` one with that
    configuration. What a test stopped or paused runs again for the next.
    """
    from natscli.testing.server import running

    with running(**getattr(request, "param", {})) as server:
        request.session.stash[_SERVER] = server
        yield server
        del request.session.stash[_SERVER]


@pytest.fixture
def nats_url(nats_server: NatsServer) -> str:
    """Where to connect: `nats://127.0.0.1:PORT`."""
    return nats_server.url


@pytest.fixture(scope="session")
def _nats_background() -> Iterator[Background]:
    from natscli.testing.background import Background

    background = Background()
    yield background
    background.close()


@contextmanager
def _waiting(request: pytest.FixtureRequest, wait: Callable[[], object]) -> Iterator[None]:
    """In the block, the server has started when `wait` returns."""
    server = request.session.stash.get(_SERVER, None)
    waiting = [] if server is None else server.on_start  # without one, somebody else says where to connect
    waiting.append(wait)
    yield
    waiting.remove(wait)


@pytest.fixture
def nats_client(
    request: pytest.FixtureRequest, nats_url: str, _nats_background: Background
) -> Iterator[Bridged]:
    """A connected nats-py client: await its methods in async tests, call them in sync ones."""
    from natscli.api import connect
    from natscli.testing.background import Bridged

    async def connected() -> Any:
        return await connect(server=nats_url, no_context=True)

    client = _nats_background.wait(connected())
    with _waiting(request, partial(_nats_background.connected_again, client, "nats_client")):
        yield Bridged(client, _nats_background)
    _nats_background.wait(client.close())


@pytest.fixture
def nats_reply(
    request: pytest.FixtureRequest, nats_url: str, _nats_background: Background
) -> Iterator[Callable[..., TestResponder]]:
    """Starts responders: `nats_reply("users.get", {"id": 1})`, `handler=function`, or `mock="rules.jsonl"`.

    The body is bytes, text, what JSON can hold, or a `natscli.Reply`. `requests` of a responder is what it was asked.
    """
    from natscli.testing.responder import TestResponder, responder_of

    responders: list[TestResponder] = request.node.stash.setdefault(_RESPONDERS, [])

    def start(subject: str | None = None, *body: Any, **how: Any) -> TestResponder:
        answering = responder_of(subject, *body, **how)
        responder = TestResponder(_nats_background, nats_url, subject, answering)
        responders.append(responder)
        return responder

    def wait() -> None:
        for responder in responders:
            responder.connected_again()

    with _waiting(request, wait):
        yield start
    for responder in responders:
        responder.close()


@pytest.fixture
def nats_recorded(nats_reply: Callable[..., TestResponder]) -> Callable[..., TestResponder]:
    """Starts what answers as recorded, on the subjects that were: `nats_recorded("session.jsonl")`."""

    def start(path: Any) -> TestResponder:
        replaying: TestResponder = nats_reply(mock=path)
        return replaying

    return start


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Have the server run that the test before has stopped or paused."""
    server = item.session.stash.get(_SERVER, None)
    if server is not None:
        server.resume()
        server.start()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what was asked and answered in the report of a test that failed."""
    report = yield
    responders = item.stash.get(_RESPONDERS, [])
    if report.when == "call" and report.failed and responders:
        from natscli.testing.report import shown

        report.sections.append(("NATS requests and replies", shown(responders)))
    return report
