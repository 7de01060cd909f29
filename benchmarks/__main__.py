"""`python -m benchmarks`: measure, print, save to .bench/."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

from benchmarks import alternatives, growth, machine, report
from benchmarks.cases import Case, all_cases
from benchmarks.measures import Measure, Sample
from benchmarks.report import Result
from benchmarks.server import ROOT, Bench, BenchError, NotHere

#: How often --patient repeats a measurement that was disturbed.
ATTEMPTS = 6


def main() -> int:
    """Run what was asked for; 1 if a reply was wrong or, with --check, a requirement is not met."""
    options = _options()
    part = 10 if options.quick else 1
    known = [*all_cases(options.quick), *growth.growth_cases(part), *alternatives.alternative_cases(part)]
    cases = [case for case in known if _wanted(case, options)]
    if not cases:
        print(f"no such case; there are: {', '.join(case.name for case in known)}", file=sys.stderr)
        return 2
    results: list[Result] = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # stop what was started
    with Bench() as bench:
        for case in cases:
            bench.check()
            result = measure(bench, case, options.runs, patient=options.patient)
            results.append(result)
            print(report.as_text(result), flush=True)
    save(results, machine.about(options.runs), options.write_docs)
    broken = [result.case.name for result in results if result.problems]
    unmet = [result.case.name for result in results if not result.ok]
    others = report.others(results)
    if others > machine.QUIET:
        print(f"others used {others:.0%} of the machine: the result is not reliable", file=sys.stderr)
    if broken:
        print(f"not measured in full: {', '.join(broken)}", file=sys.stderr)
    if unmet:
        print(f"not all that is required: {', '.join(unmet)}", file=sys.stderr)
    return 1 if broken or (options.check and unmet) else 0


def measure(bench: Bench, case: Case, runs: int, *, patient: bool) -> Result:
    """Measure the parts of a case in turn, each run beginning with another one."""
    result = Result(case)
    labels = list(case.measures)
    for run in range(min(runs, case.most_runs)):
        turn = run % len(labels)
        for label in labels[turn:] + labels[:turn]:
            if label in result.problems or label in result.absent:
                continue
            _progress(f"{case.name}: run {run + 1}, {label} ...")
            try:
                samples = _samples(bench, case.measures[label], ATTEMPTS if patient else 1)
                result.samples.setdefault(label, []).append(min(samples, key=lambda s: s.details["others"]))
            except NotHere as error:
                result.absent[label] = str(error)
            except (BenchError, OSError) as error:
                bench.check()
                result.problems[label] = str(error)
                result.samples.pop(label, None)
            _progress("")
    return result


def _samples(bench: Bench, measure: Measure, attempts: int) -> list[Sample]:
    """Measure until other processes used little of the machine meanwhile, at most so many times."""
    samples: list[Sample] = []
    for _ in range(attempts):
        if attempts > 1:
            machine.wait_for_quiet(bench, seconds=300)
        taken: list[Sample] = []
        others = machine.others_meanwhile(bench, lambda taken=taken: taken.append(measure(bench)))  # type: ignore[misc]
        samples.append(replace(taken[0], details=taken[0].details | {"others": others}))
        if others <= machine.QUIET:
            break
    return samples


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\x1b[2K{text}", end="\r", file=sys.stderr, flush=True)


def save(results: list[Result], about: dict[str, object], write_docs: bool) -> None:
    """Write .bench/results.json and .bench/results.md, and the table in the docs if asked to."""
    about |= {"others": report.others(results)}
    folder = ROOT / ".bench"
    folder.mkdir(exist_ok=True)
    (folder / "results.json").write_text(json.dumps(report.as_json(results, about), indent=1) + "\n")
    table = report.as_markdown(results, about)
    (folder / "results.md").write_text(table)
    if write_docs:
        path = ROOT / "docs" / "performance.md"
        kinds: dict[str, list[Result]] = {"alternatives": [], "growth": [], "table": []}
        for result in results:
            of_growth = result.case.name.startswith(growth.NAME)
            kinds["alternatives" if result.case.installs else "growth" if of_growth else "table"].append(
                result
            )
        tables = {
            "alternatives": alternatives.table(kinds["alternatives"]),
            "growth": growth.table(kinds["growth"]),
        }
        for name, rows in tables.items():
            if rows:
                write_table(path, f"{report.circumstances(about)}\n\n{rows}", name)
        if kinds["table"]:
            write_table(path, report.as_markdown(kinds["table"], about))


def write_table(path: Path, table: str, name: str = "table") -> None:
    """Replace what is between the two markers with this `name` of a document."""
    first, last = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, begin, rest = path.read_text().partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise SystemExit(f"{path.name} has no {first} ... {last}")
    path.write_text(f"{before}{first}\n{table}{last}{after}")


def _wanted(case: Case, options: argparse.Namespace) -> bool:
    if options.only:
        return any(fnmatch(case.name, pattern) for pattern in options.only)
    return not case.installs and (options.full or not case.slow)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="runs of each measurement (5)")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help="only these cases; * matches anything"
    )
    parser.add_argument("--full", action="store_true", help="slow cases too (memory, growth)")
    parser.add_argument(
        "--quick", action="store_true", help="a fifth of the requests, 2 runs: for a first impression"
    )
    parser.add_argument(
        "--patient", action="store_true", help="wait for quiet moments, repeat what was disturbed"
    )
    parser.add_argument("--check", action="store_true", help="exit 1 if a requirement is not met")
    parser.add_argument("--write-docs", action="store_true", help="put the table into docs/performance.md")
    options = parser.parse_args()
    if options.quick:
        options.runs = min(options.runs, 2)
    return options


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"benchmarks: {error}")
