"""Many requests: counted, in flight together, timed, summed up."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.program import Program, Run, Runner
from tests.request.responders import Answer, Request, Responders
from tests.servers import Server

Ask = Callable[..., Run]


def after(seconds: float) -> Callable[[Request], list[Answer]]:
    return lambda request: [Answer(request.payload, after=seconds)]


def test_a_count_is_sent_in_order_and_summed_up(ask: Ask, responders: Responders) -> None:
    run = ask(responders(), "{{Count}}", "--count", "5")
    assert (run.status, run.lines) == (0, ["1", "2", "3", "4", "5"])
    assert run.errors[-3] == "Sent 5, answered 5, failed 0"
    numbers = r"[\d.]+(µs|ms|s)"
    names = ("min", "mean", "p50", "p90", "p99", r"p99\.9", "max")
    assert re.fullmatch("RTT " + ", ".join(f"{name} {numbers}" for name in names), run.errors[-1])


def test_a_failure_does_not_stop_the_rest(ask: Ask, responders: Responders) -> None:
    responders(subject="t.part.2")
    responders(lambda request: [], subject="t.part.3")
    run = ask("t.part.{{Count}}", "{{Count}}", "--count", "4", "--timeout", "150ms")
    assert (run.status, run.lines) == (3, ["2"])
    assert "[#1] no responders (t.part.1)" in run.stderr
    assert "[#3] timeout: no reply within 150ms (t.part.3)" in run.stderr
    assert "[#4] no responders (t.part.4)" in run.stderr
    assert run.errors[-3] == "Sent 4, answered 1, failed 3 (2 no responders, 1 timeout)"


@pytest.mark.parametrize("flag", ["--raw", "--json"])
def test_the_summary_is_on_stderr_only(ask: Ask, responders: Responders, flag: str) -> None:
    run = ask(responders(), "x", "--count", "2", flag)
    assert run.errors[0] == "Sent 2, answered 2, failed 0"
    assert b"Sent" not in run.stdout


def test_ctrl_c_ends_a_run_whose_requests_are_all_refused(
    spawn: Callable[..., Program], nats_server: Server, tmp_path: Path
) -> None:
    (tmp_path / "body").write_bytes(b"x" * 2_000_000)
    program = spawn("request", "s", "--count", "1000000", "--body-file", str(tmp_path / "body"),
                    ready="[#1]", server=nats_server)  # fmt: skip
    assert program.stop(signal.SIGINT) == 130
    summaries = re.findall(r"^Sent 0, answered 0, failed (\d+)", program.stderr_text(), re.MULTILINE)
    assert len(summaries) == 1
    assert int(summaries[0]) < 500_000


def test_one_request_has_no_summary(ask: Ask, responders: Responders) -> None:
    assert "Sent" not in ask(responders(), "x").stderr
    assert "Sent 1" in ask(responders(), "x", "--count", "1").stderr
    assert ask(responders(), "x", "--count", "1", "--quiet").stderr == ""


def test_requests_are_in_flight_together(ask: Ask, responders: Responders) -> None:
    run = ask(
        responders(after(0.3)), "{{Count}}", "--count", "12", "--concurrency", "6", "--json", within=2.5
    )
    assert run.status == 0
    assert sorted(reply["request"] for reply in run.objects) == list(range(1, 13))
    assert run.seconds >= 0.6


def test_no_more_are_in_flight_than_asked_for(ask: Ask, responders: Responders) -> None:
    in_flight: list[int] = []
    seen: list[int] = []

    def answers(request: Request) -> Iterator[Answer]:
        in_flight.append(1)
        seen.append(len(in_flight))
        yield Answer(b"", after=0.05)
        in_flight.pop()

    assert ask(responders(answers), "x", "--count", "9", "--concurrency", "3").status == 0
    assert (len(seen), max(seen)) == (9, 3)


def test_the_rtt_is_that_of_the_reply(ask: Ask, responders: Responders) -> None:
    run = ask(responders(after(0.1)), "x", "--json", "--count", "3")
    assert 100e6 <= min(reply["rtt_ns"] for reply in run.objects) < 300e6


def test_a_slow_reader_does_not_inflate_the_rtt(
    pynats: Runner, nats_server: Server, responders: Responders
) -> None:
    subject = responders(lambda request: [b"x" * 60_000])
    process = subprocess.Popen(
        [sys.executable, "-m", "natscli", "request", subject, "y", "--count", "40", "--concurrency", "4"],
        env={**pynats.environ, "NATS_URL": nats_server.url},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(1)
    time.sleep(0.6)  # a reader that is somewhere else
    out = process.stdout.read()
    assert process.wait(20) == 0
    last = process.stderr.read().decode().splitlines()[-1]
    assert len(out) == 40 * 60_001 - 1
    assert re.search(r"max [\d.]+(µs|ms)$", last), last
    slowest, unit = re.findall(r"max ([\d.]+)(µs|ms)$", last)[0]
    assert float(slowest) * {"µs": 1e-3, "ms": 1}[unit] < 500
    process.stdout.close()
    process.stderr.close()


def test_replies_that_are_not_read_do_not_fill_the_memory(
    pynats: Runner, nats_server: Server, responders: Responders
) -> None:
    subject = responders(lambda request: [Answer(b"x" * 1_000_000, after=0.01)] * 320)
    process = subprocess.Popen(
        [sys.executable, "-m", "natscli", "request", subject, "y", "--replies", "0", "--timeout", "8s", "--raw"],
        env={**pynats.environ, "NATS_URL": nats_server.url},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    time.sleep(8.5)
    memory = int(subprocess.run(["ps", "-o", "rss=", "-p", str(process.pid)], stdout=subprocess.PIPE).stdout)
    out = process.stdout.read()
    errors = process.stderr.read().decode()
    process.stdout.close()
    process.stderr.close()
    assert process.wait(20) == 1
    came = out.count(b"x") // 1_000_000
    told = [int(n) for n in re.findall(r"^pynats: (\d+) more were not shown", errors, re.MULTILINE)]
    assert errors.endswith(f"replies not shown, because the output could not keep up: {sum(told)}\n")
    assert sum(told) > 0
    assert 200 < came <= 320 - sum(told)
    assert memory < 350_000  # kB
