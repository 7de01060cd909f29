"""`pynats verify --report`: a page that says what differs, with the figures of the run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from natscli.duration import parse_duration
from tests.output.report.pages import ReadPage
from tests.program import Program, Runner
from tests.servers import Server

HOSTILE = "<script>alert(1)</script>"


def recording(path: Path, subject: str) -> Path:
    """Ten exchanges with an echo; the third and the seventh were recorded with another reply."""
    path.write_text(
        "".join(
            json.dumps({"subject": subject, "request": {"data": f"{n}"}, "reply": {"data": said}}) + "\n"
            for n, said in ((n, HOSTILE if n in (3, 7) else f"{n}") for n in range(1, 11))
        )
    )
    return path


def test_what_differs_is_in_the_report(
    runner: Runner, spawn: Callable[..., Program], nats_server: Server, tmp_path: Path
) -> None:
    spawn("reply", tmp_path.name, "--echo", server=nats_server)
    file, report = recording(tmp_path / "calls.jsonl", tmp_path.name), tmp_path / "report.html"
    run = runner("verify", str(file), "--report", str(report), server=nats_server)
    assert run.status == 8
    page = ReadPage(report.read_text())
    counts = {name: page.figures[name] for name in ("verified", "held", "differed", "kinds.payload")}
    assert counts == {"verified": {"10"}, "held": {"8"}, "differed": {"2"}, "kinds.payload": {"2"}}
    assert f"{file}:3" in page.text
    assert f"{file}:7" in page.text
    assert "script" not in page.tags
    assert f"pynats verify {file}" in page.text
    assert nats_server.url in page.text


def test_on_stdout_it_is_all_there_is(
    runner: Runner, spawn: Callable[..., Program], nats_server: Server, tmp_path: Path
) -> None:
    spawn("reply", tmp_path.name, "--echo", server=nats_server)
    file = str(recording(tmp_path / "calls.jsonl", tmp_path.name))
    run = runner("verify", file, "--report", "-", server=nats_server)
    assert run.status == 8
    assert run.stdout.startswith(b"<!DOCTYPE html>\n")
    assert run.stdout.endswith(b"</html>\n")
    assert "--report - and --json" in runner("verify", file, "--report", "-", "--json").errors[0]
    assert "no such directory" in runner("verify", file, "--report", f"{tmp_path}/no/x.html").errors[0]


def test_replies_count_when_they_came(
    runner: Runner, spawn: Callable[..., Program], nats_server: Server, tmp_path: Path
) -> None:
    spawn("reply", tmp_path.name, "--echo", server=nats_server)
    file, report = tmp_path / "calls.jsonl", tmp_path / "report.html"
    line = json.dumps({"subject": tmp_path.name, "request": "x", "reply": "x"})
    file.write_text(f"{line}\n" * 200)
    options = ("--rate", "400", "--reply-timeout", "1s", "--report", str(report))
    assert runner("verify", str(file), *options, server=nats_server).status == 0
    page = ReadPage(report.read_text())
    (seconds,) = map(float, page.figures["seconds"])
    assert 0.4 < seconds < 0.95  # the last second, in which no further reply came, is no part of it
    assert parse_duration(page.times[0][-1]) == pytest.approx(seconds, rel=0.1)
    rates = [y for x, y in page.lines[0]]
    assert len(rates) > 20
    assert sum(rate == max(rates) for rate in rates[: len(rates) // 3]) < len(rates) // 6  # the lowest, 0
