"""Bytes that nobody expects, through every responder and to every output: all are answered, and it goes on."""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from tests.asking import Asker
from tests.program import Program
from tests.servers import Server

LATIN = b"NATS/1.0\r\nNats-Service-Error: caf\xe9 \xff\r\nNats-Service-Error-Code: \xb2\r\nA: \xe9\r\n\r\n"
#: Header block and payload of requests, and of replies to them.
ODD = [
    (LATIN, b"\xff\xfe"),
    (b"NATS/1.0\r\n\r\n", b""),
    (b"NATS/1.0\r\nno colon\r\n: no name\r\nX:\xc3\r\nX: \x00\x1b[2J\r\n\r\n", b"\x00\x1b]0;x\x07\x9b"),
    (b"NATS/1.0 404 \xff\r\n\r\n", b"\xed\xa0\x80"),
    (b"", b'{"a": "\\ud800", "b": 1e999, "c": NaN}'),
    (b"", "\u202e\u2028\U0001f600".encode()),
    (b"", b"{{Request}} %s %b \\ \" ' $(id)"),
]

HANDLER = """
from natscli import Reply, ServiceError

def answer(request):
    if request.header_pairs:
        raise ServiceError(1 << 70, "caf\\udce9 \\ud800", data=request.data)
    if request.data.startswith(b"{"):
        raise ValueError("odd \\udcff \\ud800 \\x1b[2J")
    return Reply(request.data, headers={"A": "1"})
"""
PIPE = """
import json, sys
for line in sys.stdin.buffer:
    value = json.loads(line)
    answer = {"id": value["id"], "error": "caf\\u00e9", "data_base64": "//4="}
    if value["headers"]:
        answer = {"id": value["id"], "headers_base64": sys.argv[1]}
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\\n\\xff\\xfe\\n")
    sys.stdout.buffer.flush()
    sys.stderr.buffer.write(b"\\xff\\x1b[2J\\n")
    sys.stderr.buffer.flush()
"""

OUTPUTS = {
    "text": (),
    "json": ("--json",),
    "statistics": ("--stats", "--json"),
    "record": ("--record", "odd.jsonl"),
    "processes": ("--processes", "2", "--json", "--stats"),
}


def responder(kind: str, folder: Path, subject: str) -> tuple[str, ...]:
    """The options of a responder that answers with odd bytes."""
    block = b64encode(LATIN).decode()
    (folder / "odd.py").write_text(HANDLER)
    (folder / "pipe.py").write_text(PIPE)
    rule = {"subject": subject, "reply": {"headers_base64": block, "data_base64": "//4="}}
    (folder / "mock.json").write_text(json.dumps(rule))
    python = f"'{sys.executable}'"
    return {
        "BODY": ("{{Request}}", "-H", "A:{{Request}}"),
        "--echo": ("--echo",),
        "--command": ("--command", "sh -c 'cat; exit $(wc -c </dev/null)'"),
        "--pipe": ("--pipe", f"{python} pipe.py {block}"),
        "--handler": ("--handler", "odd.py:answer"),
        "--upstream": ("--upstream", f"real.{subject}"),
        "--mock": ("--mock", "mock.json"),
    }[kind]


def serve(asker: Asker) -> None:
    """Be the service behind --upstream."""
    for header, payload in ODD:
        asker.write(asker.request().answer(header, payload))


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize(
    "kind", ["BODY", "--echo", "--command", "--pipe", "--handler", "--upstream", "--mock"]
)
def test_odd_bytes_are_answered_and_shown(
    nats_server: Server, spawn: Callable[..., Program], tmp_path: Path, kind: str, output: str
) -> None:
    subject, folder = tmp_path.name, tmp_path / "work"
    options = (*responder(kind, folder, subject), *OUTPUTS[output])
    ready = "processes answer" if output == "processes" else "Listening on"
    program = spawn("reply", subject, *options, server=nats_server, ready=ready)
    with Asker(nats_server) as asker, Asker(nats_server) as service:
        if kind == "--upstream":
            service.listen(f"real.{subject}")
            Thread(target=serve, args=(service,), daemon=True).start()
        for header, payload in ODD:
            asker.send(subject, payload, header=header)
            (answer,) = asker.receive(1)
            if kind in ("BODY", "--echo", "--command"):
                assert answer.payload == payload
    assert program.stop() == 0
    log = program.stderr_text()
    assert "Traceback" not in log
    last = log.splitlines()[-1]
    if "--json" in options:
        assert json.loads(last)["requests"] == len(ODD)
        shown = [json.loads(line) for line in program.stdout_bytes().splitlines()]
        assert len(shown) == len(ODD)
    else:
        assert last.startswith(f"Answered {len(ODD)} requests")
    if output == "record":
        lines = (folder / "odd.jsonl").read_bytes().splitlines()
        assert len([json.loads(line) for line in lines]) == len(ODD)
