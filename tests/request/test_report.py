"""`pynats request --report`: a page with the figures of a load run, opened in a browser."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.output.report.pages import ReadPage
from tests.program import Program, Runner
from tests.request.responders import Responders
from tests.servers import Server

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
HOSTILE = "<script>document.title='taken'</script>"


def flat(record: dict[str, Any]) -> dict[str, set[str]]:
    """The figures of a --summary-json, by the names that those of the page have."""
    found = {name: value for name, value in record.items() if isinstance(value, (int, float))}
    found |= {f"rtt_ns.{name}": value for name, value in record["rtt_ns"].items()}
    found |= {f"failures.{kind}": failed["count"] for kind, failed in record["failures"].items()}
    return {name: {f"{value}"} for name, value in found.items()}


@pytest.fixture
def service(spawn: Callable[..., Program], nats_server: Server, tmp_path: Path) -> str:
    """A service that fails at every tenth request, with markup in its error."""
    (tmp_path / "service.py").write_text(
        "import natscli\n\ndef handle(request):\n    if request.data.endswith(b'7'):\n"
        f"        raise natscli.ServiceError(500, {HOSTILE!r})\n    return b'ok'\n"
    )
    spawn("reply", "paged", "--handler", f"{tmp_path}/service.py:handle", server=nats_server)
    return "paged"


def test_the_figures_are_those_of_the_summary(
    pynats: Runner, nats_server: Server, service: str, tmp_path: Path
) -> None:
    report, summary = tmp_path / "run.html", tmp_path / "run.json"
    run = pynats("request", service, "{{Count}}", "--count", "200", "--concurrency", "8", "--quiet",
                 "--report", str(report), "--summary-json", str(summary), server=nats_server)  # fmt: skip
    assert run.status == 7
    page, record = ReadPage(report.read_text()), json.loads(summary.read_text())
    assert record["failures"]["service_error"]["count"] == 20
    expected = flat(record)
    rare = ("in_flight", "late", "retried", "acknowledged", "more_replies")
    assert page.figures == {name: values for name, values in expected.items() if name not in rare}
    assert record["failures"]["service_error"]["example"] in page.text
    assert HOSTILE in page.text
    assert "script" not in page.tags
    assert nats_server.url in page.text
    assert f"pynats request {service} '{{{{Count}}}}' --count 200" in page.text


@pytest.mark.parametrize("how", ["Ctrl-C", "Ctrl-C, two processes", "the server is gone"])
def test_a_load_that_was_cut_off_does_not_look_complete(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], tmp_path: Path, how: str
) -> None:
    server, report = server_factory(), tmp_path / "run.html"
    spawn("reply", "x", "--echo", server=server)
    options = ["--rate", "100", "--duration", "30s", "--report", str(report)]
    options += ["--processes", "2"] if "two" in how else []
    run = spawn("request", "x", "y", *options, server=server, ready="")
    time.sleep(2 if "two" in how else 1)
    if how == "the server is gone":
        server.stop()
    else:
        run.send_signal(signal.SIGINT)
    words, status = ("connection lost", 5) if how == "the server is gone" else ("interrupted", 130)
    assert run.wait() == status
    page = ReadPage(report.read_text())
    assert page.figures["cut_off"] == {str(status)}
    assert f"Cut off{words}" in page.text


def test_several_processes_have_one_report(
    pynats: Runner, nats_server: Server, service: str, tmp_path: Path
) -> None:
    report = tmp_path / "run.html"
    pynats(
        "request",
        service,
        "x",
        "--count",
        "50",
        "--processes",
        "2",
        "--report",
        str(report),
        server=nats_server,
    )
    page = ReadPage(report.read_text())
    assert page.figures["sent"] == page.figures["answered"] == {"50"}
    assert page.tags.count("path") == 4  # replies, and three lines of the RTT


def test_a_report_on_stdout_is_all_that_is_there(pynats: Runner, nats_server: Server, service: str) -> None:
    run = pynats("request", service, "x", "--count", "3", "--report", "-", server=nats_server)
    assert run.status == 0
    assert run.stdout.startswith(b"<!DOCTYPE html>\n")
    assert run.stdout.endswith(b"</html>\n")
    assert "Sent 3, answered 3" in run.stderr


def test_nothing_that_is_secret_is_in_it(
    pynats: Runner, nats_server: Server, service: str, tmp_path: Path
) -> None:
    report = tmp_path / "run.html"
    url = nats_server.url.replace("nats://", "nats://me:swordfish&co@")
    pynats("request", service, "x", "--count", "2", "-H", "Authorization: Bearer hunter2", "-H", "A:1",
           "--report", str(report), "-s", url, server=None)  # fmt: skip
    html = report.read_text()
    assert "swordfish" not in html
    assert "hunter2" not in html
    assert "Authorization: ********" in html
    assert "A:1" in html
    pynats("request", service, "x", "--count", "2", "--user", "me", "--password", "q<", "--report", str(report),
           server=nats_server)  # fmt: skip
    text = ReadPage(report.read_text()).text
    assert "q<" not in text
    assert "--password '********'" in text


def test_what_cannot_be_reported_is_said_before_anything_is_sent(
    pynats: Runner, nats_server: Server, responders: Responders, tmp_path: Path
) -> None:
    subject = responders(lambda _: [b"ok"])

    def refused(*arguments: str) -> str:
        run = pynats("request", subject, "x", *arguments, server=nats_server)
        assert run.status == 2
        return run.errors[0]

    assert "--report needs --count or --duration" in refused("--report", "x.html")
    assert "no such directory" in refused("--count", "2", "--report", f"{tmp_path}/no/x.html")
    assert "is a directory" in refused("--count", "2", "--report", str(tmp_path))
    assert "--report - and --raw" in refused("--count", "2", "--report", "-", "--raw")
    assert "--report - and --summary-json -" in refused(
        "--count", "2", "--report", "-", "--summary-json", "-"
    )
    assert responders.requests == []


@pytest.mark.skipif(BROWSER is None, reason="there is no chromium to open the report with")
def test_a_browser_shows_every_figure_and_line(
    pynats: Runner, nats_server: Server, service: str, tmp_path: Path
) -> None:
    report, summary = tmp_path / "run.html", tmp_path / "run.json"
    pynats("request", service, "{{Count}}", "--count", "300", "--rate", "600", "--quiet",
           "--report", str(report), "--summary-json", str(summary), server=nats_server)  # fmt: skip
    assert BROWSER is not None
    done = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={tmp_path}/browser", "--dump-dom", report.as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    page, expected = ReadPage(done.stdout), flat(json.loads(summary.read_text()))
    assert set(page.figures) <= set(expected)
    assert {name: expected[name] for name in page.figures} == page.figures
    assert "<title>Requests to paged</title>" in done.stdout
    # A browser mends what it does not understand: these are where they were put.
    assert done.stdout.count('</line><path d="M') == 2
    assert done.stdout.count("</path></svg>") == 2
    assert page.tags.count("rect") == 12


def test_without_a_connection_there_is_no_report_of_an_earlier_run(pynats: Runner, tmp_path: Path) -> None:
    report, summary = tmp_path / "run.html", tmp_path / "run.json"
    files = ("--report", str(report), "--summary-json", str(summary))
    for file in (report, summary):
        file.write_text("of an earlier run")
    run = pynats("request", "a", "b", "--count", "2", *files, server="nats://127.0.0.1:1")
    assert (run.status, run.lines) == (5, [])
    assert (json.loads(summary.read_text())["sent"], ReadPage(report.read_text()).figures["cut_off"]) == (
        0,
        {"5"},
    )


def test_without_a_connection_the_baseline_stays(pynats: Runner, tmp_path: Path) -> None:
    summary = tmp_path / "run.json"
    summary.write_text(
        before := json.dumps({"sent": 1, "answered": 1, "rate": 1.0, "failures": {}, "rtt_ns": {}})
    )
    files = ("--baseline", str(summary), "--summary-json", str(summary))
    assert pynats("request", "a", "b", "--count", "2", *files, server="nats://127.0.0.1:1").status == 5
    assert summary.read_text() == before
