"""`pynats watch --stats --report`: a page with the figures of what was watched."""

from __future__ import annotations

import time
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


def test_replies_count_when_they_came(
    runner: Runner, spawn: Callable[..., Program], nats_server: Server, tmp_path: Path
) -> None:
    report = tmp_path / "watched.html"
    spawn("reply", tmp_path.name, "--echo", server=nats_server)
    options = ("--stats", "--reply-timeout", "1s", "--report", str(report))
    watch = spawn("watch", tmp_path.name, *options, server=nats_server, ready="Watching")
    run = runner(
        "request", tmp_path.name, "x", "--rate", "400", "--count", "200", "--raw", server=nats_server
    )
    assert run.status == 0
    time.sleep(1.5)
    assert watch.stop() == 0
    rates = ReadPage(report.read_text()).lines[0]
    busy = [x for x, y in rates if y < max(y for _, y in rates)]
    assert busy[-1] < rates[-1][0] * 2 / 3  # before the second in which no further reply came


def test_a_recording_has_a_report_over_its_own_time(runner: Runner, tmp_path: Path) -> None:
    file, report = tmp_path / "seen.jsonl", tmp_path / "seen.html"
    lines = [
        f'{{"time":"2026-01-02T03:0{minute}:00Z","rtt_ns":2000000,"subject":"o.{minute}","request":"x","reply":"y"}}'
        for minute in (4, 5, 6)
    ]
    lines += ['{"rtt_ns":9000000,"subject":"o.4","request":"x","reply":"when?"}']
    lines += ['{"time":"2026-01-02T03:06:00Z","subject":"o.6","request":"x","reply":null}']
    file.write_text("\n".join(lines))
    options = ("--stats", "--report", str(report))
    run = runner("watch", "o.>", "--read", str(file), *options, server="nats://127.0.0.1:1")
    assert run.status == 0, run.stderr
    page = ReadPage(report.read_text())
    assert page.figures["exchanges"] == {"5", "2", "1"}
    assert page.figures["rate"] == {str(round(number / 120, 3)) for number in (5, 2, 1)}
    assert page.figures["unanswered"] == {"1", "0"}
    assert page.figures["rtt_ns.max"] == {"9000000"}
    assert page.tags.count("path") == 5  # failures too
    assert f"Exchanges on o.> in {file}" in page.text
    assert "2026-01-02T03:06:00Z" in page.text
    timeless = tmp_path / "timeless.jsonl"
    timeless.write_text(lines[3])
    run = runner("watch", "--read", str(timeless), "--stats", "--report", "-", server="nats://127.0.0.1:1")
    assert (run.status, "rate" in ReadPage(run.text).figures) == (0, False)
    nothing = runner("watch", "none", "--read", str(file), *options, server="nats://127.0.0.1:1")
    assert (nothing.status, ReadPage(report.read_text()).figures["exchanges"]) == (0, {"0"})


def test_a_watch_that_an_error_ended_does_not_look_complete(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], tmp_path: Path
) -> None:
    user = "authorization { users: [{ user: a, password: b%s }] }\nno_auth_user: a"
    server, report = server_factory(user % ""), tmp_path / "watched.html"
    options = ("--stats", "--report", str(report), "--log", "json")
    watch = spawn("watch", "x", *options, server=server, ready="Watching")
    server.reload(user % ', permissions: { subscribe: { deny: ["x"] } }')
    assert watch.wait() == 6
    page = ReadPage(report.read_text())
    assert page.figures["cut_off"] == {"6"}
    assert "Cut offrefused" in page.text


def test_what_cannot_be_reported_is_refused(runner: Runner, nats_server: Server, tmp_path: Path) -> None:
    def refused(*arguments: str) -> str:
        run = runner("watch", "x", *arguments, server=nats_server)
        assert run.status == 2
        return run.errors[0]

    assert "--report needs --stats" in refused("--report", "x.html")
    assert "no such directory" in refused("--stats", "--report", f"{tmp_path}/no/x.html")
    assert "--report - and --json" in refused("--stats", "--json", "--report", "-")


def test_without_a_connection_there_is_no_report_of_an_earlier_run(runner: Runner, tmp_path: Path) -> None:
    report = tmp_path / "watched.html"
    report.write_text("of an earlier run")
    run = runner("watch", "a.>", "--stats", "--report", str(report), server="nats://127.0.0.1:1")
    page = ReadPage(report.read_text())
    assert (run.status, page.figures["cut_off"]) == (5, {"5"})
    assert "Exchanges on a.>" in page.text
