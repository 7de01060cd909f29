"""What is typed out of habit: options of other tools, subjects in place of commands, files in place of subjects."""

from __future__ import annotations

import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from natscli import __version__
from natscli.cli.versions import versions
from natscli.errors import PynatsError
from tests.program import Program, Runner
from tests.servers import Server

_SENT = "the payload is the argument after SUBJECT; --body-file FILE sends a file"
_QUEUE = "-q is --queue GROUP here; --quiet writes no log"
_TRACE = "--trace logs more; -v is --verbose of request, reply, watch and server run"

HABITS: dict[str, tuple[str, str]] = {
    "request x -d y": ("no such option '-d'", _SENT),
    "request x --data=y": ("no such option '--data'", _SENT),
    "publish x --data-binary @y": ("no such option '--data-binary'", _SENT),
    "reply x -d y": ("no such option '-d'", "the body of replies is the argument after SUBJECT"),
    "request x y -q": ("no such option '-q'", "--quiet writes no log; -q is --queue of reply and subscribe"),
    "watch x -q": ("no such option '-q'", "--quiet writes no log; -q is --queue of reply and subscribe"),
    "context ls -q": ("no such option '-q'", "try 'pynats context ls --help'"),
    "reply x -q": ("option '-q' requires an argument", _QUEUE),
    "subscribe x -q": ("option '-q' requires an argument", _QUEUE),
    "reply x -q --json": (
        "a queue group cannot begin with '-': '--json' (--queue)", "-q is --queue GROUP; --quiet writes no log",
    ),
    "subscribe x -q -r": (
        "a queue group cannot begin with '-': '-r' (--queue)", "-q is --queue GROUP; --quiet writes no log",
    ),
    "publish x y -v": ("no such option '-v'", _TRACE),
    "--verbose request x": ("no such option '--verbose'", _TRACE),
    "-v": ("no such option '-v'", "--version shows the version; --trace, with a command, logs more"),
    "request x y --count 0": (
        "invalid value for '--count': 0 is less than 1",
        "--duration sends requests for a time, as many as there will be",
    ),
    "help help.please hi": ("no such command 'help.please'", "to send a request: pynats request help.please hi"),
    "help orders hi": ("no such command 'orders'", "to send a request: pynats request orders hi"),
    "help.please hi": ("no such command 'help.please'", "to send a request: pynats request help.please BODY"),
    "help orders": ("no such command or topic 'orders'", "try 'pynats help --help'"),
}  # fmt: skip


@pytest.mark.parametrize("typed", HABITS)
def test_a_habit_is_bad_usage_with_a_hint(pynats: Runner, typed: str) -> None:
    what, hint = HABITS[typed]
    run = pynats(*typed.split())
    assert (run.status, run.stdout) == (2, b"")
    assert run.stderr.splitlines() == [f"pynats: error: {what}", f"  hint: {hint}"]


@pytest.mark.parametrize("command", ["request", "publish"])
def test_a_body_that_names_a_file_is_refused_and_other_text_is_sent(
    nats_server: Server, runner: Runner, spawn: Callable[..., Program], tmp_path: Path, command: str
) -> None:
    (runner.directory / "an order.json").write_text("{}")
    subject = f"habits.{tmp_path.name}"
    spawn("reply", subject, "{{Request}}", server=nats_server)
    run = runner(command, subject, "@an order.json", server=nats_server)
    assert run.status == 2
    assert run.stderr.splitlines() == [
        "pynats: error: '@an order.json' is text, and there is a file of that name (BODY)",
        "  hint: --body-file 'an order.json' sends the file; the text can come from standard input",
    ]
    assert runner(command, subject, "@anna", server=nats_server).status == 0
    assert runner(command, subject, server=nats_server, stdin=b"@an order.json").status == 0
    assert runner("request", subject, "@anna", "--raw", server=nats_server).stdout == b"@anna"


SEVERAL = "is one subject with a comma in it; for several"


@pytest.mark.parametrize(
    ("command", "how"),
    [
        ("reply", "use a wildcard, or a responder for each"),
        ("watch", "give each as an argument"),
        ("subscribe", "give each as an argument"),
    ],
)
def test_a_comma_is_questioned_and_listened_on(
    nats_server: Server, spawn: Callable[..., Program], command: str, how: str
) -> None:
    program = spawn(command, "a,b", server=nats_server, ready="[a,b]")
    assert program.stop() == 0
    assert f"pynats: 'a,b' {SEVERAL}, {how}" in program.stderr_text().splitlines()


@pytest.mark.parametrize(
    ("command", "name", "instead"),
    [
        ("watch", "seen.jsonl", "pynats reply --mock seen.jsonl, or pynats watch --read seen.jsonl"),
        ("reply", "mock.json", "pynats reply --mock mock.json"),
        ("reply", "calc.py", "pynats reply SUBJECT --handler calc.py"),
    ],
)
def test_the_name_of_a_file_is_questioned_where_there_is_such_a_file(
    nats_server: Server, runner: Runner, spawn: Callable[..., Program], command: str, name: str, instead: str
) -> None:
    without = spawn(command, name, server=nats_server, ready=f"[{name}]")
    assert without.stop() == 0
    assert "for the file" not in without.stderr_text()
    (runner.directory / name).write_text("")
    program = spawn(command, name, server=nats_server, ready=f"[{name}]")
    assert program.stop() == 0
    question = f"pynats: {name!r} is listened on as a subject; for the file: {instead}"
    assert question in program.stderr_text().splitlines()


def test_watch_without_a_count_and_with_0_goes_on(
    nats_server: Server, runner: Runner, spawn: Callable[..., Program], tmp_path: Path
) -> None:
    subject = f"endless.{tmp_path.name}"
    spawn("reply", subject, "OK", server=nats_server)
    watching = spawn("watch", subject, "--count", "0", server=nats_server, ready="Watching")
    assert runner("request", subject, "x", "--count", "3", server=nats_server).status == 0
    assert watching.stop() == 0
    assert "Seen 3 exchanges" in watching.stderr_text()


@pytest.mark.parametrize("typed", ["--version --verbose", "--verbose --version", "version -v"])
def test_the_versions_of_what_pynats_is_made_of(pynats: Runner, nats_server: Server, typed: str) -> None:
    run = pynats(*typed.split())
    ours, client, python, server = run.lines
    assert (run.status, run.stderr) == (0, "")
    assert (ours, client) == (f"pynats {__version__}", f"nats-py {version('nats-py')}")
    assert python.startswith(f"Python {platform.python_version()} (")
    assert server.startswith("nats-server ")
    assert server.split()[1].count(".") == 2


def test_without_a_nats_server_the_versions_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: object) -> str:
        raise PynatsError("there is none")

    monkeypatch.setattr("natscli.server.find.find_nats_server", none)
    assert versions({}).splitlines()[-1] == "nats-server none, 'pynats server run' needs one"
