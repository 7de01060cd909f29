"""What is measured: each case is a few things measured side by side, and what is required of them."""

from __future__ import annotations

import shlex
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.load import Load
from benchmarks.measures import (
    Command,
    Measure,
    floor,
    go_nats,
    instructions,
    latency,
    memory,
    publishing,
    pynats,
    python,
    rate,
    receiving,
    reporting,
    sending,
    stalled,
    watched,
    watched_at,
    whole_process,
)

BARE, RAW, PYNATS, GO = "bare nats-py", "raw asyncio", "pynats", "Go nats"
TEMPLATE = "Reply {{Count}} {{ID}} {{Request}}"
FILLED_IN = r"Reply (\d+) (\S+) {payload}"
#: The functions of the cases with --handler.
HANDLERS = Path(__file__).with_name("handlers.py")
#: The program in Python of the cases with --pipe.
ANSWERS = Path(__file__).with_name("answers.py")
#: nats-py imports aiohttp where it is installed, which takes longer than all the rest. The floor does without.
NO_AIOHTTP = "import sys; sys.modules['aiohttp'] = None; "


@dataclass(frozen=True)
class Need:
    """A requirement: the median of `of`, divided by that of `by` if given, against a bound."""

    of: str
    by: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    #: A detail of the samples instead of their value.
    detail: str | None = None
    unit: str = ""

    @property
    def title(self) -> str:
        """`pynats / bare nats-py`."""
        name = f"{self.of}, {self.detail.replace('_', ' ')}" if self.detail else self.of
        return f"{name} / {self.by}" if self.by else name

    @property
    def bound(self) -> str:
        """`≥ 2.2`."""
        sign, value = ("≥", self.at_least) if self.at_least is not None else ("≤", self.at_most)
        return f"{sign} {value:g}{' ' if self.unit else ''}{self.unit}"

    def met(self, value: float) -> bool:
        """Whether `value` satisfies it."""
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )


@dataclass(frozen=True)
class Case:
    """Things that are measured in turn, run after run."""

    name: str
    title: str
    unit: str
    measures: dict[str, Measure]
    needs: tuple[Need, ...] = ()
    #: Measured unless named only when asked for (`--full`, `--only`).
    slow: bool = False
    #: Measured only when named: it installs what it needs.
    installs: bool = False
    most_runs: int = 100


def all_cases(quick: bool = False) -> list[Case]:
    """Every case, in the order of the report; `quick` ones are a fifth the size."""
    part = 5 if quick else 1
    return [
        *_reply_cases(part),
        *_payload_cases(part),
        _request_case("request-count", 20_000 // part, 64, 1.0),
        _request_case("request-many", 400_000 // part, 64, 1.5, 0.75),
        _request_case("request-serial", 5000 // part, 1, 0.9),
        _verify_case(50_000 // part),
        _publish_case(200_000 // part),
        _subscribe_case(200_000 // part),
        _watch_case(1_000_000 // part),
        _processes_case(3000 // part),
        _start_up_case(2 if quick else 5),
        *_instructions_cases(),
        _command_case(2000 // part),
        _pipe_case(100_000 // part, 500 // part),
        _stalled_case(3.0 if quick else 10.0),
        _memory_case(100_000 // part, 2_000_000 // part),
    ]


def _with_go(measures: dict[str, Measure], measure: Measure) -> dict[str, Measure]:
    return measures | {GO: measure} if shutil.which("nats") else measures


def _reply_cases(part: int) -> list[Case]:
    load = Load(0, "bench", requests=200_000 // part)
    half = replace(load, requests=load.requests // 2)
    numbered = replace(half, payload="hello {i}")
    templated, echoed = replace(numbered, expect=FILLED_IN), replace(numbered, expect="{payload}")
    single = replace(load, requests=5000 // part, in_flight=1)
    body, template, echo = (
        ("reply", "bench", "OK"),
        ("reply", "bench", TEMPLATE),
        ("reply", "bench", "--echo"),
    )
    handler = ("reply", "bench", "--handler")
    bare, raw = floor("bare-reply", "bench", "OK"), floor("raw-reply", "bench", "OK")
    raw_quiet = floor("raw-reply", "bench", "OK", "quiet")
    mirror = floor("mirror", "bench", "hello", "OK")

    def case(
        name: str, title: str, measures: dict[str, Measure], *needs: Need, unit: str = "requests/s"
    ) -> Case:
        return Case(name, title, unit, measures, needs)

    return [
        case("ceiling", "a search-and-replace answers: what generator and server can do",
             {"mirror": rate(mirror, load), f"{RAW}, no log": rate(raw_quiet, load)}),
        case("reply-static", "pynats reply x OK, log to a file, 256 in flight",
             _with_go({PYNATS: rate(pynats(*body), load), BARE: rate(bare, half), RAW: rate(raw, load)},
                      rate(go_nats(*body), half)),
             Need(PYNATS, BARE, at_least=2.2), Need(PYNATS, RAW, at_least=0.75)),
        case("reply-quiet", "pynats reply x OK --quiet, payloads to a file, 256 in flight",
             {PYNATS: rate(pynats(*body, "--quiet"), load), f"{RAW}, no log": rate(raw_quiet, load)}),
        case("reply-json", "pynats reply x OK --json, to a file, 256 in flight",
             {PYNATS: rate(pynats(*body, "--json"), half), BARE: rate(bare, half)}),
        case("reply-template", f'pynats reply x "{TEMPLATE}", log to a file, 256 in flight',
             _with_go({PYNATS: rate(pynats(*template), templated), BARE: rate(bare, numbered)},
                      rate(go_nats(*template), templated)),
             Need(PYNATS, BARE, at_least=1.5)),
        case("reply-echo", "pynats reply x --echo, log to a file, 256 in flight",
             _with_go({PYNATS: rate(pynats(*echo), echoed), BARE: rate(floor("bare-echo", "bench"), echoed)},
                      rate(go_nats(*echo), echoed))),
        case("handler", "pynats reply x --handler, an async function that returns OK, log to a file, 256 in flight",
             {PYNATS: rate(pynats(*handler, f"{HANDLERS}:ok"), load), BARE: rate(bare, half),
              "plain function": rate(pynats(*handler, f"{HANDLERS}:plain"), half)},
             Need(PYNATS, BARE, at_least=1.3)),
        case("endpoints", "pynats reply --handler: ten endpoints, and one with a wildcard, 256 in flight",
             {name: rate(pynats("reply", "--handler", f"{HANDLERS}:{name}"), replace(half, subject="bench.{digit}"))
              for name in ("one", "ten")}, Need("ten", "one", at_least=0.95)),
        case("watch-rate", "pynats watch --json to a file, 10,000 exchanges/s: none missed, this part of a core",
             {PYNATS: watched_at(pynats("watch", ">", "--json"), 10_000, 5)}, Need(PYNATS, at_most=60.0), unit="%"),
        case("latency", "pynats reply x OK, log to a file, one in flight: half of the replies are faster than",
             _with_go({PYNATS: latency(pynats(*body), single), BARE: latency(bare, single),
                       RAW: latency(raw, single)}, latency(go_nats(*body), single)),
             Need(PYNATS, BARE, at_most=1.1), unit="µs"),
    ]  # fmt: skip


def _payload_cases(part: int) -> list[Case]:
    base = Load(0, "bench.numbered", payload="hello {i}", expect="{payload}", requests=100_000 // part)
    headers = [["Trace", "4f2a"], ["Kind", "test"], ["Attempt", "1"]]
    loads = {
        "payload-1m": ("1 MB payloads, 8 in flight", replace(base, requests=500 // part, in_flight=8, size=1_000_000)),
        "payload-64k": ("64 kB payloads, 32 in flight",
                        replace(base, requests=6000 // part, in_flight=32, size=64_000)),
        "payload-0": ("empty payloads, 256 in flight", replace(base, payload="")),
        "headers": ("three headers, 256 in flight",
                    replace(base, headers=headers, expect_headers=[": ".join(pair) for pair in headers])),
        "subjects": ("10,000 subjects under a wildcard, 256 in flight", replace(base, subject="bench.{i}")),
    }  # fmt: skip
    echo = ("reply", "bench.>", "--echo")
    return [
        Case(
            name, f"pynats reply 'x.>' --echo, log to a file: {title}", "requests/s",
            _with_go({PYNATS: rate(pynats(*echo), load, 200), BARE: rate(floor("bare-echo", "bench.>"), load, 200)},
                     rate(go_nats(*echo), load, 200)),
            (Need(PYNATS, BARE, at_least=1.0),),
        )
        for name, (title, load) in loads.items()
    ]  # fmt: skip


def _request_case(name: str, count: int, tasks: int, bound: float, raw: float = 0.0) -> Case:
    def ours(n: int) -> Command:
        flags = ("--concurrency", str(tasks)) if tasks > 1 else ()
        return pynats("request", "bench", "hi", "--raw", "--count", str(n), *flags)

    measures = {
        PYNATS: sending(ours, count, shows=b"OK"),
        BARE: sending(lambda n: floor("bare-request", "bench", "hi", n, tasks), count),
    }
    needs = [Need(PYNATS, BARE, at_least=bound)]
    if raw:
        measures[RAW] = sending(lambda n: floor("raw-request", "bench", "hi", n, tasks), count, shows=b"OK")
        needs.append(Need(PYNATS, RAW, at_least=raw))
    if tasks == 1:
        peer = sending(lambda n: go_nats("request", "--count", str(n), "--raw", "bench", "hi"), count)
        measures = _with_go(measures, peer)
    title = f"pynats request --count {count} --concurrency {tasks} --raw to a file, whole process"
    return Case(name, title, "requests/s", measures, tuple(needs))


def _verify_case(count: int) -> Case:
    request = pynats(
        "request", "bench", "hi {{Count}}", "--raw", "--count", str(count), "--concurrency", "64"
    )
    measures = {
        "verify": reporting(lambda file: pynats("verify", str(file), "--concurrency", "64"), count),
        "request": reporting(lambda _: request, count),
    }
    title = f"pynats verify, {count} exchanges, and request, both with 64 in flight, as they say themselves"
    return Case("verify", title, "requests/s", measures, (Need("verify", "request", at_least=0.7),))


def _publish_case(count: int) -> Case:
    measures = {
        PYNATS: publishing(lambda n: pynats("publish", "bench", "hello", "--count", str(n)), count, b"hello"),
        BARE: publishing(lambda n: floor("bare-publish", "bench", "hello", n), count, b"hello"),
    }
    if shutil.which("nats"):
        few = count // 10  # it asks the server after each message
        measures[GO] = publishing(
            lambda n: go_nats("pub", "bench", "hello", "--count", str(n), "--quiet"), few, b"hello"
        )
    title = f"pynats publish --count {count}, whole process, one subscriber"
    return Case("publish", title, "messages/s", measures, (Need(PYNATS, BARE, at_least=1.5),))


def _subscribe_case(count: int) -> Case:
    def ours(n: int) -> Command:
        return pynats("subscribe", "bench", "--raw", "--count", str(n))

    measures = {
        PYNATS: receiving(ours, count, b"hello"),
        BARE: receiving(lambda n: floor("bare-subscribe", "bench", n), count, b"hello"),
    }
    measures = _with_go(
        measures, receiving(lambda n: go_nats("sub", "bench", "--raw", "--count", str(n)), count, b"hello")
    )
    title = (
        f"pynats subscribe --count {count} --raw to a file, from the first message to the end of the process"
    )
    return Case("subscribe", title, "messages/s", measures, (Need(PYNATS, BARE, at_least=1.5),))


def _watch_case(count: int) -> Case:
    load = Load(0, "bench", requests=count)
    measures = {
        PYNATS: watched(pynats("watch", ">", "--json"), load),
        BARE: watched(floor("bare-watch", ">"), load),
        "nobody watches": rate(pynats("reply", "bench", "OK"), load),
    }
    title = "pynats reply x OK, 256 in flight, while another process sees all: pynats watch --json to a file"
    return Case("watch", title, "requests/s", measures, (Need(PYNATS, BARE, at_least=1.0),))


def _start_up_case(launches: int) -> Case:
    def launch(command: Command) -> Measure:
        return whole_process(command, launches)

    request, listing = "pynats request", "pynats context ls"
    measures = {
        "python -c pass": launch(python("pass")),
        "import asyncio": launch(python("import asyncio")),
        "import click": launch(python("import click")),
        "import asyncio, click, nats": launch(python(f"{NO_AIOHTTP}import asyncio, click, nats")),
        request: whole_process(pynats("request", "bench", "hi"), launches, shows=b"OK", responder=True),
        listing: launch(pynats("context", "ls")),
    }
    if shutil.which("nats"):
        peer = go_nats("request", "bench", "hi")
        measures[f"{GO} request"] = whole_process(peer, launches, shows=b"OK", responder=True)
        measures[f"{GO} context ls"] = launch(go_nats("context", "ls"))
    return Case(
        "start-up", "whole processes, stdout a pipe", "ms", measures,
        (Need(request, "import asyncio", at_most=1.6), Need(listing, "import click", at_most=1.1),
         Need(request, "import asyncio, click, nats", at_most=0.9)),
    )  # fmt: skip


def _instructions_cases() -> list[Case]:
    """What is counted where `start-up` takes the time; only if valgrind is there."""
    if not shutil.which("valgrind"):
        return []
    request, listing = "pynats request", "pynats context ls"
    measures = {
        "python -c pass": instructions(python("pass")),
        "import asyncio": instructions(python("import asyncio")),
        "import click": instructions(python("import click")),
        request: instructions(pynats("request", "bench", "hi"), responder=True),
        listing: instructions(pynats("context", "ls")),
    }
    needs = (Need(request, "import asyncio", at_most=1.35), Need(listing, "import click", at_most=1.1))
    return [Case("instructions", "instructions of whole processes", "millions", measures, needs)]


def _processes_case(requests: int) -> Case:
    load = Load(0, "bench", requests=requests, in_flight=32)
    run = ("reply", "bench", "--handler", f"{HANDLERS}:compute", "--processes")
    one, two = "1 process", "2 processes"
    measures = {one: rate(pynats(*run, "1"), load), two: rate(pynats(*run, "2"), load)}
    title = "pynats reply x --handler, a function that computes for 1 ms, 32 in flight, on two cores"
    return Case("processes", title, "requests/s", measures, (Need(two, one, at_least=1.6),))


def _command_case(requests: int) -> Case:
    load = Load(0, "bench", requests=requests, in_flight=16, expect="hi\n?", patience=20)
    run = ("reply", "bench", "--command", "/bin/echo hi")
    measures = {PYNATS: rate(pynats(*run), load, 32)}
    for flag in ("--concurrency 1", "--concurrency 16"):
        measures[flag] = rate(pynats(*run, *flag.split()), load, 32)
    return Case(
        "command", "pynats reply --command '/bin/echo hi', 16 in flight", "requests/s",
        _with_go(measures, rate(go_nats(*run), load, 32)), (Need(PYNATS, "--concurrency 1", at_least=1.5),),
    )  # fmt: skip


def _pipe_case(requests: int, runs: int) -> Case:
    """The same programs and requests for --pipe and --command: a line of JSON in, one out."""
    line = '{"id": 1, "data": "hello {i}"}'
    printed = r'\{"id": ?1, ?"data": ?"hello (\d+)"\}\n'
    piped = Load(0, "bench", requests=requests, payload=line, expect="{payload}")
    run = replace(piped, requests=runs, in_flight=16, expect=printed, patience=20)
    programs = {"Python": shlex.join([sys.executable, "-S", str(ANSWERS)])}
    if shutil.which("jq"):
        programs["jq"] = "jq -c --unbuffered '{id, data}'"
    measures: dict[str, Measure] = {}
    needs: list[Need] = []
    for name, program in programs.items():
        for option, load in (("--pipe", piped), ("--command", run)):
            measures[f"{option}, {name}"] = rate(pynats("reply", "bench", option, program), load, 32)
        needs.append(Need(f"--pipe, {name}", f"--command, {name}", at_least=20))
    title = "pynats reply --pipe, 256 in flight, and --command with the same program, 16 in flight"
    return Case("pipe", title, "requests/s", measures, tuple(needs))


def _stalled_case(seconds: float) -> Case:
    measures: dict[str, Measure] = {}
    needs: list[Need] = []
    for name, terminal, stopped in (("pipe", False, "not read"), ("terminal", True, "stopped by Ctrl-S")):
        for state, read in (("read", True), (stopped, False)):
            measures[f"{name}, {state}"] = stalled(
                pynats("reply", "bench", "OK"), terminal=terminal, read=read, seconds=seconds
            )
        label = f"{name}, {stopped}"
        needs.append(Need(label, at_most=100.0, unit="ms"))
        needs.append(Need(label, f"{name}, read", at_most=1.25, detail="p50_ms"))
    title = f"the longest wait for a reply in {seconds:g} s of a stopped output, 16 in flight"
    return Case("stalled", title, "ms", measures, tuple(needs), most_runs=3)


def _memory_case(first: int, last: int) -> Case:
    measures, needs = {}, []
    for label, flags in ((PYNATS, ()), ("pynats --quiet", ("--quiet",))):
        measures[label] = memory(pynats("reply", "bench", "OK", *flags), first, last)
        needs.append(Need(label, at_most=50.0, unit="MB"))
        needs.append(Need(label, at_most=1.1, detail="growth"))
    title = f"resident memory of pynats reply after {last:,} requests; growth is since {first:,}"
    return Case("memory", title, "MB", measures, tuple(needs), slow=True, most_runs=1)
