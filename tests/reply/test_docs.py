"""Every command of docs/reply.md that a console shows is run and shows what is written there."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from natscli.reply.responders.parts.answers import KEYS
from natscli.reply.responders.parts.mock_file import read
from natscli.reply.responders.parts.pipe_lines import answer_object, plain_payload, request_line
from tests.program import Program, Runner
from tests.servers import Server
from tests.test_readme import ROOT, pattern, steps

SECTIONS = dict(
    section.split("\n", 1)
    for section in re.split(r"^## ", (ROOT / "docs" / "reply.md").read_text(), flags=re.MULTILINE)
)


def run_all(text: str, runner: Runner, nats: Server) -> None:
    """Run the commands of a text in order; those that reply go on until all have run."""
    repliers: list[Program] = []
    for step in steps(text):
        _, *words = shlex.split(step.command.partition(" 2>")[0])
        if words[0] == "reply":
            repliers.append(runner.spawn(*words, server=nats))
            continue
        done = runner(*words, server=nats)
        assert done.status == step.status, (step, done)
        for line in step.shown:
            assert re.search(f"^{pattern(line)}$", done.text + done.stderr, re.MULTILINE), (line, done)
    assert [program.stop() for program in repliers] == [0] * len(repliers) != []


def test_commands_answer_as_the_document_says(runner: Runner, nats_server: Server) -> None:
    run_all(SECTIONS["Commands"], runner, nats_server)


@pytest.mark.parametrize("program", ["jq", "node", "sh"])
def test_programs_that_keep_running_answer_as_the_document_says(
    runner: Runner, nats_server: Server, program: str
) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    text = SECTIONS["Programs that keep running"]
    for name, code in re.findall(r"^```\w+\n(?://|#) (\S+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        (runner.directory / name).write_text(code)
    blocks = re.findall(r"^```console\n.*?^```", text, re.MULTILINE | re.DOTALL)
    (block,) = [block for block in blocks if re.search(rf"--pipe .{program} ", block)]
    run_all(block, runner, nats_server)


def test_the_example_of_a_line_is_what_a_program_gets() -> None:
    (example,) = re.findall(r"^```json\n(.*?)^```", SECTIONS["Programs that keep running"], re.M | re.S)
    asked, answer = example.splitlines()
    line = request_line(7, (b"city.rome", b"inbox", b"NATS/1.0\r\nTrace: 4f2a\r\n\r\n", b"weather?"))
    assert json.loads(asked) == json.loads(line)
    assert plain_payload(answer_object(answer.encode())[1]) == b"Sun"


def test_python_functions_answer_as_the_document_says(runner: Runner, nats_server: Server) -> None:
    text = SECTIONS["Python functions"]
    for name, code in re.findall(r"^```python\n# (\S+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        (runner.directory / name).write_text(code)
    run_all(text, runner, nats_server)


def test_a_handler_can_be_tested_as_the_document_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, code = next(
        re.finditer(r"^```python\n# (\S+)\n(.*?)^```", SECTIONS["Python functions"], re.M | re.S)
    ).groups()
    (tmp_path / name).write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    *_, example = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "python.md").read_text(), re.M | re.S)
    names: dict[str, Any] = {}
    exec(example, names)
    names["test_add"]()


def test_faults_can_be_had_as_the_document_says(runner: Runner, nats_server: Server) -> None:
    run_all(SECTIONS["Faults"], runner, nats_server)


def test_several_processes_answer_as_the_document_says(runner: Runner, nats_server: Server) -> None:
    (runner.directory / "calc.py").write_text(
        "def answer(request):\n    return int(request.tokens[1]) * int(request.text)\n"
    )
    run_all(SECTIONS["Several processes"], runner, nats_server)


def test_statistics_are_shown_as_the_document_says(runner: Runner, nats_server: Server) -> None:
    run_all(SECTIONS["Statistics"], runner, nats_server)


def test_requests_are_passed_on_as_the_document_says(runner: Runner, nats_server: Server) -> None:
    run_all(SECTIONS["Passing requests on"], runner, nats_server)


def test_recordings_and_rules_work_as_the_document_says(runner: Runner, nats_server: Server) -> None:
    text = SECTIONS["Recording and mocking"]
    exchange, *rules = re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (runner.directory / "warehouse.jsonl").write_text("".join(reversed(rules)))
    assert read(str(runner.directory / "warehouse.jsonl")).notes == []
    (runner.directory / "one.jsonl").write_text(exchange)
    assert read(str(runner.directory / "one.jsonl")).subjects == ["orders.7"]
    service, _, rest = SECTIONS["Passing requests on"].partition("$ pynats reply 'test.")
    recording, mocking, more = re.split(r"(?=^\$ pynats reply --mock)", text, flags=re.MULTILINE)
    assert rest
    run_all(f"{service}```\n{recording}```\n", runner, nats_server)
    assert (runner.directory / "orders.jsonl").read_bytes().count(b"\n") == 1
    run_all(f"```console\n{mocking}", runner, nats_server)
    run_all(f"```console\n{more}", runner, nats_server)


def test_services_are_found_as_the_document_says(runner: Runner, nats_server: Server) -> None:
    run_all(SECTIONS["Services"], runner, nats_server)


@pytest.mark.parametrize("key", KEYS)
def test_every_key_of_a_reply_is_in_the_document(key: str) -> None:
    assert re.search(rf"^\|.*`{key}`.*\|", SECTIONS["Recording and mocking"], re.MULTILINE)
