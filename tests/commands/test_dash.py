"""`-` is standard input or output in every option that takes a file, in all commands."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from natscli.cli.options import CONNECTION_FILES, FileName
from natscli.cli.root import cli
from tests.program import Program, Run, Runner
from tests.servers import Server

#: Where nothing listens: whoever connects fails with 5.
NOBODY = "nats://127.0.0.1:1"
RECORDED = json.dumps({"subject": "dash", "request": "x", "reply": {"data": "x"}}).encode() + b"\n"
SUMMARY = json.dumps({"sent": 1, "answered": 1, "rate": 1.0, "failures": {}, "rtt_ns": {}}).encode()


class FileParameter(NamedTuple):
    """A parameter of a command that takes a file; `name` is that of the option, or of the argument."""

    command: str
    name: str
    kind: object


def file_parameters() -> Iterator[FileParameter]:
    def walk(command: click.Command, path: str) -> Iterator[FileParameter]:
        for param in command.params:
            shown = param.metavar or ""
            if isinstance(param.type, FileName | click.Path | click.File) or "FILE" in shown:
                yield FileParameter(path, max(param.opts, key=len), param.type)
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                child = command.get_command(context, name)
                assert child is not None
                yield from walk(child, f"{path} {name}".strip())

    yield from walk(cli, "")


ALL = list(file_parameters())
#: Those of every command that connects.
CONNECTION = {f"--{name}" for name in CONNECTION_FILES}
OWN = [param for param in ALL if param.name not in CONNECTION]
#: What is read by which command line, where FILE is; the outcome is the same from stdin.
READ = {
    ("request", "--body-file"): ("request dash --raw --body-file FILE", b"a\0\xff\n"),
    ("request", "--baseline"): ("request dash x --count 1 --fail-if answered>+10% --baseline FILE", SUMMARY),
    ("compare", "before"): ("compare FILE summary.json", SUMMARY),
    ("compare", "after"): ("compare summary.json FILE", SUMMARY),
    ("verify", "files"): ("verify FILE", RECORDED),
    ("watch", "--read"): ("watch --json --read FILE", RECORDED),
    ("reply", "--mock"): (f"reply -s {NOBODY} --mock FILE", RECORDED),
    ("publish", "--body-file"): ("publish dash --body-file FILE", b"x"),
    ("trace", "--body-file"): ("trace dash --body-file FILE", b"x"),
    ("server run", "--config"): ("server run --port -1 --config FILE", b"no_such_key: 1"),
}
#: What is written by which command line, and how it begins; `-` leaves nothing else on stdout.
WRITTEN = {
    ("request", "--output"): ("request dash x --output FILE", "text"),
    ("request", "--record"): ("request dash x --count 2 --record FILE", "json"),
    ("request", "--summary-json"): ("request dash x --count 2 --summary-json FILE", "object"),
    ("request", "--hdr"): ("request dash x --count 20 --hdr FILE", "hdr"),
    ("request", "--report"): ("request dash x --count 2 --report FILE", "html"),
    ("verify", "--junit"): ("verify differs.jsonl --junit FILE", "xml"),
    ("verify", "--report"): ("verify differs.jsonl --report FILE", "html"),
    ("watch", "--record"): ("watch --read recorded.jsonl --record FILE", "json"),
    ("watch", "--report"): ("watch dash --stats --count 1 --report FILE", "html"),
    ("reply", "--record"): ("reply dash.own OK --count 1 --record FILE", "json"),
}
#: What is watched or answered while it runs: the subject that has to be asked.
ASKED = {("watch", "--report"): "dash", ("reply", "--record"): "dash.own"}
#: Code, which is found by its name and loaded again, and folders.
NO_DASH = {("reply", "--handler"), ("server run", "--store-dir")}


def test_no_option_is_forgotten() -> None:
    assert {(param.command, param.name) for param in OWN} == {*READ, *WRITTEN, *NO_DASH}
    for param in OWN:
        if isinstance(param.kind, FileName):
            assert param.kind.written is ((param.command, param.name) in WRITTEN)
    for command in ("", "request", "watch", "rtt", "context add"):
        assert {param.name for param in ALL if param.command == command} >= CONNECTION


@pytest.fixture
def folder(runner: Runner) -> Path:
    folder = runner.directory
    (folder / "summary.json").write_bytes(SUMMARY)
    (folder / "recorded.jsonl").write_bytes(RECORDED)
    (folder / "differs.jsonl").write_bytes(RECORDED + RECORDED.replace(b'data": "x', b'data": "y'))
    return folder


@pytest.fixture
def ask(
    pynats: Runner, spawn: Callable[..., Program], nats_server: Server, folder: Path
) -> Callable[..., Run]:
    """Run a line; `dash` echoes."""
    spawn("reply", "dash", "--echo", server=nats_server)

    def ask(line: str, stdin: bytes | None = None) -> Run:
        return pynats(*line.split(), server=nats_server, stdin=stdin, cwd=folder)

    return ask


@pytest.mark.parametrize("which", READ, ids=" ".join)
def test_what_is_read_may_come_from_stdin(
    ask: Callable[..., Run], folder: Path, which: tuple[str, str]
) -> None:
    line, content = READ[which]
    (folder / "content").write_bytes(content)
    named, piped = ask(line.replace("FILE", "content")), ask(line.replace("FILE", "-"), content)
    expected = 5 if NOBODY in line else 2 if which[0] == "server run" else 0
    assert (named.status, piped.status) == (expected, expected), piped
    if which[0] != "trace":
        assert piped.stdout == named.stdout
    if "--body-file" not in which and expected != 2:
        bad = ask(line.replace("FILE", "-"), b"{")
        assert bad.status in (1, 2)
        assert len(bad.errors) <= 4
        assert "No such file" not in bad.stderr


@pytest.mark.parametrize("which", WRITTEN, ids=" ".join)
def test_what_is_written_may_go_to_stdout_and_nothing_else_does(
    ask: Callable[..., Run], spawn: Callable[..., Program], nats_server: Server, which: tuple[str, str]
) -> None:
    line, kind = WRITTEN[which]
    words = line.replace("FILE", "-").split()
    if which in ASKED:
        program = spawn(*words, server=nats_server, ready="Watching" if which[0] == "watch" else None)
        assert ask(f"request {ASKED[which]} x").status == 0
        assert program.wait() == 0
        out = program.stdout_bytes()
    else:
        run = ask(" ".join(words))
        assert run.status == (8 if which[0] == "verify" else 0)
        out = run.stdout
    check(kind, out)


def check(kind: str, data: bytes) -> None:
    """Assert that `data` is one whole file of this kind."""
    if kind == "json":
        assert [json.loads(line)["reply"]["data"] for line in data.splitlines()]
    elif kind == "object":
        assert json.loads(data)["answered"] == 2
    elif kind == "xml":
        suites = ET.fromstring(data)
        assert (suites.get("tests"), suites.get("failures")) == ("2", "1")
    else:
        begin, end = {
            "text": (b"x", b"x"),
            "hdr": (b"#[", b"\n"),
            "html": (b"<!doctype html>", b"</html>\n"),
        }[kind]
        assert data.lower().startswith(begin)
        assert data.endswith(end)


def pairs(*, written: bool) -> Iterator[tuple[str, str, str]]:
    """Two parameters of one command, each read or written."""
    for command in dict.fromkeys(param.command for param in OWN):
        own = [
            param.name
            for param in OWN
            if param.command == command and isinstance(param.kind, FileName) and param.kind.written is written
        ]
        more = [] if written or command in ("compare", "server run") else ["--creds", "--tlsca"]
        for one, other in combinations([*own, *more], 2):
            yield command, one, other


def test_one_stream_is_for_one_option(pynats: Runner, folder: Path) -> None:
    arguments = {"request": ["a"], "publish": ["a"], "trace": ["a"]}
    tried = 0
    for written, what in ((False, "read standard input"), (True, "write standard output")):
        for command, *names in pairs(written=written):
            words = [word for name in names for word in ([name, "-"] if name.startswith("-") else ["-"])]
            files = ["recorded.jsonl"] if command == "verify" and "files" not in names else []
            run = pynats(command, *arguments.get(command, files), *words, server=NOBODY, cwd=folder)
            shown = [
                f"{name} -" if name.startswith("-") else {"files": "FILE"}.get(name, name.upper())
                for name in names
            ]
            assert (run.status, len(run.errors)) == (2, 1), (words, run.stderr)
            assert all(name in run.stderr for name in shown), run.stderr
            assert f"cannot both {what}" in run.stderr
            tried += 1
    assert tried > 15


def test_one_argument_reads_stdin_once(pynats: Runner, folder: Path) -> None:
    for words in (("-", "-"), ("-", "recorded.jsonl", "-")):
        run = pynats("verify", *words, server=NOBODY, cwd=folder, stdin=RECORDED)
        assert (run.status, run.errors) == (
            2, ["pynats: error: - is standard input, and can be given once (FILE)"],
        )  # fmt: skip


@pytest.mark.parametrize(
    "line",
    ["request a --baseline -", "request a --creds -", "publish a --tlsca -",
     "request a --force-stdin --baseline -", "publish a --send-on newline --nkey -"],
)  # fmt: skip
def test_what_an_option_reads_is_not_the_payload(pynats: Runner, line: str) -> None:
    run = pynats(*line.split(), server=NOBODY, stdin=SUMMARY)
    assert run.status == 2
    option = line.split()[-2]
    assert f"{option} - reads standard input, which cannot be the payload too" in run.stderr


@pytest.mark.parametrize("option", sorted(CONNECTION))
def test_files_of_a_connection_are_read_from_stdin(pynats: Runner, option: str) -> None:
    run = pynats("request", "a", "b", option, "-", server=NOBODY.replace("nats:", "tls:"), stdin=b"garbage\n")
    assert run.status in (2, 5, 6)
    assert "No such file" not in run.stderr
    assert "'-'" not in run.stderr


@pytest.mark.parametrize("name", ["-", "-:answer"])
@pytest.mark.parametrize("more", [(), ("--reload",)])
def test_a_handler_is_no_stdin(pynats: Runner, name: str, more: tuple[str, ...]) -> None:
    run = pynats("reply", "a", "--handler", name, *more, server=NOBODY, stdin=b"def answer(request): ...")
    assert (run.status, run.errors) == (
        2, ["pynats: error: a handler is the name of a file, not standard input (--handler)"],
    )  # fmt: skip


def test_a_context_keeps_no_stdin(pynats: Runner) -> None:
    run = pynats("context", "add", "x", "--creds", "-", stdin=b"c")
    assert (run.status, run.errors[0]) == (
        2, "pynats: error: a context cannot keep standard input (--creds)",
    )  # fmt: skip
    assert pynats("context", "add", "x", "--creds", "-", "--embed", stdin=b"c").status == 0
    assert "data:" in pynats("context", "info", "x", "--json", "--show-secrets", shows_secrets=True).text


@pytest.mark.parametrize("option", ["--raw", "--json", "--query=1"])
@pytest.mark.parametrize("other", ["--summary-json", "--hdr", "--record", "--report"])
def test_nothing_else_that_was_asked_for_goes_to_stdout(pynats: Runner, option: str, other: str) -> None:
    run = pynats("request", "a", "b", "--count", "2", option, other, "-", server=NOBODY)
    assert run.status == 2
    assert f"{other} - and {option.partition('=')[0]} exclude each other" in run.stderr


def test_a_failure_is_said_where_nothing_but_the_record_is_shown(pynats: Runner, nats_server: Server) -> None:
    run = pynats("request", "dash.nobody", "x", "--record", "-", server=nats_server)
    assert run.status == 3
    assert [record["outcome"] for record in run.objects] == ["no_responders"]
    assert "no responders" in run.errors[-1]


def test_a_payload_is_written_byte_for_byte(ask: Callable[..., Run]) -> None:
    assert ask("request dash --body-file - -o -", b"a\tb\0").stdout == b"a\tb\0"
    assert ask("request dash x{{Count}} --count 3 --output -").stdout == b"x1\nx2\nx3\n"
