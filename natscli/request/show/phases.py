"""The phases of a run of requests: a table with a bar for each, and JSON."""

from __future__ import annotations

from collections.abc import Mapping

from natscli.duration import format_duration
from natscli.environment import CYAN, DIM, GREEN, RESET

#: Columns of the bars.
_WIDTH = 50
#: Columns beside a bar.
_BESIDE = 24
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def table(lengths: Mapping[str, int], ping: int, service: int, *, columns: int, colored: bool) -> str:
    """A line a phase (nanoseconds by name, one after the other), the total, and whose time it was.

    On a terminal of `columns`, 0 for none, each has a bar from where it began to where it ended. `ping` and
    `service` are nanoseconds, 0 if they are not known.
    """
    total, width = sum(lengths.values()), min(columns - _BESIDE, _WIDTH)
    lines, start = [], 0
    for name, length in lengths.items():
        bar = _bar(start, length, total, width) if width > 0 else ""
        if colored and bar:
            bar = f"{' ' * bar.count(' ')}{GREEN if 'reply' in name else CYAN}{bar.lstrip()}{RESET}"
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


def _bar(start: int, length: int, total: int, width: int) -> str:
    """Where a phase lies in the whole of `width` columns, to an eighth of one."""
    total = max(total, 1)
    before = start * width // total
    eighths = max(round(length * width * 8 / total), 1)
    bar = "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
    return " " * before + bar
