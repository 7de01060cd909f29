"""A soak: requests at a rate against `pynats reply --processes 2`, while workers, servers and responders are killed.

Every request is accounted for: answered once, or reported as failed. What the service handled twice is counted (a
request whose connection was lost is sent again), and memory is watched. The result is a table; exits with 1 when a
request is missing or was answered twice, or when memory grew.

    python -m scripts.soak --seconds 600 --rate 1000
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers import Server, process_exists, start_server

SUBJECT = "soak"
#: Seconds that everything has to answer again after a fault.
RECOVERY = 15.0
#: Memory may be so many times what it was at the beginning, and so many MB more.
GROWTH, SLACK = 1.25, 15.0


class Side:
    """A pynats that writes to files."""

    def __init__(self, name: str, folder: Path, server: Server, *arguments: str) -> None:
        self.stdout, self.stderr = folder / f"{name}.out", folder / f"{name}.err"
        with self.stdout.open("wb") as out, self.stderr.open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "natscli", *arguments, "--server", server.url, "--no-context"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Its exit status, None while it runs."""
        return self._process.poll()

    def errors(self) -> str:
        """All it wrote to stderr so far."""
        return self.stderr.read_text("utf-8", "replace")

    def workers(self) -> list[int]:
        """The process ids of those that answer."""
        text = self.errors()
        found = re.search(r"processes answer: (.*)", text)
        pids = [int(pid) for pid in found[1].split(", ")] if found else []
        for name, pid in re.findall(r"process (\d+) answers again: (\d+)", text):
            pids[int(name) - 1] = int(pid)
        return pids

    def end(self, how: int = signal.SIGTERM) -> int:
        """Signal it, and its exit status."""
        if self.status is None:
            self._process.send_signal(how)
        try:
            return self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


@dataclass
class Figures:
    """What was done, and what was seen."""

    faults: Counter[str] = field(default_factory=Counter)
    recovery: dict[str, float] = field(default_factory=dict)
    #: MB of resident memory by who has it: at each second.
    memory: dict[str, list[float]] = field(default_factory=dict)

    def add_memory(self, name: str, pid: int) -> None:
        """Look at the memory of a process now."""
        with suppress(OSError):
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            if pages:  # it may just have ended
                self.memory.setdefault(name, []).append(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)


def wait_until(condition: Callable[[], object], what: str, seconds: float = RECOVERY) -> float:
    """Seconds until the condition holds. Raises TimeoutError."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise TimeoutError(what)
        time.sleep(0.01)
    return time.monotonic() - began


class Soak:
    """One run: a server, a service, a requester, and what happens to the first two."""

    def __init__(
        self, folder: Path, server: Server, rate: int, seconds: float, every: float, seed: int
    ) -> None:
        self.figures = Figures()
        #: What the requester counted.
        self.summary = folder / "summary.json"
        self._folder = folder
        self._server = server
        self._rate = rate
        self._seconds = seconds
        self._every = every
        self._random = random.Random(seed)
        self._services: list[Side] = []

    def run(self) -> Side:
        """Soak; the requester, which has ended."""
        self._start_service()
        requester = Side(
            "request", self._folder, self._server, "request", SUBJECT, "{{Count}}", "--rate", str(self._rate),
            "--duration", f"{self._seconds}s", "--timeout", "2s", "--retries", "30", "--json",
            "--summary-json", str(self.summary),
        )  # fmt: skip
        try:
            began = due = time.monotonic()
            while requester.status is None and time.monotonic() - began < self._seconds + 60:
                time.sleep(1)
                self._look(requester)
                if due + self._every < time.monotonic() < began + self._seconds - RECOVERY / 5:
                    due = time.monotonic()
                    self._harm()
            return requester
        finally:
            requester.end()
            self._services[-1].end()

    @property
    def handled(self) -> list[Path]:
        """The logs of the services: an object for each request that was handled."""
        return [service.stdout for service in self._services]

    def _start_service(self) -> None:
        service = Side(
            f"reply-{len(self._services)}", self._folder, self._server,
            "reply", SUBJECT, "--echo", "--json", "--processes", "2", "--wait", "30s",
        )  # fmt: skip
        self._services.append(service)
        wait_until(service.workers, "the service does not answer")

    def _look(self, requester: Side) -> None:
        self.figures.add_memory("requester", requester.pid)
        service = self._services[-1]
        self.figures.add_memory("parent", service.pid)
        for number, pid in enumerate(service.workers(), 1):
            self.figures.add_memory(f"worker {number}", pid)

    def _harm(self) -> None:
        name = self._random.choice(("worker killed", "worker killed", "server killed", "responder killed"))
        took = {"worker killed": self._kill_worker, "server killed": self._kill_server,
                "responder killed": self._kill_responder}[name]()  # fmt: skip
        self.figures.faults[name] += 1
        self.figures.recovery[name] = max(self.figures.recovery.get(name, 0), took)

    def _kill_worker(self) -> float:
        service = self._services[-1]
        before = service.errors().count("answers again")
        os.kill(self._random.choice(service.workers()), signal.SIGKILL)
        return wait_until(lambda: service.errors().count("answers again") > before, "no other worker")

    def _kill_server(self) -> float:
        service = self._services[-1]
        before = service.errors().count("Reconnected")
        self._server.restart()
        return wait_until(lambda: service.errors().count("Reconnected") > before, "it does not reconnect")

    def _kill_responder(self) -> float:
        """Its workers end with it, and another is started."""
        service, began = self._services[-1], time.monotonic()
        workers = service.workers()
        service.end(signal.SIGKILL)
        wait_until(lambda: not any(map(process_exists, workers)), "its workers live on")
        self._start_service()
        return time.monotonic() - began


def account(sent: int, requester: Path, handled: list[Path]) -> dict[str, int]:
    """What became of the requests 1 to `sent`: what the requester says of each, and what the services logged."""
    answered: Counter[int] = Counter()
    failed: set[int] = set()
    wrong = 0
    with requester.open() as lines:
        for line in lines:
            said = json.loads(line)
            number = int(said["request"])
            if "error" in said:
                failed.add(number)
            else:
                answered[number] += 1
                wrong += said["data"] != str(number)
    served: Counter[int] = Counter()
    for path in handled:
        with path.open() as lines:
            served.update(int(json.loads(line)["data"]) for line in lines if line.endswith("}\n"))
    known = (set(answered) | failed) & set(range(1, sent + 1))
    return {
        "sent": sent, "answered": len(answered), "failed": len(failed),
        "missing": sent - len(known),
        "answered twice": sum(count > 1 for count in answered.values()) + len(failed & set(answered)),
        "answered with something else": wrong, "handled twice": sum(count > 1 for count in served.values()),
    }  # fmt: skip


def grown(samples: list[float]) -> bool:
    """Whether memory is more in the last quarter than in the first, and not by chance."""
    quarter = max(len(samples) // 4, 1)
    return min(samples[-quarter:]) > max(samples[:quarter]) * GROWTH + SLACK


def table(figures: Figures, counts: dict[str, int], failures: dict[str, int]) -> list[str]:
    """The result, as Markdown."""
    rows = [f"| requests {name} | {count:,} |" for name, count in counts.items()]
    rows += [f"| failed: {kind} | {count:,} |" for kind, count in failures.items()]
    rows += [
        f"| {name} | {count} times, at most {figures.recovery[name]:.2f} s until it goes on |"
        for name, count in sorted(figures.faults.items())
    ]
    for name, samples in sorted(figures.memory.items()):
        quarter = max(len(samples) // 4, 1)
        first, last = max(samples[:quarter]), max(samples[-quarter:])
        rows.append(
            f"| memory of the {name} | {first:.1f} MB in the first quarter, {last:.1f} MB in the last |"
        )
    return ["| what | figure |", "|---|---|", *rows]


def main(arguments: list[str] | None = None) -> int:
    """Soak as the command line says; 0 if everything is accounted for."""
    parser = argparse.ArgumentParser(description="Requests at a rate, while what answers them is killed.")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--every", type=float, default=6, help="seconds between faults")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args(arguments)
    print(f"{given.seconds:g} s at {given.rate}/s, seed {given.seed}", flush=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pynats-soak-")))
        server = stack.enter_context(start_server())
        soak = Soak(folder, server, given.rate, given.seconds, given.every, given.seed)
        requester = soak.run()
        summary = json.loads(soak.summary.read_text())
        counts = account(summary["sent"], requester.stdout, soak.handled)
        failures = {kind: failure["count"] for kind, failure in summary["failures"].items()}
        tracebacks = "Traceback" in requester.errors()
    print("\n".join(table(soak.figures, counts, failures)))
    growing = [name for name, samples in soak.figures.memory.items() if grown(samples)]
    problems = [
        name for name in ("missing", "answered twice", "answered with something else") if counts[name]
    ]
    problems += [f"memory of the {name} grew" for name in growing] + ["a traceback"] * tracebacks
    print(f"failed: {', '.join(problems)}" if problems else "every request is accounted for, memory is flat")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
