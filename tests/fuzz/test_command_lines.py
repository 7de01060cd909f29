"""Command lines put together at random: each ends with a status that is documented, and one line says why.

They run in this process, with nothing at the server's address, so that nothing but the command line matters.
"""

from __future__ import annotations

import io
import os
import socket
from collections.abc import Iterator

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from natscli.cli.root import ALIASES, COMMANDS, cli, run
from natscli.environment import Environment
from natscli.errors import ExitStatus
from natscli.system import title
from tests.fuzz.examples import Odd, fuzz, odd

#: They start or wait for processes, go to another server, or write where a shell looks.
_LEFT_OUT = {"--processes", "--server", "-s", "--socks-proxy", "--reload", "--install"}
_WORDS = (
    "a",
    "a.b",
    "*",
    "OK",
    "{{Count}}",
    "nowhere",
    "-",
    "--",
    "",
    "local",
    "5s",
    "2",
    "Name:value",
    "'",
    "é",
)


def _options() -> list[str]:
    found: set[str] = set()

    def collect(command: click.Command) -> None:
        for param in command.params:
            found.update(name for name in (*param.opts, *param.secondary_opts) if name.startswith("-"))
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                child = command.get_command(context, name)
                assert child is not None
                collect(child)

    collect(cli)
    return sorted(found - _LEFT_OUT)


_OPTIONS = _options()
_COMMANDS = [
    name for name in (*COMMANDS, *ALIASES, "help", "version") if name not in ("server", "learn", "completion")
]
_SUB = [
    "ls",
    "add",
    "rm",
    "info",
    "select",
    "show",
    "copy",
    "rename",
    "validate",
    "edit",
    "previous",
    "ping",
    "stats",
]


def _goes_elsewhere(word: str) -> bool:
    """Whether it may name another server, or a file outside of the folder."""
    return "/" in word or (
        word.startswith("-") and not word.startswith("--") and "s" in word[1:] and word != "-s"
    )


def _line(odd: Odd) -> list[str]:
    def word() -> str:
        kind = odd.choice((_OPTIONS, _WORDS, _SUB, ()))
        return odd.choice(kind) if kind else odd.made_of(("5", "ms", "%", "..", "=", "{{", ":"), 4)

    command = odd.choice(_COMMANDS) if odd.random() < 0.9 else word()
    return [command, *(word for word in odd.some(word, 6) if not _goes_elsewhere(word))]


@pytest.fixture
def nowhere(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """An environment whose server refuses connections at once; the folder is this test's."""
    monkeypatch.chdir(str(tmp_path))
    monkeypatch.setattr(title, "hide", lambda arguments: None)  # it would hide arguments of the test run
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        yield {
            "NATS_URL": f"nats://127.0.0.1:{taken.getsockname()[1]}",
            "HOME": str(tmp_path),
            "XDG_CONFIG_HOME": str(tmp_path),
            "PATH": str(tmp_path),
            "EDITOR": "true",
        }


@fuzz
@given(line=odd(_line), stdin=st.sampled_from([b"", b"x", b"{}\n{}\n"]))
def test_a_command_line_ends_with_a_status_and_one_line(
    nowhere: dict[str, str], line: list[str], stdin: bytes
) -> None:
    out, err = io.BytesIO(), io.BytesIO()
    status = run(line, Environment(io.BytesIO(stdin), out, err, nowhere))
    assert status in set(ExitStatus)
    errors = [text for text in err.getvalue().decode().splitlines() if text.startswith("pynats: error: ")]
    assert len(errors) == (status != ExitStatus.OK), err.getvalue()
    unexpected = [name for name in ("Error: ", "Traceback", "Exception") for text in errors if name in text]
    assert not unexpected or "--trace" in line, errors
    assert os.getcwd() == nowhere["HOME"]
