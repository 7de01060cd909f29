"""How things are measured: each function here makes a `Measure`, which gives one `Sample` a run."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.load import Load
from benchmarks.server import HOST, ROOT, Bench, BenchError, Usage, floor_command, pynats_command, stop
from benchmarks.wire import Wire


@dataclass(frozen=True)
class Sample:
    """One run of one measurement."""

    value: float
    details: dict[str, float] = field(default_factory=dict)


CTRL_S, CTRL_Q = b"\x13", b"\x11"

Measure = Callable[[Bench], Sample]
Command = Callable[[Bench], list[str]]


def pynats(*arguments: str) -> Command:
    """`pynats ...` against the server of the run."""
    return lambda bench: [*pynats_command(), *arguments, "--server", bench.url]


def go_nats(*arguments: str) -> Command:
    """`nats ...`, the peer, if it is there."""
    return lambda bench: ["nats", "--server", bench.url, *arguments]


def floor(name: str, *arguments: object) -> Command:
    """A floor of `benchmarks.floors`."""
    return lambda bench: floor_command(name, HOST, bench.port, *arguments)


def python(code: str) -> Command:
    """`python -c CODE`."""
    return lambda _: [sys.executable, "-c", code]


def rate(command: Command, load: Load, warm_up: int = 2000, seconds: float = 15.0) -> Measure:
    """Requests a second that a responder answers, which may take `seconds` to start."""

    def measure(bench: Bench) -> Sample:
        now = replace(load, port=bench.port)
        warm = replace(now, requests=min(warm_up, max(16, load.requests // 10)))
        subject = now.subject.replace("{i}", "ready").replace("{digit}", "0")
        with bench.responder(command(bench), subject, seconds=seconds) as process:
            bench.load(warm)
            before, log_before = Usage.of(process.pid), bench.log_size
            report = bench.load(now)
            after, log_after = Usage.of(process.pid), bench.log_size
        details = {
            "generator_busy": round(report.busy, 3),
            "responder_cpu_us": round((after.cpu_seconds - before.cpu_seconds) / report.sent * 1e6, 2),
            "log_bytes": round((log_after - log_before) / report.sent, 1),
            "p50_us": report.latency["p50"],
            "p99_us": report.latency["p99"],
        }
        return Sample(report.rate, details)

    return measure


def watched(watcher: Command, load: Load) -> Measure:
    """Requests a second that `pynats reply` answers beside a process that sees them all."""

    def measure(bench: Bench) -> Sample:
        with contextlib.ExitStack() as stack:
            stack.enter_context(bench.responder(pynats("reply", load.subject, "OK")(bench), load.subject))
            file = stack.enter_context((bench.folder / "received").open("wb"))
            process = subprocess.Popen(
                watcher(bench),
                cwd=ROOT,
                env=bench.environ,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
            stack.callback(stop, process)
            bench.wait_for_subscriber(process, f"{load.subject}.ready", b"")
            before = Usage.of(process.pid)
            report = bench.load(replace(load, port=bench.port))
            seconds = Usage.of(process.pid).cpu_seconds - before.cpu_seconds
        return Sample(report.rate, {"watcher_cpu_us": round(seconds / report.sent * 1e6, 2)})

    return measure


def watched_at(watcher: Command, per_second: int, seconds: int) -> Measure:
    """The part of a core (%) that a process takes that sees exchanges at a rate and writes a line for each."""

    def measure(bench: Bench) -> Sample:
        count = per_second * seconds
        with contextlib.ExitStack() as stack:
            quiet = floor("raw-reply", "bench", "OK", "quiet")(bench)
            stack.enter_context(bench.responder(quiet, "bench"))
            file = stack.enter_context((bench.folder / "received").open("w+b"))
            process = subprocess.Popen(
                watcher(bench), cwd=ROOT, env=bench.environ, stdin=subprocess.DEVNULL, stdout=file,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip
            stack.callback(stop, process)
            bench.wait_for_subscriber(process, "bench.ready", b"")
            before = Usage.of(process.pid).cpu_seconds
            paced = {"port": bench.port, "subject": "bench", "rate": per_second, "requests": count}
            run = subprocess.run(
                [sys.executable, "-m", "benchmarks.paced", json.dumps(paced)], cwd=ROOT, env=bench.environ,
                capture_output=True, timeout=seconds + 60, check=True,
            )  # fmt: skip
            spent = Usage.of(process.pid).cpu_seconds - before
            stop(process)  # it shows what it has seen
            file.seek(0)
            seen = sum(b'"subject": "bench"' in line for line in file)
        answered = json.loads(run.stdout)["answered"]
        if answered != count or seen < count:
            raise BenchError(f"{answered} of {count} were answered, {seen} seen")
        return Sample(spent / seconds * 100, {"seen": seen})

    return measure


def latency(command: Command, load: Load) -> Measure:
    """Microseconds (p50) from the write of a request to its reply, one at a time."""

    def measure(bench: Bench) -> Sample:
        now = replace(load, port=bench.port, in_flight=1)
        with bench.responder(command(bench), now.subject):
            bench.load(replace(now, requests=1000))
            report = bench.load(now)
        return Sample(report.latency["p50"], {f"{name}_us": value for name, value in report.latency.items()})

    return measure


def sending(command: Callable[[int], Command], count: int, *, shows: bytes = b"") -> Measure:
    """Requests a second of a requester over its whole process, stdout to a file; `net` leaves its start-up out."""

    def measure(bench: Bench) -> Sample:
        with bench.responder(floor("raw-reply", "bench", "OK", "quiet")(bench), "bench"):
            alone = min(bench.time(command(1)(bench))[0] for _ in range(3))
            spent, output = bench.time(command(count)(bench), to_file=True)
        if shows and output.split() != [shows] * count:
            raise BenchError(f"{count} requests showed {len(output.split())} replies: {output[:80]!r}")
        return Sample(count / spent, {"one_ms": alone * 1e3, "net": (count - 1) / max(spent - alone, 1e-9)})

    return measure


def reporting(command: Callable[[Path], Command], count: int) -> Measure:
    """Requests a second, as a requester says at its end; it may read the exchanges from a file. `whole_ms` is all."""

    def measure(bench: Bench) -> Sample:
        file = bench.folder / "exchanges.jsonl"
        line = '{"subject":"bench","request":{"data":"hi %s"},"reply":{"data":"OK"}}\n'
        file.write_text("".join([line.replace("%s", str(number)) for number in range(count)]))
        with bench.responder(floor("raw-reply", "bench", "OK", "quiet")(bench), "bench"):
            began = time.perf_counter()
            run = subprocess.run(
                command(file)(bench), cwd=ROOT, env=bench.environ, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=60, check=True,
            )  # fmt: skip
            spent = time.perf_counter() - began
        said = re.search(r"Rate ([\d,]+)/s|([\d,]+) requests/s", run.stderr)
        if said is None:
            raise BenchError(f"no rate in {run.stderr!r}")
        return Sample(float((said[1] or said[2]).replace(",", "")), {"whole_ms": spent * 1e3})

    return measure


def publishing(command: Callable[[int], Command], count: int, payload: bytes) -> Measure:
    """Messages a second of a publisher over its whole process; a subscriber counts them. `net` leaves start-up out."""

    def measure(bench: Bench) -> Sample:
        alone = min(bench.time(command(1)(bench))[0] for _ in range(3))
        one = len(message(payload))
        with contextlib.closing(Wire(HOST, bench.port, timeout=10)) as wire:
            received = [len(wire.subscribe("bench"))]

            def receive() -> None:
                while received[0] < one * count:
                    received[0] += len(wire.receive(4 << 20).replace(b"PING\r\n", b""))

            thread = threading.Thread(target=receive, daemon=True)
            thread.start()
            spent, _ = bench.time(command(count)(bench))
            thread.join(10)
        if received[0] != one * count:
            raise BenchError(f"{received[0] / one:g} of {count} messages arrived")
        return Sample(count / spent, {"one_ms": alone * 1e3, "net": (count - 1) / max(spent - alone, 1e-9)})

    return measure


def message(payload: bytes) -> bytes:
    """A message as the subscriber of `publishing` gets it."""
    return b"MSG bench 1 %d\r\n%b\r\n" % (len(payload), payload)


def receiving(command: Callable[[int], Command], count: int, payload: bytes) -> Measure:
    """Messages a second that a subscriber writes to a file, from the first that is published to its end."""

    def measure(bench: Bench) -> Sample:
        one = b"PUB bench %d\r\n%b\r\n" % (len(payload), payload)
        with (bench.folder / "received").open("w+b") as file:
            process = subprocess.Popen(
                command(count)(bench), cwd=ROOT, env=bench.environ, stdin=subprocess.DEVNULL, stdout=file,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip
            try:
                bench.wait_for_subscriber(process, "bench", payload)
                with contextlib.closing(Wire(HOST, bench.port)) as wire:
                    start = time.perf_counter()
                    for begin in range(1, count, 1000):  # the first one found the subscriber
                        wire.send(one * min(1000, count - begin))
                    status = process.wait(120)
                    spent = time.perf_counter() - start
            finally:
                stop(process)
            file.seek(0)
            lines = file.read()
        if status or lines != (payload + b"\n") * count:
            raise BenchError(
                f"exited with {status}, having written {lines.count(payload)} of {count} messages"
            )
        return Sample(count / spent)

    return measure


def whole_process(command: Command, launches: int, *, shows: bytes = b"", responder: bool = False) -> Measure:
    """Milliseconds from starting a process to its end, stdout a pipe; the median of a few launches."""

    def measure(bench: Bench) -> Sample:
        with contextlib.ExitStack() as stack:
            if responder:
                quiet = floor("raw-reply", "bench", "OK", "quiet")(bench)
                stack.enter_context(bench.responder(quiet, "bench"))
            times = []
            for _ in range(launches):
                spent, output = bench.time(command(bench))
                if shows not in output:
                    raise BenchError(f"expected {shows!r} on stdout, not {output[:80]!r}")
                times.append(spent * 1e3)
        return Sample(statistics.median(times), {"fastest_ms": min(times)})

    return measure


def instructions(command: Command, *, responder: bool = False) -> Measure:
    """Millions of instructions of a whole process, which valgrind counts: the same on a busy machine."""

    def measure(bench: Bench) -> Sample:
        log = bench.folder / "valgrind.log"
        counting = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", f"--log-file={log}"]
        with contextlib.ExitStack() as stack:
            if responder:
                quiet = floor("raw-reply", "bench", "OK", "quiet")(bench)
                stack.enter_context(bench.responder(quiet, "bench"))
            bench.time(command(bench))  # what is imported is compiled, then
            bench.time([*counting, *command(bench)])
        collected = re.search(r"Collected : (\d+)", log.read_text())
        if collected is None:
            raise BenchError("valgrind has counted nothing")
        return Sample(int(collected[1]) / 1e6, {})

    return measure


def memory(command: Command, first: int, last: int) -> Measure:
    """Resident megabytes of a responder after `last` requests, and the growth since `first`."""

    def measure(bench: Bench) -> Sample:
        with bench.responder(command(bench), "bench") as process:
            bench.load(Load(bench.port, "bench", requests=first))
            start = Usage.of(process.pid).resident_mb
            for _ in range(last // first - 1):
                bench.load(Load(bench.port, "bench", requests=first))
            end = Usage.of(process.pid).resident_mb
        return Sample(end, {"first_mb": start, "growth": end / start if start else 0.0})

    return measure


def stalled(command: Command, *, terminal: bool, read: bool, seconds: float) -> Measure:
    """The longest wait for a reply (ms) when stdout and stderr are a pipe or a terminal that is, or is not, read."""

    def measure(bench: Bench) -> Sample:
        reader, writer = pty.openpty() if terminal else os.pipe()
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, reader)
            process = stack.enter_context(_writing_to(writer, bench, command))
            if read:
                stack.enter_context(_reading(reader))
            elif terminal:
                os.write(reader, CTRL_S)
            before = Usage.of(process.pid).resident_mb
            load = Load(bench.port, "bench", requests=1_500_000, in_flight=16, seconds=seconds, patience=20)
            report = bench.load(load)
            grown = Usage.of(process.pid).resident_mb - before
            if not read:
                # Let it go on, so that it can end by itself.
                if terminal:
                    os.write(reader, CTRL_Q)
                stack.enter_context(_reading(reader))
        details = {
            "p50_ms": report.latency["p50"] / 1e3, "p99_ms": report.latency["p99"] / 1e3,
            "rate": report.rate, "grown_mb": grown,
        }  # fmt: skip
        return Sample(report.latency["max"] / 1e3, details)

    return measure


@contextlib.contextmanager
def _writing_to(writer: int, bench: Bench, command: Command) -> Iterator[subprocess.Popen[bytes]]:
    """A responder that writes to `writer`, which is open nowhere else then."""
    with bench.responder(command(bench), "bench", output=writer) as process:
        os.close(writer)
        yield process


@contextlib.contextmanager
def _reading(reader: int) -> Iterator[None]:
    """Read and forget all that comes, in a thread."""
    end = threading.Event()

    def read() -> None:
        os.set_blocking(reader, False)
        while not end.wait(0.001):
            with contextlib.suppress(OSError):
                while os.read(reader, 1 << 20):
                    pass

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
