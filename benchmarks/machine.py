"""The machine that is measured on: what it is, and how much of it others used meanwhile."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.server import Bench, Usage, nats_server_binary

#: Share of the machine that others may use without disturbing a measurement.
QUIET = 0.05


def about(runs: int) -> dict[str, Any]:
    """Where and with what it was measured."""
    server = subprocess.run([nats_server_binary(), "--version"], capture_output=True, text=True, check=True)
    return {
        "date": time.strftime("%Y-%m-%d"),
        "runs": runs,
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "nats-py": version("nats-py"),
        "nats-server": server.stdout.strip().rpartition("v")[2],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def others_meanwhile(bench: Bench, work: Callable[[], None]) -> float:
    """Do `work`; the share of the machine (0 to 1) that other processes or the host used meanwhile.

    Zero where the system has no /proc/stat.
    """
    start, all_before, ours_before = time.monotonic(), _all_seconds(), _our_seconds(bench)
    work()
    spent = (time.monotonic() - start) * (os.cpu_count() or 1)
    used = _all_seconds() - all_before - (_our_seconds(bench) - ours_before)
    return max(0.0, used / spent)


def wait_for_quiet(bench: Bench, seconds: float) -> None:
    """Wait until other processes use little of the machine, at most so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and others_meanwhile(bench, lambda: time.sleep(0.5)) > QUIET:
        pass


def _all_seconds() -> float:
    """Processor time that all processes used since boot, and what the host gave to other machines."""
    try:
        line = Path("/proc/stat").read_text().partition("\n")[0]
    except OSError:
        return 0.0
    user, nice, system, _idle, _wait, irq, softirq, steal = map(int, line.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _our_seconds(bench: Bench) -> float:
    times = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(t.ru_utime + t.ru_stime for t in times) + Usage.of(bench.server_pid).cpu_seconds
