"""What people use instead of pynats, in one run: as a responder, and as a requester with 64 and with one in flight.

Clients that are no floors are installed below `.bench/`; those that cannot be had are left out by name.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from benchmarks.cases import BARE, GO, PYNATS, Case
from benchmarks.load import Load
from benchmarks.measures import Command, Measure, Sample, floor, go_nats, pynats, rate, sending
from benchmarks.report import Result, number
from benchmarks.server import HOST, ROOT, Bench, NotHere

_IN_FLIGHT = 64
_FOLDER = ROOT / ".bench" / "peers"


@dataclass(frozen=True)
class Alternative:
    """How to answer with it, and how to send `count` requests from `tasks` tasks at once, at `most`.

    `lines` is where in `benchmarks/` that is written down.
    """

    name: str
    lines: str
    reply: Command
    request: Callable[[int, int], Command]
    most: int = _IN_FLIGHT


def alternative_cases(part: int) -> list[Case]:
    """A case for each column of the table; `part` divides the sizes."""
    load = Load(0, "bench", requests=100_000 // part, in_flight=_IN_FLIGHT)
    replies = {one.name: rate(one.reply, load) for one in ALTERNATIVES}
    cases = [_case("alternatives-reply", f"answering OK, {_IN_FLIGHT} in flight", replies)]
    for name, tasks, count in (("request", _IN_FLIGHT, 20_000 // part), ("serial", 1, 5000 // part)):
        asking = {one.name: _asking(one, count, tasks) for one in ALTERNATIVES if one.most >= tasks}
        cases.append(_case(f"alternatives-{name}", f"asking, {tasks} in flight, start left out", asking))
    return cases


def _case(name: str, title: str, measures: dict[str, Measure]) -> Case:
    return Case(name, title, "requests/s", measures, installs=True)


def _asking(one: Alternative, count: int, tasks: int) -> Measure:
    measure = sending(lambda n: one.request(n, tasks), count)

    def without_start(bench: Bench) -> Sample:
        sample = measure(bench)
        return replace(sample, value=sample.details["net"])

    return without_start


def table(results: Sequence[Result]) -> str:
    """The alternatives that were measured, as Markdown; empty if none were."""
    if not results:
        return ""
    lines = [
        "| | "
        + " | ".join(f"{result.case.title}, {result.case.unit} | ratio" for result in results)
        + " | lines |",
        "|---|" + "---:|---:|" * len(results) + "---|",
    ]
    for one in ALTERNATIVES:
        cells = [cell for result in results for cell in _cells(result, one.name)]
        lines.append(f"| {one.name} | {' | '.join(cells)} | {one.lines} |")
    return "\n".join(lines) + "\n"


def _cells(result: Result, name: str) -> tuple[str, str]:
    """Requests a second, and as often as nats-py's in the same run."""
    values, bare = result.values(name), result.values(BARE)
    if not values:
        return ("not here" if name in result.absent else "-"), ""
    ratios = [value / floor for value, floor in zip(values, bare, strict=False)]
    return number(statistics.median(values)), f"{statistics.median(ratios):.2f}" if ratios else ""


# -- the clients ---------------------------------------------------------------------------------------------


def _ours(count: int, tasks: int) -> Command:
    return pynats("request", "bench", "hi", "--raw", "--count", str(count), "--concurrency", str(tasks))


def _python(name: str, package: str) -> Alternative:
    def command(job: str, *arguments: object) -> Command:
        def words(bench: Bench) -> list[str]:
            program = [sys.executable, "-m", "benchmarks.peers", f"{name}-{job}", _python_package(package)]
            return [*program, HOST, str(bench.port), "bench", *map(str, arguments)]

        return words

    return Alternative(
        package.replace("==", " "), f"`peers.py`: `{name}_reply`, `{name}_request`",
        command("reply", "OK"), lambda count, tasks: command("request", "hi", count, tasks),
    )  # fmt: skip


def _javascript(job: str, *arguments: object) -> Command:
    def words(bench: Bench) -> list[str]:
        folder = _javascript_package("@nats-io/transport-node@3.4.0")
        program = ["node", str(ROOT / "benchmarks" / "peers.mjs"), job, folder]
        return [*program, HOST, str(bench.port), "bench", *map(str, arguments)]

    return words


def _go(*arguments: str) -> Command:
    def words(bench: Bench) -> list[str]:
        _program("nats")
        return go_nats(*arguments)(bench)

    return words


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise NotHere(f"{name} is not on PATH")
    return path


@cache
def _python_package(package: str) -> str:
    """A folder with a package for this Python and all that it needs."""
    folder = _FOLDER / f"{package}-python{sys.version_info[0]}.{sys.version_info[1]}"
    uv = shutil.which("uv")
    pip = (
        [uv, "pip", "install", "--python", sys.executable] if uv else [sys.executable, "-m", "pip", "install"]
    )
    return _installed(folder, [*pip, "--quiet", "--target", str(folder), package])


@cache
def _javascript_package(package: str) -> str:
    """A folder of Node.js with a package and all that it needs."""
    _program("node")
    folder = _FOLDER / package.replace("/", "+")
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--silent", "--prefix", str(folder)]
    return _installed(folder, [_program("npm"), "install", *options, package])


def _installed(folder: Path, command: list[str]) -> str:
    """The folder, once that has been installed in it.

    Raises:
        NotHere: it cannot be.
    """
    done = folder / ".installed"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            run = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
        except subprocess.TimeoutExpired:
            raise NotHere(f"{command[-1]} takes too long to install") from None
        if run.returncode:
            raise NotHere(f"{command[-1]} cannot be installed: {(run.stdout + run.stderr).strip()[-200:]}")
        done.touch()
    return str(folder)


ALTERNATIVES = (
    Alternative(PYNATS, "`alternatives.py`: `ALTERNATIVES`", pynats("reply", "bench", "OK"), _ours),
    Alternative(BARE, "`floors.py`: `bare_reply`, `bare_request`", floor("bare-reply", "bench", "OK"),
                lambda count, tasks: floor("bare-request", "bench", "hi", count, tasks)),
    _python("natsio", "natsio==1.0.1"),
    _python("natsrpy", "natsrpy==0.1.4"),
    Alternative("nats.js 3.4.0", "`peers.mjs`", _javascript("reply", "OK"),
                lambda count, tasks: _javascript("request", "hi", count, tasks)),
    Alternative(GO, "`alternatives.py`: `ALTERNATIVES`", _go("reply", "bench", "OK"),
                lambda count, _: _go("request", "bench", "hi", "--raw", "--count", str(count)), most=1),
)  # fmt: skip
