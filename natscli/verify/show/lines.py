"""Results as lines: for people those that differ, for programs all, as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable

from natscli.environment import BOLD, DIM, RED
from natscli.message.records.values import Ignored
from natscli.output.terminal import Painter
from natscli.text import exact, replaced
from natscli.verify.show.diff import diff
from natscli.verify.verified import VerifiedCase


def people(painter: Painter, ignored: Ignored | None) -> Callable[[VerifiedCase], str]:
    """A line for a case that differs, one for each difference, and a diff of payloads."""

    def render(result: VerifiedCase) -> str:
        case = result.case
        if not result.differences:
            return ""
        parts = [
            painter.paint(
                ("DIFFERS ", RED), (exact(case.subject), BOLD), (f"  {case.file}, line {case.line}", DIM)
            )
        ]
        for difference in result.differences:
            parts.append(f"  {painter.paint((f'{difference.kind}: {difference.text}', ''))}")
            if difference.recorded is not None and difference.came is not None:
                parts.append(diff(difference.recorded, difference.came, ignored, painter))
        return "".join(parts)

    return render


def programs(result: VerifiedCase) -> str:
    """An object for a case, whether it held or not."""
    case = result.case
    record = {
        "file": case.file,
        "line": case.line,
        "subject": replaced(exact(case.subject)),
        "outcome": "differs" if result.differences else "held",
        "rtt_ns": result.answers[0].rtt_ns if result.answers else None,
        "replies": len(result.answers),
        "differences": [{"kind": d.kind, "text": replaced(d.text)} for d in result.differences],
    }
    return json.dumps(record) + "\n"
