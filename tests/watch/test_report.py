"""`pynats watch --stats --report`: a page with the figures of what was watched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.output.report.pages import ReadPage
from tests.program import Program, Runner
from tests.servers import Server


def test_a_report_has_the_figures_of_the_table(
    runner: Runner, spawn: Callable[..., Program], nats_server: Server, tmp_path: Path
) -> None:
    report = tmp_path / "watched.html"
    spawn("reply", f"{tmp_path.name}.*", "--echo", server=nats_server)
    watch = spawn(
        "watch", f"{tmp_path.name}.>", "--stats", "--count", "30", "--report", str(report), server=nats_server
    )
    watch.wait_for("Watching")
    for name, count in (("a", 20), ("<b>", 10)):
        asked = runner("request", f"{tmp_path.name}.{name}", "x", "--count", f"{count}", server=nats_server)
        assert asked.status == 0
    assert watch.wait() == 0
    page = ReadPage(report.read_text())
    assert page.figures["exchanges"] == {"30", "20", "10"}
    assert page.figures["unanswered"] == page.figures["errors"] == {"0"}
    assert "rtt_ns.p99" in page.figures
    assert f"{tmp_path.name}.<b>" in page.text
    assert page.tags.count("path") == 4
    assert nats_server.url in page.text


def test_what_cannot_be_reported_is_refused(runner: Runner, nats_server: Server, tmp_path: Path) -> None:
    def refused(*arguments: str) -> str:
        run = runner("watch", "x", *arguments, server=nats_server)
        assert run.status == 2
        return run.errors[0]

    assert "--report needs --stats" in refused("--report", "x.html")
    assert "no such directory" in refused("--stats", "--report", f"{tmp_path}/no/x.html")
    assert "--report - and --json" in refused("--stats", "--json", "--report", "-")
