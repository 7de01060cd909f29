"""Requests that take long to take apart: they are written as they are, and hold up nobody."""

from __future__ import annotations

import json
import threading
import time
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.asking import Asker
from tests.program import Program, Runner
from tests.servers import Server

Spawn = Callable[..., Program]
#: A header block of 240,000 lines, and JSON of 250,000 values: each of a megabyte.
BLOCK = b"NATS/1.0\r\n" + b"a:\r\n" * 240_000 + b"\r\n"
NESTED = b'{"a":[' + b",".join([b'{"b":[1,2]}'] * 80_000) + b"]}"
#: A program for --pipe that answers with what it was asked.
ECHO = """\
import json, sys
for line in sys.stdin:
    print(json.dumps(json.loads(line) | {"data": "ok"}), flush=True)
"""


def record_of(line: str) -> dict[str, object]:
    record = json.loads(line)
    assert isinstance(record, dict)
    return record


def test_huge_header_blocks_are_kept_as_they_are(
    pynats: Runner, spawn: Spawn, nats_server: Server, asker: Asker, tmp_path: Path
) -> None:
    record, written = tmp_path / "huge.jsonl", ["t.huge", "--json", "--echo"]
    program = spawn("reply", *written, "--record", str(record), server=nats_server)
    [answer] = asker.ask("t.huge", b"x", header=BLOCK)
    assert (answer.payload, answer.header.count(b"\r\na:")) == (b"x", 240_000)
    program.wait_until(lambda: b"\n" in program.stdout_bytes(), "the record on stdout")
    assert program.stop() == 0
    shown = record_of(program.stdout_bytes().decode())
    assert shown["headers"] == {}
    assert b64decode(str(shown["headers_base64"])) == BLOCK
    kept = record_of(record.read_text())["request"]
    assert isinstance(kept, dict)
    assert b64decode(kept["headers_base64"]) == BLOCK
    spawn("reply", "--mock", str(record), server=nats_server)
    [mocked] = asker.ask("t.huge", b"x")
    assert mocked.header == answer.header
    assert pynats("watch", "--read", str(record), "--json").objects[0]["size"] == 1


def test_a_program_gets_a_huge_header_block_as_it_is(
    spawn: Spawn, nats_server: Server, asker: Asker, tmp_path: Path
) -> None:
    (tmp_path / "echo.py").write_text(ECHO)
    spawn("reply", "t.piped", "--pipe", f"python3 {tmp_path / 'echo.py'}", server=nats_server)
    [answer] = asker.ask("t.piped", b"x", header=BLOCK)
    assert (answer.payload, answer.header) == (b"ok", BLOCK)


@pytest.mark.alone
@pytest.mark.parametrize(
    ("options", "header", "payload"),
    [(("--record", "kept.jsonl"), BLOCK, b"x"), (("--json",), b"", NESTED), (("--json",), BLOCK, b"x")],
    ids=["recorded", "JSON", "headers"],
)
def test_they_do_not_hold_up_other_requests(
    spawn: Spawn, nats_server: Server, runner: Runner, options: tuple[str, ...], header: bytes, payload: bytes
) -> None:
    spawn("reply", "t.beside", "ok", *options, server=nats_server, cwd=runner.directory)
    best = 1.0
    for _ in range(5):  # what else runs here only makes it worse
        with Asker(nats_server) as huge, Asker(nats_server) as small:
            asking = threading.Thread(target=lambda: huge.ask("t.beside", *[payload] * 3, header=header))
            asking.start()
            longest = 0.0
            while asking.is_alive():
                start = time.perf_counter()
                small.ask("t.beside", b"x")
                longest = max(longest, time.perf_counter() - start)
            asking.join()
        best = min(best, longest)
    assert best < 0.1
