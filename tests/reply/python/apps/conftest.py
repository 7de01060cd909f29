"""What tests of whole files with handlers share: a server, a requester and `app`."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.asking import Asker
from tests.program import Program, Runner
from tests.servers import Server


@pytest.fixture
def server(server_factory: Callable[..., Server]) -> Server:
    """A server of the test's own: the subjects of an app are in its code."""
    return server_factory()


@pytest.fixture
def asker(server: Server) -> Iterator[Asker]:
    with Asker(server) as asker:
        yield asker


@pytest.fixture
def app(runner: Runner, server: Server) -> Callable[..., Program]:
    """`app(code, *options)` answers with a file `app.py` of that code."""

    def start(code: str, *options: str, **how: Any) -> Program:
        (runner.directory / "app.py").write_text(textwrap.dedent(code))
        how.setdefault("ready", "Listening on")
        return runner.spawn("reply", "--handler", "app.py", *options, server=server, **how)

    return start
