"""The phases of a run of requests: a table with a bar for each, and JSON."""

from __future__ import annotations

from collections.abc import Mapping

from natscli.duration import format_duration
from natscli.environment import CYAN, DIM, GREEN, RESET

#: Columns of the bars.
_WIDTH = 50
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def table(lengths: Mapping[str, int], ping: int, service: int, *, bars: bool, colored: bool) -> str:
    """A line a phase (nanoseconds by name, one after the other), the total, and whose time it was.

    With `bars`, for terminals, each has one from where it began to where it ended. `ping` and `service` are
    nanoseconds, 0 if they are not known.
    """
    total = sum(lengths.values())
    lines, start = [], 0
    for name, length in lengths.items():
        bar = _bar(start, length, total, GREEN if "reply" in name else CYAN, colored) if bars else ""
        lines.append(f"{name:<13} {format_duration(length / 1e9):>8}  {bar}".rstrip())
        start += length
    text = f"{'total':<13} {format_duration(total / 1e9):>8}"
    lines.append(f"{DIM}{text}{RESET}" if colored else text)
    known = {"service": service, "network": ping}
    answer = ", ".join(
        f"{name} ~{format_duration(float(f'{ns / 1e9:.3g}'))}" for name, ns in known.items() if ns
    )
    return "".join(f"{line}\n" for line in [*lines, answer] if line)


def record(lengths: Mapping[str, int], ping: int, service: int) -> dict[str, int]:
    """The same for programs, in nanoseconds."""
    phases = {f"{name.lower().replace(' ', '_')}_ns": length for name, length in lengths.items()}
    return {**phases, "total_ns": sum(lengths.values()), "network_ns": ping, "service_ns": service}


def _bar(start: int, length: int, total: int, color: str, colored: bool) -> str:
    """Where a phase lies in the whole, to an eighth of a column."""
    total = max(total, 1)
    before = start * _WIDTH // total
    eighths = max(round(length * _WIDTH * 8 / total), 1)
    bar = "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
    return " " * before + (f"{color}{bar}{RESET}" if colored else bar)
