"""What one of many costs: the same job with ten times as much, in processor time for each line, subject or reply.

What does not grow with the number of them, above all the start, is measured with one and left out.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.cases import Case, Need
from benchmarks.load import Load
from benchmarks.measures import Command, Measure, Sample, floor, pynats, rate
from benchmarks.report import Result, number
from benchmarks.server import HOST, Bench, Usage, pynats_command
from benchmarks.wire import Wire, WireError, somebody_subscribes

#: How the names of the cases begin.
NAME = "growth-"
#: How much more one may cost when there are ten times as many.
BOUND = 1.3
#: Requests that a mock answers, enough to measure its processor time.
_REQUESTS = 100_000
#: Seconds that a mock may need to read its file and to subscribe.
_START = 120.0

#: A request and its reply; so many are published at once, and seconds until the next: watch follows only some of those
#: that come faster than it reads.
_EXCHANGE = b"PUB bench.%d _INBOX.growth.%d 2\r\nhi\r\nPUB _INBOX.growth.%d 2\r\nOK\r\n"
_AT_ONCE, _PAUSE = 50, 0.01

#: Does a job with so many items; gives the seconds of processor time that it took.
Job = Callable[[Bench, int], float]
#: An item of a file: what to write for this number.
Line = Callable[[int], dict[str, Any]]


def growth_cases(part: int) -> list[Case]:
    """All of them, slow ones; `part` divides the sizes."""
    return [
        *_mock_cases(20_000 // part),
        _case("contexts-ls", "pynats context ls, for each context", 300, _contexts_listed),
        _case("contexts-completion", "completion of --context, for each context", 300, _contexts_completed, 100),
        _case("watch-subjects", "pynats watch --stats, for each subject", 10_000 // part, _watched),
        _case("subscribe-subjects", "pynats subscribe --report-subjects, for each subject", 10_000 // part, _counted),
        _case("services", "pynats service ls, for each instance", 30, _services, 1000),
        _case("replies", "pynats request --replies 0, for each reply", 500, _replies, 100),
        _case("request-lines", "pynats request --send-on newline, for each line", 20_000 // part, _request_lines),
        _case("publish-lines", "pynats publish --send-on newline, for each line", 20_000 // part, _publish_lines),
        _case("verify", "pynats verify FILE, for each exchange", 20_000 // part, _verified),
        _case("verify-update", "pynats verify FILE --update, for each reply that differs", 20_000 // part, _updated),
        _case("watch-read", "pynats watch --read FILE, for each exchange", 20_000 // part, _read),
    ]  # fmt: skip


def table(results: Sequence[Result]) -> str:
    """What one cost when there were few and when there were ten times as many, as Markdown; empty without results."""
    if not results:
        return ""
    lines = ["| | few | each | many | each | many / few |", "|---|---:|---:|---:|---:|---:|"]
    for result in results:
        need, unit = result.case.needs[0], result.case.unit
        ratio = result.measured(need)
        cells = [
            cell for label in (need.by or "", need.of) for cell in (label, _each_of(result, label, unit))
        ]
        lines.append(f"| {result.case.title} | {' | '.join(cells)} | {f'{ratio:.2f}' if ratio else '-'} |")
    return "\n".join(lines) + "\n"


def _each_of(result: Result, label: str, unit: str) -> str:
    values = result.values(label)
    return f"{number(statistics.median(values))} {unit}" if values else "not measured"


def _case(name: str, title: str, few: int, job: Job, most: int = 10) -> Case:
    """With `few`, ten times as many, and so on until `most` times as many; the last two are compared."""
    measures: dict[str, Measure] = {}
    for items in (few * 10**power for power in range(len(str(most)))):
        measures[f"{items:,}"] = _each(job, items)
    return _compared_case(name, title, measures)


def _compared_case(name: str, title: str, measures: dict[str, Measure]) -> Case:
    *_, small, large = measures
    return Case(
        f"growth-{name}", title, "µs", measures, (Need(large, small, at_most=BOUND),), slow=True, most_runs=3
    )


def _each(job: Job, items: int) -> Measure:
    def measure(bench: Bench) -> Sample:
        alone, taken = _least(bench, job, 1), _least(bench, job, items)
        return Sample((taken - alone) / (items - 1) * 1e6, {"one_ms": alone * 1e3, "all_ms": taken * 1e3})

    return measure


def _least(bench: Bench, job: Job, items: int) -> float:
    """Of a few times, if one does not take long: a busy machine only adds to it."""
    taken = [job(bench, items)]
    while len(taken) < 4 and sum(taken) < 1.0:
        taken.append(job(bench, items))
    return min(taken)


# -- mocks ---------------------------------------------------------------------------------------------------


def _mock_cases(few: int) -> list[Case]:
    kinds: dict[str, tuple[str, Line, Callable[[int], Load]]] = {
        "requests": (
            "recorded requests of one subject",
            lambda n: {"subject": "bench", "request": f"request {n}", "reply": "OK"},
            lambda count: Load(0, "bench", payload=f"request {count - 1}"),
        ),
        "rules": (
            "rules of one subject",
            lambda n: {"subject": "bench", "request": {"json": {"kind": "order", "id": n}}, "reply": "OK"},
            lambda count: Load(0, "bench", payload=json.dumps({"id": count - 1, "kind": "order", "n": 1})),
        ),
        "subjects": (
            "rules of as many subjects",
            lambda n: {"subject": f"bench.{n}.*", "reply": "OK"},
            lambda count: Load(0, f"bench.{count - 1}.x"),
        ),
    }  # fmt: skip
    cases = []
    for kind, (what, line, load) in kinds.items():
        cases.append(
            _case(
                f"mock-{kind}",
                f"the start of pynats reply --mock, {what}, for each",
                few,
                _started(line, load),
            )
        )
        labels = {f"{items:,}": items for items in (10, 10 * few)}
        measures = {label: _answering_mock(line, load(items), items) for label, items in labels.items()}
        title = f"pynats reply --mock, {what}, for each request"
        cases.append(_compared_case(f"mock-{kind}-requests", title, measures))
    return cases


def _mock(path: Path) -> Command:
    return pynats("reply", "--mock", str(path), "--quiet")


def _started(line: Line, load: Callable[[int], Load]) -> Job:
    def job(bench: Bench, items: int) -> float:
        path = _file(bench, items, line)
        with bench.responder(_mock(path)(bench), load(items).subject, seconds=_START) as process:
            return Usage.of(process.pid).cpu_seconds

    return job


def _answering_mock(line: Line, load: Load, items: int) -> Measure:
    def measure(bench: Bench) -> Sample:
        load_ = replace(load, requests=_REQUESTS)
        sample = rate(_mock(_file(bench, items, line)), load_, seconds=_START)(bench)
        return Sample(sample.details["responder_cpu_us"], {"rate": sample.value})

    return measure


def _file(bench: Bench, items: int, line: Line) -> Path:
    path = bench.folder / "growth.jsonl"
    with path.open("w") as file:
        for number in range(items):
            file.write(json.dumps(line(number)) + "\n")
    return path


# -- contexts ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _contexts(bench: Bench, items: int) -> Iterator[None]:
    folder = bench.folder / "nats" / "context"
    folder.mkdir(parents=True)
    try:
        for number in range(items):
            (folder / f"context-{number}.json").write_text(
                json.dumps({"url": bench.url, "description": "one of many"})
            )
        yield
    finally:
        shutil.rmtree(folder.parent)


def _contexts_listed(bench: Bench, items: int) -> float:
    with _contexts(bench, items):
        return bench.processor_time(pynats("context", "ls")(bench))


def _contexts_completed(bench: Bench, items: int) -> float:
    words = {
        "_PYNATS_COMPLETE": "bash_complete",
        "COMP_WORDS": "pynats --context context-",
        "COMP_CWORD": "2",
    }
    with _contexts(bench, items):
        return bench.processor_time(["env", *(f"{k}={v}" for k, v in words.items()), *pynats()(bench)[:-2]])


# -- subjects ------------------------------------------------------------------------------------------------


def _watched(bench: Bench, items: int) -> float:
    return _receiving(bench, items, "watch", "--stats")


def _counted(bench: Bench, items: int) -> float:
    return _receiving(bench, items, "subscribe", "--report-subjects")


def _receiving(bench: Bench, items: int, *command: str) -> float:
    """A request and its reply on each subject, once somebody listens."""

    def publish() -> None:
        with contextlib.closing(Wire(HOST, bench.port, timeout=30)) as wire:
            while not somebody_subscribes(HOST, bench.port, "bench.0", b"hi", b"OK"):
                time.sleep(0.01)
            for first in range(1, items, _AT_ONCE):
                numbers = range(first, min(first + _AT_ONCE, items))
                wire.send(b"".join(_EXCHANGE % (number, number, number) for number in numbers))
                time.sleep(_PAUSE)
            wire.subscribe("_INBOX.published")  # waits for a PONG

    thread = threading.Thread(target=publish, daemon=True)
    thread.start()
    try:
        return bench.processor_time(pynats(*command, "bench.*", "--count", str(items))(bench))
    finally:
        thread.join(30)


# -- replies -------------------------------------------------------------------------------------------------


def _services(bench: Bench, items: int) -> float:
    endpoints = [{"name": "get", "subject": "orders", "queue_group": "q", "metadata": {}}]
    about = {"type": "io.nats.micro.v1.info_response", "name": "orders", "version": "1.0.0", "metadata": {},
             "description": "", "endpoints": endpoints}  # fmt: skip

    def info(number: int) -> bytes:
        return json.dumps(about | {"id": f"ID{number:08}"}).encode()

    with _answering(bench, "$SRV.>", [info(number) for number in range(items)]):
        return bench.processor_time(pynats("service", "ls")(bench))


def _replies(bench: Bench, items: int) -> float:
    with _answering(bench, "bench", [b"reply %d" % number for number in range(items)]):
        return bench.processor_time(
            pynats("request", "bench", "hi", "--replies", "0", "--timeout", "1")(bench)
        )


@contextlib.contextmanager
def _answering(bench: Bench, subject: str, replies: list[bytes]) -> Iterator[None]:
    """Answers each request with all of these."""
    wire = Wire(HOST, bench.port, timeout=60)
    wire.subscribe(subject)

    def answer() -> None:
        with contextlib.suppress(WireError, OSError):
            while data := wire.receive():
                for line in data.split(b"\r\n"):
                    if line.startswith(b"MSG "):
                        inbox = line.split(b" ")[3]
                        wire.send(b"".join(b"PUB %b %d\r\n%b\r\n" % (inbox, len(r), r) for r in replies))
                    elif line == b"PING":
                        wire.send(b"PONG\r\n")

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield
    finally:
        wire.socket.shutdown(2)
        thread.join(5)
        wire.close()


# -- lines and recordings ------------------------------------------------------------------------------------


def _request_lines(bench: Bench, items: int) -> float:
    return _sent(bench, items, pynats("request", "bench", "--send-on", "newline", "--concurrency", "64"))


def _publish_lines(bench: Bench, items: int) -> float:
    return _sent(bench, items, pynats("publish", "bench", "--send-on", "newline"))


def _sent(bench: Bench, items: int, command: Command) -> float:
    lines = bench.folder / "lines"
    lines.write_text("".join(f"line {number}\n" for number in range(items)))
    with bench.responder(floor("raw-reply", "bench", "OK", "quiet")(bench), "bench"):
        return bench.processor_time(command(bench), stdin=lines)


def _verified(bench: Bench, items: int) -> float:
    return _compared(bench, _recording(bench, items, "OK"))


def _updated(bench: Bench, items: int) -> float:
    return _compared(bench, _recording(bench, items, "was this"), "--update")


def _compared(bench: Bench, path: Path, *options: str) -> float:
    with bench.responder(floor("raw-reply", "bench", "OK", "quiet")(bench), "bench"):
        return bench.processor_time(pynats("verify", str(path), "--concurrency", "64", *options)(bench))


def _read(bench: Bench, items: int) -> float:
    return bench.processor_time([*pynats_command(), "watch", "--read", str(_recording(bench, items, "OK"))])


def _recording(bench: Bench, items: int, reply: str) -> Path:
    def exchange(number: int) -> dict[str, Any]:
        when = f"2026-11-29T10:{number // 6000 % 60:02}:{number // 100 % 60:02}.{number % 100:02}Z"
        return {"subject": "bench", "request": {"data": f"request {number}"}, "reply": {"data": reply},
                "time": when, "rtt_ns": 400_000}  # fmt: skip

    return _file(bench, items, exchange)
