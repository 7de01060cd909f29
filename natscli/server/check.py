"""Whether a connection is as good as it should be, in the form of a Nagios plugin, as the nats CLI has it: pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from natscli.duration import format_duration


class State(IntEnum):
    """What monitoring makes of it; the exit status of a plugin."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


class Levels(NamedTuple):
    """Seconds from which on it is a warning, or critical; 0 for never."""

    warning: float
    critical: float


class Measure(NamedTuple):
    """What was measured: the name of the figure, what it is in words, seconds, and its levels."""

    name: str
    words: str
    seconds: float
    levels: Levels

    @property
    def state(self) -> State:
        """What the time means."""
        if self.levels.critical and self.seconds >= self.levels.critical:
            return State.CRITICAL
        if self.levels.warning and self.seconds >= self.levels.warning:
            return State.WARNING
        return State.OK


class CheckVerdict(NamedTuple):
    """What was measured, or the problem in its place."""

    measures: Sequence[Measure] = ()
    problem: str = ""

    @property
    def state(self) -> State:
        """The worst of all."""
        return State.CRITICAL if self.problem else max(m.state for m in self.measures)

    def nagios(self) -> str:
        """One line: the state, what each figure says, and the figures for graphs."""
        if self.problem:
            return f"CRITICAL Connection Crit:{self.problem}\n"
        marks = {State.OK: "OK", State.WARNING: "Warn", State.CRITICAL: "Crit"}
        parts = [f"{marks[m.state]}:{m.words} {format_duration(m.seconds)}" for m in self.measures]
        figures = [
            f"{m.name}={m.seconds:.4f}s;{m.levels.warning:.4f};{m.levels.critical:.4f}" for m in self.measures
        ]
        return f"{self.state.name} Connection {' '.join(parts)} | {' '.join(figures)}\n"

    def json(self) -> str:
        """An object; times in nanoseconds."""
        figures = {
            m.name: {
                "ns": round(m.seconds * 1e9),
                "warning_ns": round(m.levels.warning * 1e9),
                "critical_ns": round(m.levels.critical * 1e9),
                "state": m.state.name,
            }
            for m in self.measures
        }
        record = {"check": "connection", "state": self.state.name, "status": int(self.state), **figures}
        return json.dumps({**record, **({"problem": self.problem} if self.problem else {})}, indent=2) + "\n"
