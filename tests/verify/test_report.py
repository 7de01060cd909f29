"""`pynats verify --report`: a page that says what differs, with the figures of the run."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from junitparser import JUnitXml

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


#: How a run is cut off, what the reports call it, and the exit status.
CUTS = {
    "Ctrl-C": ("interrupted", 130),
    "the server is gone": ("connection lost", 5),
    "refused": ("refused", 6),
    "--fail-fast": ("first difference", 8),
}
DENY = 'permissions: { publish: { deny: ["no"] } }'


@pytest.mark.parametrize("how", CUTS)
def test_a_run_that_was_cut_off_does_not_look_complete(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], tmp_path: Path, how: str
) -> None:
    server = server_factory(f"authorization: {{ users: [{{ user: a, password: b, {DENY} }}] }}")
    url = server.url.replace("//", "//a:b@")
    spawn("reply", "yes", "--echo", server=url)
    file, junit, html = (tmp_path / name for name in ("calls.jsonl", "report.xml", "report.html"))
    lines = [{"subject": "yes", "request": f"{n}", "reply": f"{n}"} for n in range(100)]
    lines[60] |= {"subject": "no"} if how == "refused" else {"reply": "x"} if how == "--fail-fast" else {}
    rule = {"subject": "yes.*", "reply": "x"}
    file.write_text("".join(f"{json.dumps(line)}\n" for line in [rule, *lines]))
    options = [
        "--rate",
        "100",
        "--reply-timeout",
        "50ms",
        "--json",
        "--junit",
        str(junit),
        "--report",
        str(html),
    ]
    options += ["--fail-fast"] if how == "--fail-fast" else []
    run = spawn("verify", str(file), *options, "--log", "json", server=url, ready="")
    run.wait_until(lambda: run.stdout_bytes().count(b"\n") > 30, "some are verified")
    words, status = CUTS[how]
    if how == "Ctrl-C":
        run.send_signal(signal.SIGINT)
    elif how == "the server is gone":
        server.stop()
    assert run.wait() == status
    done = run.stdout_bytes().count(b"\n")
    left = 100 - done
    assert 0 < left < 70
    suites = JUnitXml.fromfile(str(junit))
    (error,) = [case for suite in suites for case in suite if case.result and not case.is_skipped
                and case.result[0].type == words]  # fmt: skip
    assert error.result[0].message.endswith(f"; not verified: {left}")
    assert (suites.errors, suites.skipped, suites.tests) == (1, left + 1, 102)
    page = ReadPage(html.read_text())
    assert page.figures["cut_off"] == {str(status)}
    assert page.figures["not_verified"] == {str(left)}
    assert f"Cut off{words}" in page.text
    log = [json.loads(line) for line in run.stderr_text().splitlines()]
    (summary,) = [line["summary"] for line in log if "summary" in line]
    counts = {name: summary[name] for name in ("verified", "not_verified", "not_sent", "cut_off", "updated")}
    assert counts == {"verified": done, "not_verified": left, "not_sent": 1, "cut_off": words, "updated": 0}
    assert summary["held"] + summary["differed"] == done
    assert summary["rtt_ns"]["p50"] > 0


def test_what_was_verified_to_the_end_is_not_cut_off(
    runner: Runner, spawn: Callable[..., Program], nats_server: Server, tmp_path: Path
) -> None:
    spawn("reply", tmp_path.name, "--echo", server=nats_server)
    file, junit, html = (
        recording(tmp_path / "calls.jsonl", tmp_path.name),
        tmp_path / "r.xml",
        tmp_path / "r.html",
    )
    run = runner(
        "verify", str(file), "--junit", str(junit), "--report", str(html), "--log", "json", server=nats_server
    )
    assert run.status == 8
    suites = JUnitXml.fromfile(str(junit))
    assert (suites.tests, suites.failures, suites.errors, suites.skipped) == (10, 2, 0, 0)
    assert not {"cut_off", "not_verified", "not_sent"} & ReadPage(html.read_text()).figures.keys()
    (summary,) = [log["summary"] for log in map(json.loads, run.errors) if "summary" in log]
    assert (summary["held"], summary["differed"], summary["differences"]) == (8, 2, {"payload": 2})
    assert (summary["cut_off"], summary["not_verified"]) == (None, 0)


@pytest.mark.parametrize(
    ("server", "words", "status"),
    [("nats://127.0.0.1:1", "connection lost", 5), ("nats://bob:wrong@127.0.0.1:{port}", "refused", 6)],
)
def test_without_a_connection_the_reports_are_not_those_of_an_earlier_run(
    runner: Runner,
    server_factory: Callable[..., Server],
    tmp_path: Path,
    server: str,
    words: str,
    status: int,
) -> None:
    port = server_factory("authorization: { user: a, password: b }").port
    file, junit, html = (tmp_path / name for name in ("calls.jsonl", "r.xml", "r.html"))
    recording(file, "a")
    for report in (junit, html):
        report.write_text("of an earlier run")
    options = ("--junit", str(junit), "--report", str(html))
    run = runner("verify", str(file), *options, server=server.format(port=port))
    assert (run.status, len([line for line in run.errors if "error: " in line])) == (status, 1)
    assert "Verified" not in run.stderr
    suites = JUnitXml.fromfile(str(junit))
    assert (suites.tests, suites.failures, suites.errors, suites.skipped) == (11, 0, 1, 10)
    page = ReadPage(html.read_text())
    assert (page.figures["cut_off"], page.figures["not_verified"]) == ({str(status)}, {"10"})
    assert "wrong" not in junit.read_text() + html.read_text()
    assert f'type="{words}"' in junit.read_text()
